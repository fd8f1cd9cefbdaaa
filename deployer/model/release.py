"""Helm releases: their revisions, and what we keep with each."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Literal

from deployer.model.basics import Json

FOR_EVER = datetime.max.replace(tzinfo=UTC)
"""A time that never comes."""


@dataclass(frozen=True)
class DeploymentRecord:
    """What is kept with every revision, as JSON in the release's values. `started` is UTC, ISO 8601.

    `content_hash` is the hash of the Docker context; `rebuild` is what `--rebuild` salted the tag with, so that the
    next deployment of the same content keeps the rebuilt image. `action` is the command that made the revision
    (`deploy`, `rollback`, `promote`, `adopt`, `recover`); `restores` is the id of the deployment that a rollback went
    back to; `fleet` names the regions that were deployed to together, with commas; `promoted_from` is the stage whose
    image it is; `adopted_from` names the releases (`namespace/name`, with commas) whose objects were taken over.
    For a branch `expires` is until when it is kept (UTC, ISO 8601; None: for ever), and `sub_domain` what its host
    begins with.
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
    action: str | None = None
    restores: str | None = None
    fleet: str | None = None
    promoted_from: str | None = None
    adopted_from: str | None = None
    expires: str | None = None
    sub_domain: str | None = None

    def restoring(self, old: Revision) -> DeploymentRecord:
        """This record for a revision that brings an old one back: made by us now, but of what the old one was."""
        was = old.record
        return replace(
            self,
            action="recover" if self.action == "recover" else "rollback",
            restores=old.origin,
            version=was.version if was else None,
            tag=was.tag if was else None,
            image=was.image if was else None,
            digest=was.digest if was else None,
            content_hash=was.content_hash if was else None,
            rebuild=was.rebuild if was else None,
        )


Ending = Literal["failed", "interrupted", "reverted"]
"""How an attempt at a revision ended that is not verified: `reverted` was taken back since another region failed."""


@dataclass(frozen=True)
class Revision:
    """One revision of a Helm release, read from its storage in the cluster.

    `manifests` are the JSON texts that we gave to the pass-through chart (empty for a release made by others);
    `manifest` is Helm's rendered YAML. `verified` is our own mark: True only after rollout and outside check. `ended`
    is our mark on what was not verified, None while nobody has written one. `description` is what Helm shows of it.
    `before` are, as JSON texts, the objects that it took over, as they were until then; kept until all is well.
    `kept_until` is our mark of a later deployment of the same that had nothing to change (FOR_EVER: it said `never`).
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
    ended: Ending | None = None
    description: str = ""
    before: tuple[str, ...] = ()
    kept_until: datetime | None = None

    @property
    def expires(self) -> datetime | None:
        """Until when a branch is kept: what its deployment said, or a later one that had nothing to change."""
        if self.kept_until is not None:
            return self.kept_until if self.kept_until != FOR_EVER else None
        if self.record is None or self.record.expires is None:
            return None
        try:
            said = datetime.fromisoformat(self.record.expires)
        except ValueError:
            return None
        return said if said.tzinfo else said.replace(tzinfo=UTC)

    @property
    def origin(self) -> str | None:
        """The id of the deployment that this revision is of; for a rollback, of the one that it restored."""
        return (self.record.restores or self.record.deployment_id) if self.record else self.deployment_id

    @property
    def is_helms_rollback(self) -> bool:
        """Whether Helm made it as the copy of an old one: it describes it so, also when it gave up."""
        return self.description.startswith("Rollback")

    @property
    def is_unfinished_rollback(self) -> bool:
        """Whether it is a rollback that ended halfway: `manifest` is then what it came upon and what it has brought."""
        return self.status == "pending-rollback" or (self.status == "failed" and self.is_helms_rollback)

    def objects(self) -> tuple[Json, ...]:
        """The manifests as objects, read from Helm's rendered YAML where that knows more, or the release is others'.

        Raises ConfigurationError for one that cannot be read.
        """
        if self.manifests and not self.is_unfinished_rollback:
            return tuple(json.loads(text) for text in self.manifests)
        from deployer.model.stored import stored_documents

        documents = stored_documents(self.manifest, f"the manifest of revision {self.number}")
        return tuple(one for one in documents if {"apiVersion", "kind", "metadata"} <= one.keys())


@dataclass(frozen=True, slots=True)
class ObjectKey:
    """Names one Kubernetes object. `namespace` is None for cluster-scoped kinds."""

    api_version: str
    kind: str
    namespace: str | None
    name: str

    def __str__(self) -> str:
        return f"{self.kind}/{self.name}"
