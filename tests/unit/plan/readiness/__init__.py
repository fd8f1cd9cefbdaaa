"""Objects as an API server shows them, cut down to what counts; messages are Kubernetes 1.34's and containerd's."""

from __future__ import annotations

from typing import Any

from deployer.model import Json, ObjectKey, RolloutSettings, WorkloadState
from deployer.plan.readiness import Judge, Observed, Sightings, assess

POLICY = RolloutSettings(timeout=600, unschedulable_grace=300, restart_allowance=2)


class Court:
    """Assesses one object at several times, as a watch does."""

    def __init__(self, policy: RolloutSettings = POLICY) -> None:
        self.policy = policy
        self.sightings = Sightings()

    def assess(self, live: Json | None, *pods: Json, now: float = 0.0, **observed: Any) -> WorkloadState:
        kind = (live or {}).get("kind", "Deployment")
        key = ObjectKey((live or {}).get("apiVersion", "apps/v1"), kind, "default", "web")
        return assess(key, Observed(live, pods, **observed), Judge(self.policy, now, self.sightings))


def assessed(live: Json | None, *pods: Json, **observed: Any) -> WorkloadState:
    return Court().assess(live, *pods, **observed)


def workload(kind: str, spec: Json | None = None, **status: Any) -> Json:
    """A live object whose controller has seen its newest spec."""
    groups = {"Job": "batch/v1", "CronJob": "batch/v1", "Ingress": "networking.k8s.io/v1"}
    core = ("Pod", "Service", "PersistentVolumeClaim", "ConfigMap", "ReplicationController")
    return {
        "apiVersion": "v1" if kind in core else groups.get(kind, "apps/v1"),
        "kind": kind,
        "metadata": {"name": "web", "uid": "web-uid", "generation": 3},
        "spec": spec or {},
        "status": {"observedGeneration": 3, **status},
    }


def deployment(wanted: int = 2, /, **status: Any) -> Json:
    return workload("Deployment", {"replicas": wanted, "template": {"metadata": {"labels": {"app": "web"}}}}, **status)


def replica_set(name: str, revision: int, template: Json | None = None) -> Json:
    return {
        "metadata": {
            "name": name,
            "uid": f"{name}-uid",
            "annotations": {"deployment.kubernetes.io/revision": str(revision)},
            "ownerReferences": [{"uid": "web-uid", "controller": True}],
        },
        "spec": {"template": template or {"metadata": {"labels": {"app": name, "pod-template-hash": name}}}},
    }


NEW = replica_set("new", 2, {"metadata": {"labels": {"app": "web", "pod-template-hash": "new"}}})
OLD = replica_set("old", 1)


def pod(
    name: str = "web-1",
    *statuses: Json,
    owner: str = "new-uid",
    ready: bool = False,
    phase: str = "Pending",
    labels: Json | None = None,
    **changes: Any,
) -> Json:
    return {
        "metadata": {
            "name": name,
            "uid": f"{name}-uid",
            "labels": labels or {},
            "ownerReferences": [{"uid": owner, "controller": True}],
            **changes.pop("metadata", {}),
        },
        "spec": {"containers": [{"name": "main"}], **changes.pop("spec", {})},
        "status": {
            "phase": phase,
            "conditions": [{"type": "Ready", "status": str(ready)}, *changes.pop("conditions", [])],
            "containerStatuses": list(statuses),
            **changes,
        },
    }


def waiting(reason: str, message: str = "", **changes: Any) -> Json:
    return {
        "name": "main",
        "image": "example.com/web:1",
        "ready": False,
        "restartCount": 0,
        "state": {"waiting": {"reason": reason, "message": message}},
        **changes,
    }


def terminated(code: int, reason: str = "Error", **changes: Any) -> Json:
    return waiting("", state={"terminated": {"exitCode": code, "reason": reason, **changes.pop("end", {})}}, **changes)


def crash_loop(restarts: int, code: int = 1, reason: str = "Error", **end: Any) -> Json:
    last = {"terminated": {"exitCode": code, "reason": reason, **end}}
    return waiting("CrashLoopBackOff", "back-off 20s", restartCount=restarts, lastState=last)


def running(ready: bool = False, **changes: Any) -> Json:
    return {"name": "main", "ready": ready, "restartCount": 0, "state": {"running": {}}, **changes}


def event(reason: str, message: str, kind: str = "Warning", **changes: Any) -> Json:
    return {"type": kind, "reason": reason, "message": message, **changes}
