"""Judges StatefulSets and DaemonSets, which mark their pods with a revision.

Only pods of the newest revision decide: those that are being replaced may be in any state.
"""

from __future__ import annotations

from deployer.model import Json, ObjectKey, PodState, WorkloadState
from deployer.plan.readiness.controllers import (
    REVISION_HASH,
    desired_of,
    is_current,
    judged,
    label_of,
    not_created,
    on_its_way,
)
from deployer.plan.readiness.evidence import Judge, Observed, Trouble, conclude, count, owned_by, uid


def stateful_set(key: ObjectKey, live: Json, observed: Observed, judge: Judge) -> WorkloadState:
    """Done when every pod, or every one above `partition`, is of the newest revision, and all are available."""
    desired, current = desired_of(live), is_current(live)
    strategy = (live.get("spec") or {}).get("updateStrategy") or {}
    on_delete = strategy.get("type") == "OnDelete"
    partition = int((strategy.get("rollingUpdate") or {}).get("partition") or 0)
    status = live.get("status") or {}
    same = status.get("currentRevision") == status.get("updateRevision")
    updated = count(live, "replicas") if same else count(live, "updatedReplicas")
    ready = count(live, "availableReplicas" if "availableReplicas" in status else "readyReplicas")
    to_update = 0 if on_delete else max(desired - partition, 0)
    complete = current and count(live, "replicas") == desired and updated >= to_update and ready >= desired
    newest = (
        [pod for pod in observed.pods if label_of(pod, REVISION_HASH) == status.get("updateRevision")]
        if current
        else []
    )
    pods = judged(observed, judge, newest)
    notes = [
        "pods change only when they are deleted (updateStrategy OnDelete)" if on_delete and not same else "",
        f"pods below number {partition} stay as they are (partition)" if partition else "",
    ]
    return conclude(
        key,
        (desired, updated if current else 0, min(ready, desired)),
        pods,
        complete=complete,
        troubles=[] if complete else [*_held_up(live, observed, judge), *not_created(live, observed, judge, desired)],
        otherwise=on_its_way(current),
        note="; ".join(note for note in notes if note),
    )


def blocking_pods(live: Json, observed: Observed, judge: Judge) -> tuple[PodState, ...]:
    """Broken pods of an earlier revision that hold up a StatefulSet's update.

    Unless it manages its pods in parallel, Kubernetes waits for each to become ready before it replaces it, for ever if
    need be (kubernetes/kubernetes#67250): such a pod has to be deleted.
    """
    spec = live.get("spec") or {}
    strategy = spec.get("updateStrategy") or {}
    if not is_current(live) or strategy.get("type") == "OnDelete" or spec.get("podManagementPolicy") == "Parallel":
        return ()
    partition = int((strategy.get("rollingUpdate") or {}).get("partition") or 0)
    newest = (live.get("status") or {}).get("updateRevision")
    older = [pod for pod in observed.pods if label_of(pod, REVISION_HASH) != newest and _ordinal(pod) >= partition]
    return tuple(pod for pod in judged(observed, judge, older) if pod.verdict == "failed")


def _held_up(live: Json, observed: Observed, judge: Judge) -> list[Trouble]:
    return [
        ("failed", f"pod {pod.name} of an earlier revision is broken and holds the update up until it is deleted")
        for pod in blocking_pods(live, observed, judge)
    ]


def _ordinal(pod: Json) -> int:
    number = str(pod["metadata"]["name"]).rpartition("-")[2]
    return int(number) if number.isdecimal() else 0


def daemon_set(key: ObjectKey, live: Json, observed: Observed, judge: Judge) -> WorkloadState:
    """Done when every node that should has an available pod of the newest revision."""
    desired, current = count(live, "desiredNumberScheduled"), is_current(live)
    on_delete = ((live.get("spec") or {}).get("updateStrategy") or {}).get("type") == "OnDelete"
    updated, available = count(live, "updatedNumberScheduled"), count(live, "numberAvailable")
    complete = current and (on_delete or updated >= desired) and available >= desired
    revisions = [one for one in observed.owned if owned_by(one, uid(live))]
    newest = max(revisions, key=lambda one: int(one.get("revision") or 0), default=None)
    pods = [
        pod
        for pod in observed.pods
        if newest and current and label_of(pod, REVISION_HASH) == label_of(newest, REVISION_HASH)
    ]
    stale = on_delete and updated < desired
    return conclude(
        key,
        (desired, updated if current else 0, min(available, desired)),
        judged(observed, judge, pods),
        complete=complete,
        troubles=[] if complete else not_created(live, observed, judge, desired),
        otherwise=on_its_way(current),
        note="pods change only when they are deleted (updateStrategy OnDelete)" if stale else "",
    )
