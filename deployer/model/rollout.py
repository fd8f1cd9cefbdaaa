"""How far a rollout is, and the evidence of one that failed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from deployer.model.release import ObjectKey

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
