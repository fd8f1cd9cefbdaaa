"""Judges what keeps pods running: Deployments, StatefulSets, DaemonSets, ReplicaSets, and pods on their own.

Only pods of the newest revision decide: those that are being replaced may be in any state.
"""

from __future__ import annotations

from collections.abc import Sequence

from deployer.model import Json, ObjectKey, PodState, WorkloadState
from deployer.plan.readiness.evidence import Judge, Observed, Trouble, clip, conclude, condition, count, owned_by, uid
from deployer.plan.readiness.pods import failure, judge_pod, judge_pods, live_pods

STATUS_PATIENCE = 5.0
"""Seconds for a controller to take back what its status still says of the rollout before."""

REFUSAL_PATIENCE = 15.0
"""Seconds for pods that an admission rule refuses: the object that it asks for may be on its way."""

_REFUSED = ("violates PodSecurity", "error looking up service account", "denied the request", "is invalid")
_HASH = "controller-revision-hash"


def deployment(key: ObjectKey, live: Json, observed: Observed, judge: Judge) -> WorkloadState:
    """Done when every pod is of the newest ReplicaSet and available, and no older one is left."""
    desired = _desired(live)
    current = _is_current(live)
    updated, total = count(live, "updatedReplicas"), count(live, "replicas")
    complete = current and updated >= desired and total <= updated and count(live, "availableReplicas") >= desired
    newest = newest_replica_set(live, observed.owned) if current else None
    pods = _judged(observed, judge, [pod for pod in observed.pods if newest and owned_by(pod, uid(newest))])
    troubles: list[Trouble] = []
    if current and not complete:
        troubles += _refused(live, judge)
        troubles += _stuck(live, pods, judge)
    return conclude(
        key,
        (desired, updated if current else 0, _ready(pods, live, updated)),
        pods,
        complete=complete,
        troubles=troubles,
        otherwise="old pods are ending" if current and updated >= desired and total > updated else _on_its_way(current),
    )


def newest_replica_set(live: Json, owned: Sequence[Json]) -> Json | None:
    """The ReplicaSet that a Deployment is rolling out: the one with its pod template, else with its revision."""
    sets = [one for one in owned if owned_by(one, uid(live))]
    wanted = (live.get("spec") or {}).get("template")
    same = [one for one in sets if _without_hash((one.get("spec") or {}).get("template")) == wanted]
    return max(same or sets, key=_revision, default=None)


def stateful_set(key: ObjectKey, live: Json, observed: Observed, judge: Judge) -> WorkloadState:
    """Done when every pod, or every one above `partition`, is of the newest revision, and all are available."""
    desired, current = _desired(live), _is_current(live)
    strategy = (live.get("spec") or {}).get("updateStrategy") or {}
    on_delete = strategy.get("type") == "OnDelete"
    partition = int((strategy.get("rollingUpdate") or {}).get("partition") or 0)
    status = live.get("status") or {}
    same = status.get("currentRevision") == status.get("updateRevision")
    updated = count(live, "replicas") if same else count(live, "updatedReplicas")
    ready = count(live, "availableReplicas" if "availableReplicas" in status else "readyReplicas")
    to_update = 0 if on_delete else max(desired - partition, 0)
    complete = current and count(live, "replicas") == desired and updated >= to_update and ready >= desired
    newest = [pod for pod in observed.pods if _label(pod, _HASH) == status.get("updateRevision")] if current else []
    pods = _judged(observed, judge, newest)
    notes = [
        "pods change only when they are deleted (updateStrategy OnDelete)" if on_delete and not same else "",
        f"pods below number {partition} stay as they are (partition)" if partition else "",
    ]
    return conclude(
        key,
        (desired, updated if current else 0, min(ready, desired)),
        pods,
        complete=complete,
        troubles=[] if complete else _not_created(live, observed, judge, desired),
        otherwise=_on_its_way(current),
        note="; ".join(note for note in notes if note),
    )


def daemon_set(key: ObjectKey, live: Json, observed: Observed, judge: Judge) -> WorkloadState:
    """Done when every node that should has an available pod of the newest revision."""
    desired, current = count(live, "desiredNumberScheduled"), _is_current(live)
    on_delete = ((live.get("spec") or {}).get("updateStrategy") or {}).get("type") == "OnDelete"
    updated, available = count(live, "updatedNumberScheduled"), count(live, "numberAvailable")
    complete = current and (on_delete or updated >= desired) and available >= desired
    revisions = [one for one in observed.owned if owned_by(one, uid(live))]
    newest = max(revisions, key=lambda one: int(one.get("revision") or 0), default=None)
    pods = [pod for pod in observed.pods if newest and current and _label(pod, _HASH) == _label(newest, _HASH)]
    stale = on_delete and updated < desired
    return conclude(
        key,
        (desired, updated if current else 0, min(available, desired)),
        _judged(observed, judge, pods),
        complete=complete,
        troubles=[] if complete else _not_created(live, observed, judge, desired),
        otherwise=_on_its_way(current),
        note="pods change only when they are deleted (updateStrategy OnDelete)" if stale else "",
    )


def replica_set(key: ObjectKey, live: Json, observed: Observed, judge: Judge) -> WorkloadState:
    """Done when all its pods are available. A ReplicaSet or ReplicationController does not replace pods."""
    desired, current = _desired(live), _is_current(live)
    available = count(live, "availableReplicas")
    complete = current and count(live, "replicas") == desired and available >= desired
    return conclude(
        key,
        (desired, count(live, "replicas"), min(available, desired)),
        _judged(observed, judge, [pod for pod in observed.pods if owned_by(pod, uid(live))]),
        complete=complete,
        troubles=[] if complete else _refused(live, judge),
        otherwise=_on_its_way(current),
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


def _desired(live: Json) -> int:
    replicas = (live.get("spec") or {}).get("replicas")
    return replicas if isinstance(replicas, int) else 1


def _is_current(live: Json) -> bool:
    """Whether the controller has seen the newest spec; until then its status is about the one before."""
    return count(live, "observedGeneration") >= int(live["metadata"].get("generation") or 0)


def _judged(observed: Observed, judge: Judge, pods: Sequence[Json]) -> tuple[PodState, ...]:
    return judge_pods(live_pods(pods), judge, observed.events)


def _ready(pods: Sequence[PodState], live: Json, updated: int) -> int:
    return sum(pod.ready for pod in pods) if pods else min(count(live, "readyReplicas"), updated)


def _on_its_way(current: bool) -> str:
    return "pods are being made and become ready" if current else "the controller has not seen the change yet"


def _label(content: Json, name: str) -> str | None:
    labels = content["metadata"].get("labels") or {}
    value = labels.get(name)
    return str(value) if value is not None else None


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


def _refused(live: Json, judge: Judge) -> list[Trouble]:
    """Pods that the API server does not let the controller make, as its ReplicaFailure condition says."""
    refusal = condition(live, "ReplicaFailure") or {}
    if refusal.get("status") != "True":
        return []
    return [refused(uid(live), str(refusal.get("message") or ""), judge)]


def _not_created(live: Json, observed: Observed, judge: Judge, desired: int) -> list[Trouble]:
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
