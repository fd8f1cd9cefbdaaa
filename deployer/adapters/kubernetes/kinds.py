"""Where each kind lives in the API: its path, and whether it belongs to a namespace."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from deployer.model import Json


@dataclass(frozen=True, slots=True)
class Resource:
    """A kind as the API's paths spell it."""

    plural: str
    namespaced: bool


def _resources(namespaced: bool, **plurals: str) -> dict[str, Resource]:
    return {kind: Resource(plural, namespaced) for kind, plural in plurals.items()}


# The kinds that nearly every release consists of: for these no discovery is needed, whatever their version.
_COMMON: dict[str, dict[str, Resource]] = {
    "": {
        **_resources(
            True,
            ConfigMap="configmaps",
            Endpoints="endpoints",
            Event="events",
            LimitRange="limitranges",
            PersistentVolumeClaim="persistentvolumeclaims",
            Pod="pods",
            ReplicationController="replicationcontrollers",
            ResourceQuota="resourcequotas",
            Secret="secrets",  # noqa: S106
            Service="services",
            ServiceAccount="serviceaccounts",
        ),
        **_resources(False, Namespace="namespaces", Node="nodes", PersistentVolume="persistentvolumes"),
    },
    "apps": _resources(
        True,
        ControllerRevision="controllerrevisions",
        DaemonSet="daemonsets",
        Deployment="deployments",
        ReplicaSet="replicasets",
        StatefulSet="statefulsets",
    ),
    "autoscaling": _resources(True, HorizontalPodAutoscaler="horizontalpodautoscalers"),
    "batch": _resources(True, CronJob="cronjobs", Job="jobs"),
    "coordination.k8s.io": _resources(True, Lease="leases"),
    "discovery.k8s.io": _resources(True, EndpointSlice="endpointslices"),
    "networking.k8s.io": {
        **_resources(True, Ingress="ingresses", NetworkPolicy="networkpolicies"),
        **_resources(False, IngressClass="ingressclasses"),
    },
    "policy": _resources(True, PodDisruptionBudget="poddisruptionbudgets"),
    "rbac.authorization.k8s.io": {
        **_resources(True, Role="roles", RoleBinding="rolebindings"),
        **_resources(False, ClusterRole="clusterroles", ClusterRoleBinding="clusterrolebindings"),
    },
    "scheduling.k8s.io": _resources(False, PriorityClass="priorityclasses"),
    "storage.k8s.io": _resources(False, StorageClass="storageclasses"),
}


class Kinds:
    """Knows the API's resources: the common ones by heart, others as the API server lists them (asked once).

    `resources_of` gives the resource list of an `apiVersion`, None when the server does not have it.
    """

    def __init__(self, resources_of: Callable[[str], Sequence[Json] | None]) -> None:
        self._resources_of = resources_of
        self._lock = threading.Lock()
        self._discovered: dict[str, dict[str, Resource]] = {}

    def find(self, api_version: str, kind: str) -> Resource | None:
        """The resource of a kind; None when the cluster does not know the kind."""
        group = api_version.rpartition("/")[0]
        if common := _COMMON.get(group, {}).get(kind):
            return common
        with self._lock:
            known = self._discovered.get(api_version, {})
            if kind not in known:
                known = self._discovered[api_version] = self._discover(api_version)
            return known.get(kind)

    def _discover(self, api_version: str) -> dict[str, Resource]:
        return {
            entry["kind"]: Resource(entry["name"], bool(entry.get("namespaced")))
            for entry in self._resources_of(api_version) or ()
            if "/" not in entry["name"]  # not a subresource
        }


def root_of(api_version: str) -> str:
    """The path below which an `apiVersion` is served."""
    return f"/apis/{api_version}" if "/" in api_version else f"/api/{api_version}"
