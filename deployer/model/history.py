"""What has happened to an app's release, revision by revision."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from deployer.errors import DeployError
from deployer.model.basics import Target
from deployer.model.lock import LockState

RevisionOutcome = Literal["good", "failed", "interrupted", "reverted", "in progress", "unverified", "not ours"]
"""What became of a revision: `good` was verified by us; `reverted` was, too, and then taken back since another region
failed; `unverified` was never seen to run well, nor to fail.

`not ours`: another tool made it, or somebody with Helm alone, whatever our record that Helm copied into it says.
"""


@dataclass(frozen=True)
class HistoryEntry:
    """One revision. `updated` is when Helm made it; `running` marks the one that the cluster was brought to last.

    `action` is the command that made it (`deploy`, `rollback`, …), `rolled back` where a failed one was taken back, or
    `helm`. `restores` is what a rollback went back to: a deployment's id, or `revision N` for one made by hand. What is
    None is not known.
    """

    revision: int
    outcome: RevisionOutcome
    action: str
    running: bool = False
    restores: str | None = None
    deployment_id: str | None = None
    version: str | None = None
    tag: str | None = None
    digest: str | None = None
    who: str | None = None
    updated: datetime | None = None
    git_commit: str | None = None
    chart: str | None = None


@dataclass(frozen=True)
class RegionHistory:
    """An app's release in one region: its revisions, newest first, and who holds its lock. `error`: it was not read."""

    target: Target
    entries: tuple[HistoryEntry, ...] = ()
    lock: LockState | None = None
    error: DeployError | None = None

    @property
    def mixture(self) -> HistoryEntry | None:
        """The newest revision, where it is not what runs: what is live may be a mixture with it."""
        newest = self.entries[0] if self.entries else None
        return newest if newest is not None and not newest.running else None


@dataclass(frozen=True)
class Deployed:
    """One deployment over all regions: its newest entry, and its revision in each region that it reached."""

    entry: HistoryEntry
    regions: Mapping[str, HistoryEntry]
