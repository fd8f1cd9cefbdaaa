"""What the kinds that keep pods running have in common: how their status is read, and why pods cannot be made."""

from __future__ import annotations

from collections.abc import Sequence

from deployer.model import Json, PodState
from deployer.plan.readiness.evidence import Judge, Observed, Trouble, clip, condition, count, uid
from deployer.plan.readiness.pods import judge_pods, live_pods

KEEP_RUNNING = frozenset({"DaemonSet", "Deployment", "Pod", "ReplicaSet", "ReplicationController", "StatefulSet"})
"""The kinds whose pods are to run on and on."""

REVISION_HASH = "controller-revision-hash"
"""The label by which pods of StatefulSets and DaemonSets tell their revision."""

REFUSAL_PATIENCE = 15.0
"""Seconds for pods that an admission rule refuses: the object that it asks for may be on its way."""

_REFUSED = ("violates PodSecurity", "error looking up service account", "denied the request", "is invalid")


def desired_of(live: Json) -> int:
    """The number of pods that the spec asks for."""
    replicas = (live.get("spec") or {}).get("replicas")
    return replicas if isinstance(replicas, int) else 1


def is_current(live: Json) -> bool:
    """Whether the controller has seen the newest spec; until then its status is about the one before."""
    return count(live, "observedGeneration") >= int(live["metadata"].get("generation") or 0)


def judged(observed: Observed, judge: Judge, pods: Sequence[Json]) -> tuple[PodState, ...]:
    """The states of those of these pods that count."""
    return judge_pods(live_pods(pods), judge, observed.events)


def on_its_way(current: bool) -> str:
    """The reason while nothing else is known."""
    return "pods are being made and become ready" if current else "the controller has not seen the change yet"


def label_of(content: Json, name: str) -> str | None:
    """The value of a label; None when it is missing."""
    labels = content["metadata"].get("labels") or {}
    value = labels.get(name)
    return str(value) if value is not None else None


def refused_pods(live: Json, judge: Judge) -> list[Trouble]:
    """Pods that the API server does not let the controller make, as its ReplicaFailure condition says."""
    refusal = condition(live, "ReplicaFailure") or {}
    if refusal.get("status") != "True":
        return []
    return [refused(uid(live), str(refusal.get("message") or ""), judge)]


def not_created(live: Json, observed: Observed, judge: Judge, desired: int) -> list[Trouble]:
    """The same for controllers that tell of it only in events."""
    if len(live_pods(observed.pods)) >= desired:
        return []
    events = [event for event in observed.events.get(uid(live), ()) if event.get("reason") == "FailedCreate"]
    return [refused(uid(live), str(events[-1].get("message") or ""), judge)] if events else []


def refused(owner_uid: str, message: str, judge: Judge) -> Trouble:
    """A refusal to make a pod: a quota may be freed by the old pods, a rule of admission stays."""
    stays = any(words in message for words in _REFUSED)
    patience = REFUSAL_PATIENCE if stays else judge.policy.unschedulable_grace
    said = f"pods cannot be made: {clip(message)}"
    return ("failed" if judge.age(owner_uid, "refused") >= patience else "waiting"), said
