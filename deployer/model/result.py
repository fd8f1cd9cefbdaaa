"""What became of a deployment."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from deployer.errors import DeployError
from deployer.model.basics import Target
from deployer.model.changes import Preview
from deployer.model.drain import Absence
from deployer.model.image import Image
from deployer.model.recovery import PartialFleet
from deployer.model.rollout import Evidence, WorkloadState

Outcome = Literal[
    "unchanged",
    "planned",
    "deployed",
    "restored",
    "repaired",
    "drained",
    "in traffic",
    "removed",
    "rolled back",
    "uninstalled",
    "failed",
    "not started",
    "interrupted",
]
"""`rolled back` and `uninstalled` are failures whose traces were removed; `failed` is one that still stands.

`drained` and `in traffic` are what `dns drain` and `dns restore` did.
`restored` is a rollback that was asked for, `repaired` what `recover` did, `removed` what `remove` did.
"""


SUCCESSES: frozenset[Outcome] = frozenset(
    {"unchanged", "planned", "deployed", "restored", "repaired", "removed", "drained", "in traffic"}
)
"""The outcomes that are what was asked for."""


@dataclass(frozen=True)
class PhaseTiming:
    """How long a phase of a target took, in seconds."""

    phase: str
    seconds: float


@dataclass(frozen=True)
class TargetResult:
    """What became of one target. `url` is asked from outside, `through` a `host:port` where the settings fix one.

    `repairs` tell what an interrupted run had left, and what was done with it. `absence` is how long DNS did not lead
    there. `expires` is until when a branch is kept (UTC, ISO 8601). `preview` is what the plan was to change, where
    that was asked for.
    """

    target: Target
    outcome: Outcome
    version: str | None = None
    image: Image | None = None
    revision: int | None = None
    url: str | None = None
    through: str | None = None
    expires: str | None = None
    reasons: tuple[str, ...] = ()
    changes: tuple[str, ...] = ()
    preview: Preview | None = None
    workloads: tuple[WorkloadState, ...] = ()
    phases: tuple[PhaseTiming, ...] = ()
    warnings: tuple[str, ...] = ()
    repairs: tuple[str, ...] = ()
    absence: Absence | None = None
    error: DeployError | None = None
    evidence: Evidence | None = None


@dataclass(frozen=True)
class DeploymentResult:
    """What became of one command: every target's result, whatever happened to the others.

    `action` is the command: `deploy`, `rollback`, …; `origin` the stage that a promotion comes from. `partial` are
    deployments that were found to have reached some of their regions only; `stopped_by` is the signal that cut it
    short.
    """

    deployment_id: str
    stage: str
    who: str
    git_commit: str | None
    seconds: float
    targets: tuple[TargetResult, ...] = ()
    phases: tuple[PhaseTiming, ...] = ()
    action: str = "deploy"
    origin: str | None = None
    partial: tuple[PartialFleet, ...] = ()
    stopped_by: str | None = None

    @property
    def failed(self) -> bool:
        """Whether any target did not end as asked."""
        return any(target.outcome not in SUCCESSES or target.error is not None for target in self.targets)
