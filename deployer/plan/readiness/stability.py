"""Judges whether containers that no probe asks go on running: without one they count as ready as soon as they start."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime

from deployer.model import Json
from deployer.plan.readiness.containers import ended
from deployer.plan.readiness.controllers import KEEP_RUNNING
from deployer.plan.readiness.evidence import Judge, uid
from deployer.plan.readiness.pods import live_pods

_LONG = 60.0
"""Seconds by the container's own start time after which it is none that was just started, however clocks differ."""


def unprobed(kind: str, live: Json) -> frozenset[str]:
    """The names of an object's containers of which only time tells that they work.

    None where `minReadySeconds` makes Kubernetes itself wait before it calls a pod available.
    """
    spec = live.get("spec") or {}
    if kind not in KEEP_RUNNING or spec.get("minReadySeconds"):
        return frozenset()
    pods = spec if kind == "Pod" else (spec.get("template") or {}).get("spec") or {}
    containers = pods.get("containers") or ()
    return frozenset(str(one.get("name")) for one in containers if not one.get("readinessProbe"))


def unstable(names: frozenset[str], pods: Sequence[Json], judge: Judge, today: datetime) -> str:
    """Why these containers cannot be trusted yet, in one sentence; empty when all have run for long enough.

    `today` is the time of day, to which their start times are compared. Ask again and again with the same sightings:
    a container counts from when it was first seen, and anew after each restart.
    """
    # All are looked at, also after the first trouble: each counts from now on.
    troubles = [trouble for pod in live_pods(pods) for trouble in _troubles(names, pod, judge, today)]
    return troubles[0] if troubles else ""


def _troubles(names: frozenset[str], pod: Json, judge: Judge, today: datetime) -> Iterator[str]:
    for status in (pod.get("status") or {}).get("containerStatuses") or ():
        name, state = str(status.get("name")), status.get("state") or {}
        if name not in names:
            continue
        if "running" not in state:
            terminated = state.get("terminated") or (status.get("lastState") or {}).get("terminated")
            yield f"container {name} {ended(terminated)}" if terminated else f"container {name} does not run"
            continue
        seen = judge.age(uid(pod), name, str(status.get("restartCount") or 0), "runs")
        if seen < judge.policy.stable and _seconds_since(state["running"].get("startedAt"), today) < _LONG:
            seconds = f"{judge.policy.stable:g} s"
            yield f"container {name} has no readiness probe, and counts as ready once it has run for {seconds}"


def _seconds_since(moment: object, today: datetime) -> float:
    """Seconds since a time as Kubernetes writes it (RFC 3339, UTC); 0 when there is none."""
    try:
        return (today - datetime.fromisoformat(str(moment))).total_seconds()
    except (ValueError, TypeError):
        return 0.0
