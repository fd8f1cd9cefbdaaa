"""Helm releases: their revisions, and what we keep with each."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime

from deployer.model.basics import Json


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
