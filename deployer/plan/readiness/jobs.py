"""Judges what runs to its end: Jobs, and CronJobs, which only have to be there."""

from __future__ import annotations

from deployer.model import Json, ObjectKey, PodState, WorkloadState
from deployer.plan.readiness.controllers import refused
from deployer.plan.readiness.evidence import Judge, Observed, clip, conclude, condition, count, uid
from deployer.plan.readiness.pods import failure, judge_pods, live_pods, pod_word, restarts


def job(key: ObjectKey, live: Json, observed: Observed, judge: Judge) -> WorkloadState:
    """Done when it is complete. How often its pods may fail is the Job's own business (`backoffLimit`)."""
    spec = live.get("spec") or {}
    desired = spec.get("completions") or 1
    succeeded = count(live, "succeeded")
    counts = (desired, min(desired, succeeded + count(live, "active")), min(desired, succeeded))
    pods = judge_pods(live_pods(observed.pods), judge, observed.events, counts_crashes=False)
    if _holds(live, "Complete") or _holds(live, "SuccessCriteriaMet"):
        return conclude(key, (desired, desired, desired), pods, complete=True)
    for name in ("Failed", "FailureTarget"):
        if _holds(live, name):
            ended = tuple(
                PodState(*_named(pod), False, restarts(pod), "failed", failure(pod)) for pod in _failed(observed)
            )
            return WorkloadState(key, *counts, "failed", _why_failed(live, name, observed), (*ended, *pods))
    if spec.get("suspend"):
        return conclude(key, counts, pods, complete=True, note="is suspended and was not started")
    failed = count(live, "failed")
    events = [event for event in observed.events.get(uid(live), ()) if event.get("reason") == "FailedCreate"]
    missing = not observed.pods and not count(live, "active")
    return conclude(
        key,
        counts,
        pods,
        complete=False,
        troubles=[refused(uid(live), str(events[-1].get("message") or ""), judge)] if events and missing else [],
        otherwise=f"runs ({failed} of its pods failed so far{_last_failure(observed)})" if failed else "runs",
    )


def cron_job(key: ObjectKey, live: Json, observed: Observed, judge: Judge) -> WorkloadState:
    """Done when it is there: it runs when its time comes."""
    suspended = (live.get("spec") or {}).get("suspend")
    return WorkloadState(key, 1, 1, 1, "ready", "is suspended" if suspended else "")


def _holds(live: Json, name: str) -> bool:
    return (condition(live, name) or {}).get("status") == "True"


def _why_failed(live: Json, name: str, observed: Observed) -> str:
    found = condition(live, name) or {}
    said = clip(str(found.get("message") or found.get("reason") or "the Job failed"))
    return said + _last_failure(observed)


def _last_failure(observed: Observed) -> str:
    failed = _failed(observed)
    return f": {failure(failed[0])}" if failed else ""


def _failed(observed: Observed) -> list[Json]:
    """The pods that have failed, the newest first."""
    failed = [pod for pod in observed.pods if (pod.get("status") or {}).get("phase") == "Failed"]
    return sorted(failed, key=lambda pod: str(pod["metadata"].get("creationTimestamp") or ""), reverse=True)


def _named(pod: Json) -> tuple[str, str]:
    return pod["metadata"]["name"], pod_word(pod)
