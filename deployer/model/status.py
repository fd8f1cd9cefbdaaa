"""How a stage stands: every app in every region, as the clusters show it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from deployer.errors import DeployError
from deployer.model.basics import Target
from deployer.model.lock import LockState
from deployer.model.release import Revision
from deployer.model.rollout import WorkloadState
from deployer.model.traffic import TrafficStatus

Standing = Literal[
    "deployed",
    "restored",
    "promoted",
    "adopted",
    "rolled back",
    "unverified",
    "failed",
    "interrupted",
    "in progress",
    "not ours",
    "missing",
    "unknown",
]
"""What became of the newest revision. The first five were verified; `in progress` while somebody holds the lock.

`restored` is a rollback that was asked for, `rolled back` one after a failed deployment. `unverified`: nobody has seen
it run well. `interrupted`: it was stopped halfway. `not ours`: made by another tool. `missing`: there is no release.
`unknown`: the region could not be read.
"""

BROKEN: frozenset[Standing] = frozenset({"failed", "unverified", "interrupted"})
"""The standings of a revision that should have been verified and was not."""


Health = Literal["well", "busy", "skewed", "broken", "absent", "unknown"]
"""What a reader wants to see first. `broken` goes before `skewed`: not verified, or pods that are not ready."""


@dataclass(frozen=True)
class ReleaseHead:
    """A release's newest revision, and the newest that was verified: the same one if it was, None if none was.

    `takes_back`: the newest was made by a deployment that failed, to bring back what was there before.
    """

    newest: Revision
    good: Revision | None
    takes_back: bool = False


@dataclass(frozen=True)
class Difference:
    """What sets one region apart from the others: `here` is what it has, `elsewhere` what most others have.

    `what` is a word: `version`, `tag`, `digest`, `objects`, or `state` (missing, failed, unverified, interrupted).
    """

    what: str
    here: str
    elsewhere: str | None = None

    def __str__(self) -> str:
        here = self.here if self.what in ("state", "objects") else f"{self.what} {self.here}"
        return f"{here} (elsewhere {self.elsewhere})" if self.elsewhere else here


@dataclass(frozen=True)
class ReleaseStatus:
    """One app in one region. Counts are pods; `good` is the number of the newest verified revision.

    `name` and `namespace` are the Helm release's, None where the configuration does not tell them. `updated` is when
    the newest revision was made. `objects` names what the revision consists of (`Deployment/myapp`). `traffic` is told
    where DNS is managed.
    """

    target: Target
    standing: Standing
    name: str | None = None
    namespace: str | None = None
    revision: int | None = None
    good: int | None = None
    version: str | None = None
    tag: str | None = None
    digest: str | None = None
    git_commit: str | None = None
    deployment_id: str | None = None
    who: str | None = None
    updated: datetime | None = None
    objects: frozenset[str] = frozenset()
    workloads: tuple[WorkloadState, ...] = ()
    lock: LockState | None = None
    traffic: TrafficStatus | None = None
    differences: tuple[Difference, ...] = ()
    error: DeployError | None = None

    @property
    def locked(self) -> bool:
        """Whether somebody holds its lock, alive as far as can be seen."""
        return self.lock is not None and not self.lock.expired

    @property
    def unready(self) -> tuple[WorkloadState, ...]:
        """The workloads whose pods are not as they should be."""
        return tuple(state for state in self.workloads if state.verdict != "ready")

    @property
    def health(self) -> Health:
        """All of it in one word."""
        if self.standing == "unknown":
            return "unknown"
        if self.locked:
            return "busy"
        if self.standing == "missing":
            return "skewed" if self.differences else "absent"
        if self.standing in BROKEN or self.unready:
            return "broken"
        return "skewed" if self.differences else "well"


@dataclass(frozen=True)
class Stranger:
    """A release that this tool has made in a region, of an app that is no longer in `apps/`."""

    region: str
    name: str
    application: str


@dataclass(frozen=True)
class StageStatus:
    """A stage at one moment (`taken`, UTC): one row for each app in each of its regions, sorted by app.

    `errors` are all that was wrong: regions out of reach, files that cannot be read. The rows tell of them as well,
    as far as there are any.
    """

    stage: str
    taken: datetime
    seconds: float
    rows: tuple[ReleaseStatus, ...]
    strangers: tuple[Stranger, ...] = ()
    errors: tuple[DeployError, ...] = ()

    @property
    def skewed(self) -> bool:
        """Whether any app differs between its regions."""
        return any(row.differences for row in self.rows)

    @property
    def regions(self) -> tuple[str, ...]:
        """The regions that have a row, in the order of their first."""
        return tuple(dict.fromkeys(row.target.region for row in self.rows))
