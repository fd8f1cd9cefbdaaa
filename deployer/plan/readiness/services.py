"""Judges what others have to provide: the address of a load balancer, a volume for a claim."""

from __future__ import annotations

from collections.abc import Sequence

from deployer.model import Json, ObjectKey, WorkloadState
from deployer.plan.readiness.evidence import Judge, Observed, clip, uid


def service(key: ObjectKey, live: Json, observed: Observed, judge: Judge) -> WorkloadState:
    """Done when it exists; of type LoadBalancer, when it has an address."""
    if (live.get("spec") or {}).get("type") != "LoadBalancer" or has_address(live):
        return WorkloadState(key, 1, 1, 1, "ready")
    return WorkloadState(key, 1, 1, 0, "progressing", f"has no load balancer yet{_last_warning(live, observed)}")


def ingress(key: ObjectKey, live: Json, observed: Observed, judge: Judge) -> WorkloadState:
    """Done when an ingress controller has written the address of its load balancer into it."""
    if has_address(live):
        return WorkloadState(key, 1, 1, 1, "ready")
    name = (live.get("spec") or {}).get("ingressClassName")
    which = f"no ingress controller of class {name}" if name else "no ingress controller"
    return WorkloadState(
        key, 1, 1, 0, "progressing", f"{which} has given it an address yet{_last_warning(live, observed)}"
    )


def claim(key: ObjectKey, live: Json, observed: Observed, judge: Judge) -> WorkloadState:
    """Done when it is bound, or will be as soon as a pod uses it."""
    phase = (live.get("status") or {}).get("phase")
    if phase == "Bound":
        return WorkloadState(key, 1, 1, 1, "ready")
    if phase == "Lost":
        return WorkloadState(key, 1, 1, 0, "failed", "has lost its volume")
    events = _events(live, observed)
    if events and events[-1].get("reason") == "WaitForFirstConsumer":
        return WorkloadState(key, 1, 1, 1, "ready", "is bound when a pod first uses it")
    said = f"has no volume yet{_last_warning(live, observed)}"
    if not any(event.get("reason") in ("FailedBinding", "ProvisioningFailed") for event in events):
        return WorkloadState(key, 1, 1, 0, "progressing", said)
    late = judge.age(uid(live), "unbound") >= judge.policy.unschedulable_grace
    return WorkloadState(key, 1, 1, 0, "failed" if late else "waiting", said)


def has_address(live: Json) -> bool:
    """Whether the status of a Service or an Ingress names a load balancer."""
    entries = ((live.get("status") or {}).get("loadBalancer") or {}).get("ingress") or ()
    return any(entry.get("hostname") or entry.get("ip") for entry in entries)


def _events(live: Json, observed: Observed) -> Sequence[Json]:
    return observed.events.get(uid(live), ())


def _last_warning(live: Json, observed: Observed) -> str:
    warnings = [
        event
        for event in _events(live, observed)
        if event.get("type") == "Warning" or event.get("reason") == "FailedBinding"
    ]
    return f": {clip(str(warnings[-1].get('message') or ''))}" if warnings else ""
