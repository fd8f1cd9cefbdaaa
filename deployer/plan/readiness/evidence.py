"""What judging one object rests on: what the cluster shows, how long it has shown it, and what is tolerated."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from deployer.model import Json, ObjectKey, PodState, RolloutSettings, Verdict, WorkloadState


@dataclass(frozen=True)
class Observed:
    """One object as the cluster shows it.

    `pods` are those that its selector chooses; `owned` are a Deployment's ReplicaSets or a DaemonSet's
    ControllerRevisions; `events` are by the uid of their object, oldest first. All three may be empty where they were
    not asked for: the object's own status then decides alone.
    """

    live: Json | None
    pods: Sequence[Json] = ()
    owned: Sequence[Json] = ()
    events: Mapping[str, Sequence[Json]] = field(default_factory=dict)


class Sightings:
    """Remembers since when something has been seen, so that what may pass by itself gets its time."""

    def __init__(self) -> None:
        self._first: dict[tuple[str, ...], float] = {}

    def age(self, now: float, *what: str) -> float:
        """Seconds since this was first asked for: 0 the first time."""
        return now - self._first.setdefault(what, now)


@dataclass(frozen=True)
class Judge:
    """The policy and the time by which objects are judged. `now` is in seconds, of any clock that only goes forward."""

    policy: RolloutSettings
    now: float
    sightings: Sightings

    def age(self, *what: str) -> float:
        """Seconds since this was first seen."""
        return self.sightings.age(self.now, *what)


Trouble = tuple[Verdict, str]
"""A verdict and its reason in one sentence."""

_SEVERITY: Mapping[Verdict, int] = {"failed": 3, "waiting": 2, "progressing": 1, "ready": 0}


def worst(troubles: Sequence[Trouble]) -> Trouble | None:
    """The most severe, the first of several that are; one with a reason goes before one without."""
    return max(troubles, key=lambda trouble: (_SEVERITY[trouble[0]], bool(trouble[1])), default=None)


def conclude(
    key: ObjectKey,
    counts: tuple[int, int, int],
    pods: Sequence[PodState],
    *,
    complete: bool,
    troubles: Sequence[Trouble] = (),
    otherwise: str = "",
    note: str = "",
) -> WorkloadState:
    """The state of a workload with `counts` of desired, updated and ready pods.

    When it is complete nothing else matters. Otherwise the worst of its own and its pods' troubles is its verdict, and
    `otherwise` is the reason where nobody has one.
    """
    if complete:
        return WorkloadState(key, *counts, "ready", note, tuple(pods))
    found = worst([*troubles, *((pod.verdict, pod.reason) for pod in pods if pod.verdict != "ready")])
    verdict, reason = found or ("progressing", otherwise)
    return WorkloadState(key, *counts, verdict, reason or otherwise, tuple(pods))


def uid(content: Json) -> str:
    """The object's uid, empty when it has none."""
    return str((content.get("metadata") or {}).get("uid") or "")


def condition(content: Json, kind: str) -> Json | None:
    """The status condition of this type; None when there is none."""
    conditions = (content.get("status") or {}).get("conditions") or ()
    return next((item for item in conditions if item.get("type") == kind), None)


def count(content: Json, field_name: str) -> int:
    """A number in the object's status, 0 when absent."""
    value: Any = (content.get("status") or {}).get(field_name)
    return int(value) if isinstance(value, int) else 0


def owned_by(content: Json, owner_uid: str) -> bool:
    """Whether the object's controller is the one with this uid."""
    references = (content.get("metadata") or {}).get("ownerReferences") or ()
    return any(reference.get("uid") == owner_uid and reference.get("controller") for reference in references)


def clip(text: str, length: int = 240) -> str:
    """One line of at most so many characters."""
    line = " ".join(text.split())
    return line if len(line) <= length else line[: length - 1] + "…"
