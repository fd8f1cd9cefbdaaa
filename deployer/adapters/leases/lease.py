"""The Lease that is a lock: how it is written and read. Its times are the API server's, never this machine's.

Lease: https://kubernetes.io/docs/reference/kubernetes-api/cluster-resources/lease-v1/
"""

from __future__ import annotations

import json
import math
from dataclasses import asdict, fields, replace
from datetime import UTC, datetime

from deployer.adapters.leases.process import is_alive
from deployer.model import Holder, Json, LockState, ObjectKey

API_VERSION = "coordination.k8s.io/v1"
DURATION = 30
"""Seconds after which a lock that nobody renews is free."""

MARGIN = 3.0
"""Seconds that others wait beyond that: API servers' clocks differ a little, and they tell whole seconds only."""

_PREFIX = "deploy-"

HOLDER = "deployer/holder"
"""The annotation with the holder as JSON."""


def key_of(name: str, namespace: str) -> ObjectKey:
    """The Lease of a release."""
    return ObjectKey(API_VERSION, "Lease", namespace, f"{_PREFIX}{name}")


def release_of(lease: Json) -> str | None:
    """The release whose lock it is; None for a Lease that is none of ours."""
    name = str(lease["metadata"]["name"])
    return name.removeprefix(_PREFIX) if name.startswith(_PREFIX) else None


def new_lease(key: ObjectKey, holder: Holder, identity: str, now: datetime) -> Json:
    """A Lease that the holder has taken now."""
    return _taken({"metadata": {"name": key.name, "namespace": key.namespace}}, holder, identity, now, 0)


def taken_over(lease: Json, holder: Holder, identity: str, now: datetime) -> Json:
    """The same Lease in the hands of another holder."""
    before = lease.get("spec") or {}
    return _taken(lease, holder, identity, now, int(before.get("leaseTransitions") or 0) + 1)


def renewed(lease: Json, now: datetime) -> Json:
    """The same Lease, renewed now."""
    return lease | {"spec": lease["spec"] | {"renewTime": _micro_time(now)}}


def identity_of(lease: Json) -> str:
    """Who holds it: a text that is different for each acquisition of ours; empty for nobody."""
    return str((lease.get("spec") or {}).get("holderIdentity") or "")


def version_of(lease: Json) -> str:
    """What tells one acquisition from another, also where other tools hold the Lease. Renewals do not change it."""
    return f"{lease['metadata']['uid']}/{identity_of(lease)}"


def state_of(lease: Json, now: datetime) -> LockState | None:
    """The lock that a Lease means, None when nobody holds it."""
    if not identity_of(lease):
        return None
    holder = _holder(lease)
    return LockState(holder, _seconds_left(lease, now), version_of(lease), is_alive(holder) if holder else None)


def _taken(lease: Json, holder: Holder, identity: str, now: datetime, transitions: int) -> Json:
    metadata = lease["metadata"]
    content = asdict(replace(holder, since=now.isoformat(timespec="seconds")))
    annotations = (metadata.get("annotations") or {}) | {HOLDER: json.dumps(content)}
    return {
        "apiVersion": API_VERSION,
        "kind": "Lease",
        "metadata": metadata | {"annotations": annotations},
        "spec": {
            "holderIdentity": identity,
            "leaseDurationSeconds": DURATION,
            "acquireTime": _micro_time(now),
            "renewTime": _micro_time(now),
            "leaseTransitions": transitions,
        },
    }


def _holder(lease: Json) -> Holder | None:
    """The holder that we wrote down; None for another tool's Lease, or one of ours that another tool has taken."""
    try:
        content = json.loads((lease["metadata"].get("annotations") or {})[HOLDER])
        holder = Holder(**{each.name: str(content[each.name]) for each in fields(Holder)})
    except (KeyError, TypeError, ValueError, RecursionError):
        return None
    return holder if identity_of(lease).startswith(f"{holder.deployment_id}/") else None


def _seconds_left(lease: Json, now: datetime) -> float:
    """Seconds until others may take it, 0 when they may; infinite where the Lease does not say how long it is valid."""
    spec = lease.get("spec") or {}
    try:
        last = datetime.fromisoformat(spec.get("renewTime") or spec["acquireTime"])
        duration = float(spec["leaseDurationSeconds"])
        # A time to come is that of a server's clock which has been set back since.
        age = max(0.0, (now - last).total_seconds())
    except (KeyError, TypeError, ValueError):
        return math.inf
    return max(0.0, duration + MARGIN - age)


def _micro_time(time: datetime) -> str:
    return time.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
