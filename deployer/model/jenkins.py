"""What `deploy jenkins generate` is told about a team's Jenkins: the block `Jenkins` of `deployer.yml`."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

from deployer.model.basics import STRICT


@dataclass(frozen=True)
class JenkinsAgents:
    """Labels of agents: of those that work for a region, and of those for everything else (default: any agent)."""

    __pydantic_config__: ClassVar[Any] = STRICT
    default: str | None = None
    regions: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class JenkinsAccess:
    """Ids of credentials in Jenkins; what is not named is not asked for.

    `Aws`: an access key (AWS Credentials plugin). `Ssh`: a key for builders and repositories (SSH Agent plugin).
    `GitHubToken`: a secret text, as GITHUB_TOKEN.
    """

    __pydantic_config__: ClassVar[Any] = STRICT
    aws: str | None = None
    ssh: str | None = None
    git_hub_token: str | None = None


@dataclass(frozen=True)
class JenkinsCredentials:
    """`Default` of all stages; `Stages` has those of single stages, which replace it."""

    __pydantic_config__: ClassVar[Any] = STRICT
    default: JenkinsAccess = field(default_factory=JenkinsAccess)
    stages: dict[str, JenkinsAccess] = field(default_factory=dict)


@dataclass(frozen=True)
class JenkinsTimeouts:
    """In minutes: `Deploy` one run of a command, `Lock` the wait for others' deployments, `Approval` a question."""

    __pydantic_config__: ClassVar[Any] = STRICT
    deploy: int = 120
    lock: int = 30
    approval: int = 1440


@dataclass(frozen=True)
class JenkinsRepository:
    """Where Jenkins finds this repository. Without a `Url` the Job DSL script takes the seed job's own (GIT_URL).

    `Path` is where it lies in what Jenkins checks out: a directory, or `.` (default: as in git here).
    """

    __pydantic_config__: ClassVar[Any] = STRICT
    url: str | None = None
    branch: str = "main"
    credentials: str | None = None
    path: str | None = None


@dataclass(frozen=True)
class JenkinsSettings:
    """How pipelines for Jenkins are made (docs/jenkins.md).

    Stages are deployed to in the order of `Staging`, then of `Production`, which is asked for first.

    By default production is what begins with `prod`, and staging every other stage but the sandbox's `local`.
    `Waves`: `deployment` makes one deployment that goes through the waves itself; `stages` makes a stage of the
    pipeline of each wave, its regions in parallel on agents of their own, for agents that only reach their region.
    `Approvers`: users and groups of Jenkins that may approve (default: everybody who may build).
    """

    __pydantic_config__: ClassVar[Any] = STRICT
    directory: str = "jenkins"
    folder: str = "deployments"
    wrapper: str = "./wrapper"
    staging: tuple[str, ...] | None = None
    production: tuple[str, ...] | None = None
    waves: Literal["deployment", "stages"] = "deployment"
    agents: JenkinsAgents = field(default_factory=JenkinsAgents)
    credentials: JenkinsCredentials = field(default_factory=JenkinsCredentials)
    approvers: tuple[str, ...] = ()
    schedule: str = "H 3 * * *"
    timeouts: JenkinsTimeouts = field(default_factory=JenkinsTimeouts)
    repository: JenkinsRepository = field(default_factory=JenkinsRepository)
    keep_builds: int = 100
