"""Judges Deployments, ReplicaSets, and pods on their own.

Only pods of the newest revision decide: those that are being replaced may be in any state.
"""

from __future__ import annotations

from collections.abc import Sequence

from deployer.model import Json, ObjectKey, PodState, WorkloadState
from deployer.plan.readiness.controllers import desired_of, is_current, judged, on_its_way, refused_pods
from deployer.plan.readiness.evidence import Judge, Observed, Trouble, conclude, condition, count, owned_by, uid
from deployer.plan.readiness.pods import failure, judge_pod

STATUS_PATIENCE = 5.0
"""Seconds for a controller to take back what its status still says of the rollout before."""


def deployment(key: ObjectKey, live: Json, observed: Observed, judge: Judge) -> WorkloadState:
    """Done when every pod is of the newest ReplicaSet and available, and no older one is left."""
    desired = desired_of(live)
    current = is_current(live)
    updated, total = count(live, "updatedReplicas"), count(live, "replicas")
    complete = current and updated >= desired and total <= updated and count(live, "availableReplicas") >= desired
    newest = newest_replica_set(live, observed.owned) if current else None
    pods = judged(observed, judge, [pod for pod in observed.pods if newest and owned_by(pod, uid(newest))])
    troubles: list[Trouble] = []
    if current and not complete:
        troubles += refused_pods(live, judge)
        troubles += _stuck(live, pods, judge)
    return conclude(
        key,
        (desired, updated if current else 0, _ready(pods, live, updated)),
        pods,
        complete=complete,
        troubles=troubles,
        otherwise="old pods are ending" if current and updated >= desired and total > updated else on_its_way(current),
    )


def newest_replica_set(live: Json, owned: Sequence[Json]) -> Json | None:
    """The ReplicaSet that a Deployment is rolling out: the one with its pod template, else with its revision."""
    sets = [one for one in owned if owned_by(one, uid(live))]
    wanted = (live.get("spec") or {}).get("template")
    same = [one for one in sets if _without_hash((one.get("spec") or {}).get("template")) == wanted]
    return max(same or sets, key=_revision, default=None)


def replica_set(key: ObjectKey, live: Json, observed: Observed, judge: Judge) -> WorkloadState:
    """Done when all its pods are available. A ReplicaSet or ReplicationController does not replace pods."""
    desired, current = desired_of(live), is_current(live)
    available = count(live, "availableReplicas")
    complete = current and count(live, "replicas") == desired and available >= desired
    return conclude(
        key,
        (desired, count(live, "replicas"), min(available, desired)),
        judged(observed, judge, [pod for pod in observed.pods if owned_by(pod, uid(live))]),
        complete=complete,
        troubles=[] if complete else refused_pods(live, judge),
        otherwise=on_its_way(current),
    )


def bare_pod(key: ObjectKey, live: Json, observed: Observed, judge: Judge) -> WorkloadState:
    """Done when it is ready, or has ended well."""
    phase = (live.get("status") or {}).get("phase")
    if phase == "Succeeded":
        return WorkloadState(key, 1, 1, 1, "ready", "has ended well")
    if phase == "Failed":
        return WorkloadState(key, 1, 1, 0, "failed", failure(live))
    pod = judge_pod(live, judge, observed.events.get(uid(live), ()))
    return conclude(key, (1, 1, int(pod.ready)), (pod,), complete=pod.ready)


def _ready(pods: Sequence[PodState], live: Json, updated: int) -> int:
    return sum(pod.ready for pod in pods) if pods else min(count(live, "readyReplicas"), updated)


def _revision(replica_set: Json) -> int:
    annotations = replica_set["metadata"].get("annotations") or {}
    revision = str(annotations.get("deployment.kubernetes.io/revision", ""))
    return int(revision) if revision.isdecimal() else 0


def _without_hash(template: Json | None) -> Json | None:
    if template is None:
        return None
    metadata = template.get("metadata") or {}
    labels = {key: value for key, value in (metadata.get("labels") or {}).items() if key != "pod-template-hash"}
    return {**template, "metadata": {**metadata, "labels": labels}}


def _stuck(live: Json, pods: Sequence[PodState], judge: Judge) -> list[Trouble]:
    """What a Deployment says of its own rollout. Pods that wait for a node have their own, longer time."""
    spec = live.get("spec") or {}
    if spec.get("paused"):
        return [("failed", "is paused (spec.paused), so that Kubernetes does not roll it out")]
    progressing = condition(live, "Progressing") or {}
    if progressing.get("reason") != "ProgressDeadlineExceeded" or any(pod.verdict == "waiting" for pod in pods):
        return []
    if judge.age(uid(live), "deadline", str(live["metadata"].get("generation"))) < STATUS_PATIENCE:
        return []
    because = next((f": {pod.reason}" for pod in pods if pod.reason), "")
    return [("failed", f"made no progress for {spec.get('progressDeadlineSeconds', 600)} s{because}")]
