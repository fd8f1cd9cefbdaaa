"""How far an object of the release is, and whether it will get there, judged from what the cluster shows.

What "done" means for each kind follows `kubectl rollout status` and the fields' documentation in the API reference;
which states of a container do not heal follows the kubelet's own reasons (`pkg/kubelet/images/types.go`,
`pkg/kubelet/kuberuntime` in kubernetes/kubernetes).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from deployer.model import Json, ObjectKey, WorkloadState
from deployer.plan.readiness.controllers import KEEP_RUNNING
from deployer.plan.readiness.evidence import Judge, Observed, Sightings
from deployer.plan.readiness.jobs import cron_job, job
from deployer.plan.readiness.services import claim, ingress, service
from deployer.plan.readiness.sets import blocking_pods, daemon_set, stateful_set
from deployer.plan.readiness.stability import unprobed, unstable
from deployer.plan.readiness.workloads import bare_pod, deployment, replica_set

__all__ = [
    "OWNED",
    "RUNNING",
    "WATCHED",
    "Judge",
    "Observed",
    "Sightings",
    "assess",
    "blocking_pods",
    "unprobed",
    "unstable",
]

_KINDS: Mapping[tuple[str, str], Callable[[ObjectKey, Json, Observed, Judge], WorkloadState]] = {
    ("apps", "Deployment"): deployment,
    ("apps", "StatefulSet"): stateful_set,
    ("apps", "DaemonSet"): daemon_set,
    ("apps", "ReplicaSet"): replica_set,
    ("", "ReplicationController"): replica_set,
    ("", "Pod"): bare_pod,
    ("batch", "Job"): job,
    ("batch", "CronJob"): cron_job,
    ("", "Service"): service,
    ("", "PersistentVolumeClaim"): claim,
    ("networking.k8s.io", "Ingress"): ingress,
}

WATCHED = frozenset(kind for _, kind in _KINDS if kind != "CronJob")
"""The kinds that become ready some time after they were made; of all others it is enough that they exist."""

RUNNING = KEEP_RUNNING | {"Job"}
"""The kinds whose counts are of pods."""

OWNED: Mapping[str, tuple[str, str]] = {
    "Deployment": ("apps/v1", "ReplicaSet"),
    "DaemonSet": ("apps/v1", "ControllerRevision"),
}
"""API version and kind of the objects that tell which pods of a workload are the newest."""


def assess(key: ObjectKey, observed: Observed, judge: Judge) -> WorkloadState:
    """How far one object is. Pure, but for what `judge.sightings` remembers."""
    if observed.live is None:
        return WorkloadState(key, 1, 0, 0, "progressing", "does not exist yet")
    if observed.live.get("metadata", {}).get("deletionTimestamp"):
        return WorkloadState(key, 1, 0, 0, "progressing", "is being deleted")
    group = key.api_version.rpartition("/")[0]
    rule = _KINDS.get((group, key.kind))
    return rule(key, observed.live, observed, judge) if rule else WorkloadState(key, 1, 1, 1, "ready")
