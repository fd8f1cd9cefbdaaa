"""The nouns of a deployment, as frozen dataclasses that everything else shares.

The classes with `__pydantic_config__` are also the schema of the user's files: `config` validates YAML into them,
spelling each field in PascalCase (`aws_ecr_prefix` is the key `AwsEcrPrefix`).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, ClassVar, Literal

from deployer.errors import DeployError

Json = dict[str, Any]
"""A JSON object: a Kubernetes manifest, a document of an API."""


def pascal_case(name: str) -> str:
    """`aws_ecr_prefix` → `AwsEcrPrefix`."""
    return "".join(part.capitalize() for part in name.split("_"))


_STRICT: Any = {"alias_generator": pascal_case, "extra": "forbid", "populate_by_name": False}
_OPEN: Any = {"alias_generator": pascal_case, "extra": "ignore", "populate_by_name": False}


class Secret:
    """A text that must not be shown: `str`, `repr` and formatting redact it, only `reveal` gives it."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """The text itself. Whoever calls this answers for where it goes."""
        return self._value

    def __repr__(self) -> str:
        return "Secret(***)"

    def __str__(self) -> str:
        return "***"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._value == self._value

    def __hash__(self) -> int:
        return hash(self._value)

    def __bool__(self) -> bool:
        return bool(self._value)

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: Any) -> Any:
        """A text in the user's file; pydantic is imported only where files are validated."""
        from pydantic_core import core_schema

        return core_schema.union_schema(
            [
                core_schema.is_instance_schema(cls),
                core_schema.no_info_after_validator_function(cls, core_schema.str_schema(strict=True)),
            ],
            mode="left_to_right",
        )


@dataclass(frozen=True, slots=True, order=True)
class Target:
    """One application in one region of one stage."""

    stage: str
    region: str
    application: str

    @property
    def environment(self) -> str:
        """As an app's `Environments` spells it: `prod.london`."""
        return f"{self.stage}.{self.region}"

    def __str__(self) -> str:
        return f"{self.stage} {self.region} {self.application}"


# --- group_vars ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class ClusterSettings:
    """How to reach the region's cluster: `Name` of an EKS cluster, or `Context` of a `Kubeconfig`."""

    __pydantic_config__: ClassVar[Any] = _STRICT
    name: str | None = None
    context: str | None = None
    kubeconfig: str | None = None


@dataclass(frozen=True)
class SlackSettings:
    """Where to announce. A bot `Token` with a `Channel`, or an incoming `WebhookUrl`; `ApiUrl` for another endpoint."""

    __pydantic_config__: ClassVar[Any] = _STRICT
    channel: str | None = None
    token: Secret | None = None
    webhook_url: Secret | None = None
    api_url: str = "https://slack.com/api/"


@dataclass(frozen=True)
class HealthCheckSettings:
    """How the regional host is asked from outside. Times are in seconds.

    `Stable`: how long it must answer well, without a failure, before it counts as healthy.
    `ConnectTo`: `host:port` to connect to instead of the load balancer named by the Ingress (split-horizon DNS).
    """

    __pydantic_config__: ClassVar[Any] = _STRICT
    protocol: Literal["HTTP", "HTTPS"] = "HTTPS"
    path: str = "/"
    port: int | None = None
    search_string: str | None = None
    interval: Literal[10, 30] = 30
    failure_threshold: int = 3
    timeout: float = 120.0
    stable: float = 0.0
    connect_to: str | None = None


@dataclass(frozen=True)
class RolloutSettings:
    """What is tolerated while a rollout is watched. Times are in seconds."""

    __pydantic_config__: ClassVar[Any] = _STRICT
    timeout: float = 600.0
    unschedulable_grace: float = 300.0
    restart_allowance: int = 2


@dataclass(frozen=True)
class EcrSettings:
    """`CreateRepositories`: make a missing ECR repository on its first use."""

    __pydantic_config__: ClassVar[Any] = _STRICT
    create_repositories: bool = False
    scan_on_push: bool = True
    immutable_tags: bool = True


@dataclass(frozen=True)
class GitHubSettings:
    """Access to GitHub's API for artefacts; `ApiUrl` is `https://HOST/api/v3` for GitHub Enterprise.

    Without a `Token` the environment's GITHUB_TOKEN or GH_TOKEN is used.
    """

    __pydantic_config__: ClassVar[Any] = _STRICT
    api_url: str = "https://api.github.com"
    token: Secret | None = None


@dataclass(frozen=True)
class Settings:
    """The group_vars of one stage and region that the tool itself reads. Other keys are the user's variables."""

    __pydantic_config__: ClassVar[Any] = _OPEN
    aws_region: str
    dns_domain: str | None = None
    aws_ecr_prefix: str | None = None
    aws_profile: str | None = None
    aws_config_file: str | None = None
    cluster: ClusterSettings = field(default_factory=ClusterSettings)
    namespace: str = "default"
    slack: SlackSettings = field(default_factory=SlackSettings)
    health_check: HealthCheckSettings = field(default_factory=HealthCheckSettings)
    rollout: RolloutSettings = field(default_factory=RolloutSettings)
    ecr: EcrSettings = field(default_factory=EcrSettings)
    git_hub: GitHubSettings = field(default_factory=GitHubSettings)
    fingerprint_key: Secret | None = None


# --- apps ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Download:
    """One artefact of the Docker context.

    `Src`: `s3://bucket/key[?versionId=…]`, `http(s)://…`, `github://owner/repo/releases/TAG/ASSET`,
    `github://owner/repo/archive/REF.tar.gz`, or a path in the deployment repository. `Dest`: the path in the context
    (default: the last part of `Src`; with `Unpack`, the directory to unpack into, default the context itself).
    """

    __pydantic_config__: ClassVar[Any] = {**_STRICT, "alias_generator": str.lower}
    src: str
    dest: str | None = None
    sha256: str | None = None
    unpack: bool = False


@dataclass(frozen=True)
class InlineFile:
    """A file of the Docker context that stands in the app file itself."""

    __pydantic_config__: ClassVar[Any] = _STRICT
    content: str
    executable: bool = False


@dataclass(frozen=True)
class DockerSpec:
    """How the app's image is made. `Files`: path in the context → text, or `{Content, Executable}`.

    `Args` are build arguments (part of the content hash); `Secrets` are BuildKit secrets (id → value, not part of it).
    """

    __pydantic_config__: ClassVar[Any] = _STRICT
    dockerfile: str
    download: tuple[Download, ...] = ()
    files: Mapping[str, InlineFile] = field(default_factory=dict)
    args: Mapping[str, str] = field(default_factory=dict)
    secrets: Mapping[str, Secret] = field(default_factory=dict)
    platforms: tuple[str, ...] = ()


@dataclass(frozen=True)
class App:
    """An app file as it reads for one target, all but its manifests (which need the image) evaluated.

    `context_directory` is `apps/NAME/` where it exists; its `*.j2` files are rendered into the Docker context.
    """

    name: str
    app_name: str
    environments: tuple[str, ...]
    version: str | None = None
    tag: str | None = None
    sub_domain: str | None = None
    docker: DockerSpec | None = None
    slack_channel: str | None = None
    health_check: HealthCheckSettings | None = None
    context_directory: Path | None = None


# --- image -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Image:
    """An image in a registry: `registry/repository:tag`, pinned by `digest` (`sha256:…`) once that is known."""

    registry: str
    repository: str
    tag: str
    digest: str | None = None

    @classmethod
    def under(cls, prefix: str, name: str, tag: str) -> Image:
        """The image `name:tag` below an `AwsEcrPrefix`, which is a registry host and maybe a path."""
        registry, _, path = prefix.rstrip("/").partition("/")
        return cls(registry, f"{path}/{name}" if path else name, tag)

    @property
    def reference(self) -> str:
        """`registry/repository:tag`, as a manifest template spells it."""
        return f"{self.registry}/{self.repository}:{self.tag}"

    @property
    def pinned(self) -> str:
        """`registry/repository:tag@sha256:…`; the reference alone while the digest is unknown."""
        return f"{self.reference}@{self.digest}" if self.digest else self.reference


@dataclass(frozen=True, slots=True)
class Artefact:
    """A downloaded artefact: `path` is its verified content in the cache, `identity` the ETag or version it has."""

    source: str
    path: Path
    size: int
    sha256: str
    identity: str | None = None
    from_cache: bool = False


EntryKind = Literal["file", "directory", "link"]


@dataclass(frozen=True, slots=True)
class ContextEntry:
    """One entry of a Docker context. `path` is relative, with `/`; `size` and `sha256` (hex) are of a file's content.

    `target` is where a link points to. A directory is an entry of its own only when it is empty.
    """

    path: str
    kind: EntryKind
    executable: bool = False
    size: int = 0
    sha256: str = ""
    target: str = ""


# --- release ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class DeploymentRecord:
    """What is kept with every revision, as JSON in the release's values. `started` is UTC, ISO 8601.

    `content_hash` is the hash of the Docker context; `rebuild` is what `--rebuild` salted the tag with, so that the
    next deployment of the same content keeps the rebuilt image.
    """

    deployment_id: str
    application: str
    stage: str
    region: str
    version: str | None = None
    tag: str | None = None
    image: str | None = None
    digest: str | None = None
    content_hash: str | None = None
    rebuild: str | None = None
    git_commit: str | None = None
    who: str | None = None
    started: str | None = None
    tool_version: str | None = None


@dataclass(frozen=True)
class Revision:
    """One revision of a Helm release, read from its storage in the cluster.

    `manifests` are the JSON texts that we gave to the pass-through chart (empty for a release made by others);
    `manifest` is Helm's rendered YAML. `verified` is our own mark: True only after rollout and outside check.
    """

    number: int
    status: str
    updated: datetime | None
    verified: bool
    deployment_id: str | None
    manifests: tuple[str, ...]
    manifest: str
    record: DeploymentRecord | None
    chart: str = ""

    def objects(self) -> tuple[Json, ...]:
        """The manifests as objects, read from Helm's rendered YAML for a release made by others."""
        if self.manifests:
            return tuple(json.loads(text) for text in self.manifests)
        import yaml

        try:
            documents = list(yaml.load_all(self.manifest, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader)))
        except yaml.YAMLError:
            return ()
        return tuple(one for one in documents if isinstance(one, dict) and {"kind", "metadata"} <= one.keys())


@dataclass(frozen=True, slots=True)
class ObjectKey:
    """Names one Kubernetes object. `namespace` is None for cluster-scoped kinds."""

    api_version: str
    kind: str
    namespace: str | None
    name: str

    def __str__(self) -> str:
        return f"{self.kind}/{self.name}"


# --- rollout ---------------------------------------------------------------------------------------------------------

Verdict = Literal["ready", "progressing", "waiting", "failed"]
"""`waiting` is stuck for a reason that may pass by itself (unschedulable, quota); `failed` will not heal."""


@dataclass(frozen=True)
class PodState:
    """One pod of a workload as its watcher sees it. `state` is one word, as kubectl would print it."""

    name: str
    state: str
    ready: bool
    restarts: int
    verdict: Verdict
    reason: str = ""


@dataclass(frozen=True)
class WorkloadState:
    """How far one object of the release is. Counts are pods (completions for a Job)."""

    key: ObjectKey
    desired: int
    updated: int
    ready: int
    verdict: Verdict
    reason: str = ""
    pods: tuple[PodState, ...] = ()


@dataclass(frozen=True)
class Evidence:
    """What is kept of a failure before anything is rolled back. All texts are masked."""

    workloads: tuple[WorkloadState, ...] = ()
    events: tuple[str, ...] = ()
    containers: tuple[ContainerEvidence, ...] = ()


@dataclass(frozen=True)
class ContainerEvidence:
    """A failing container: its state in words and its last log lines (at most 20)."""

    pod: str
    container: str
    state: str
    log: tuple[str, ...] = ()


# --- result ----------------------------------------------------------------------------------------------------------

Outcome = Literal[
    "unchanged", "deployed", "rolled back", "uninstalled", "failed", "not started", "interrupted", "planned"
]
"""`rolled back` and `uninstalled` are failures whose traces were removed; `failed` is one that still stands."""


SUCCESSES: frozenset[Outcome] = frozenset({"unchanged", "deployed", "planned"})
"""The outcomes that are what was asked for."""


@dataclass(frozen=True)
class PhaseTiming:
    """How long a phase of a target took, in seconds."""

    phase: str
    seconds: float


@dataclass(frozen=True)
class TargetResult:
    """What became of one target. `url` is asked from outside, `through` a `host:port` where the settings fix one."""

    target: Target
    outcome: Outcome
    version: str | None = None
    image: Image | None = None
    revision: int | None = None
    url: str | None = None
    through: str | None = None
    reasons: tuple[str, ...] = ()
    changes: tuple[str, ...] = ()
    workloads: tuple[WorkloadState, ...] = ()
    phases: tuple[PhaseTiming, ...] = ()
    warnings: tuple[str, ...] = ()
    error: DeployError | None = None
    evidence: Evidence | None = None


@dataclass(frozen=True)
class DeploymentResult:
    """What became of one command: every target's result, whatever happened to the others."""

    deployment_id: str
    stage: str
    who: str
    git_commit: str | None
    seconds: float
    targets: tuple[TargetResult, ...] = ()
    phases: tuple[PhaseTiming, ...] = ()

    @property
    def failed(self) -> bool:
        """Whether any target did not end as asked."""
        return any(target.outcome not in SUCCESSES for target in self.targets)
