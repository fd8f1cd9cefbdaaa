"""What is known of Kubernetes' own kinds: their API versions, scope, fields and where pods are described.

Source: the OpenAPI document of Kubernetes 1.34 (`api/openapi-spec/swagger.json`). A kind that is not listed is taken as
a namespaced custom resource, and the API server has the last word on it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from deployer.model import Json, ObjectKey
from deployer.model.pods import CONTAINER_LISTS as CONTAINER_LISTS
from deployer.model.pods import POD_TEMPLATES as POD_TEMPLATES
from deployer.plan.paths import Path

_SPEC = frozenset({"apiVersion", "kind", "metadata", "spec", "status"})
_BARE = frozenset({"apiVersion", "kind", "metadata"})

API_VERSIONS: Mapping[str, tuple[str, ...]] = {
    "APIService": ("apiregistration.k8s.io/v1",),
    "CSIDriver": ("storage.k8s.io/v1",),
    "CSINode": ("storage.k8s.io/v1",),
    "CSIStorageCapacity": ("storage.k8s.io/v1",),
    "CertificateSigningRequest": ("certificates.k8s.io/v1",),
    "ClusterRole": ("rbac.authorization.k8s.io/v1",),
    "ClusterRoleBinding": ("rbac.authorization.k8s.io/v1",),
    "ConfigMap": ("v1",),
    "ControllerRevision": ("apps/v1",),
    "CronJob": ("batch/v1",),
    "CustomResourceDefinition": ("apiextensions.k8s.io/v1",),
    "DaemonSet": ("apps/v1",),
    "Deployment": ("apps/v1",),
    "EndpointSlice": ("discovery.k8s.io/v1",),
    "Endpoints": ("v1",),
    "FlowSchema": ("flowcontrol.apiserver.k8s.io/v1",),
    "HorizontalPodAutoscaler": ("autoscaling/v2", "autoscaling/v1"),
    "Ingress": ("networking.k8s.io/v1",),
    "IngressClass": ("networking.k8s.io/v1",),
    "Job": ("batch/v1",),
    "Lease": ("coordination.k8s.io/v1",),
    "LimitRange": ("v1",),
    "MutatingWebhookConfiguration": ("admissionregistration.k8s.io/v1",),
    "Namespace": ("v1",),
    "NetworkPolicy": ("networking.k8s.io/v1",),
    "PersistentVolume": ("v1",),
    "PersistentVolumeClaim": ("v1",),
    "Pod": ("v1",),
    "PodDisruptionBudget": ("policy/v1",),
    "PodTemplate": ("v1",),
    "PriorityClass": ("scheduling.k8s.io/v1",),
    "PriorityLevelConfiguration": ("flowcontrol.apiserver.k8s.io/v1",),
    "ReplicaSet": ("apps/v1",),
    "ReplicationController": ("v1",),
    "ResourceQuota": ("v1",),
    "Role": ("rbac.authorization.k8s.io/v1",),
    "RoleBinding": ("rbac.authorization.k8s.io/v1",),
    "RuntimeClass": ("node.k8s.io/v1",),
    "Secret": ("v1",),
    "Service": ("v1",),
    "ServiceAccount": ("v1",),
    "StatefulSet": ("apps/v1",),
    "StorageClass": ("storage.k8s.io/v1",),
    "ValidatingAdmissionPolicy": ("admissionregistration.k8s.io/v1",),
    "ValidatingAdmissionPolicyBinding": ("admissionregistration.k8s.io/v1",),
    "ValidatingWebhookConfiguration": ("admissionregistration.k8s.io/v1",),
    "VolumeAttachment": ("storage.k8s.io/v1",),
}
"""The API versions of a kind that today's Kubernetes serves, the preferred one first."""

CLUSTER_SCOPED = frozenset(
    {
        "APIService",
        "CSIDriver",
        "CSINode",
        "CertificateSigningRequest",
        "ClusterRole",
        "ClusterRoleBinding",
        "CustomResourceDefinition",
        "FlowSchema",
        "IngressClass",
        "MutatingWebhookConfiguration",
        "Namespace",
        "Node",
        "PersistentVolume",
        "PriorityClass",
        "PriorityLevelConfiguration",
        "RuntimeClass",
        "StorageClass",
        "ValidatingAdmissionPolicy",
        "ValidatingAdmissionPolicyBinding",
        "ValidatingWebhookConfiguration",
        "VolumeAttachment",
    }
)

FIELDS: Mapping[str, frozenset[str]] = {
    "CSIStorageCapacity": _BARE | {"capacity", "maximumVolumeSize", "nodeTopology", "storageClassName"},
    "ClusterRole": _BARE | {"aggregationRule", "rules"},
    "ClusterRoleBinding": _BARE | {"roleRef", "subjects"},
    "ConfigMap": _BARE | {"binaryData", "data", "immutable"},
    "ControllerRevision": _BARE | {"data", "revision"},
    "EndpointSlice": _BARE | {"addressType", "endpoints", "ports"},
    "Endpoints": _BARE | {"subsets"},
    "MutatingWebhookConfiguration": _BARE | {"webhooks"},
    "PodTemplate": _BARE | {"template"},
    "PriorityClass": _BARE | {"description", "globalDefault", "preemptionPolicy", "value"},
    "Role": _BARE | {"rules"},
    "RoleBinding": _BARE | {"roleRef", "subjects"},
    "RuntimeClass": _BARE | {"handler", "overhead", "scheduling"},
    "Secret": _BARE | {"data", "immutable", "stringData", "type"},
    "ServiceAccount": _BARE | {"automountServiceAccountToken", "imagePullSecrets", "secrets"},
    "StorageClass": _BARE
    | {
        "allowVolumeExpansion",
        "allowedTopologies",
        "mountOptions",
        "parameters",
        "provisioner",
        "reclaimPolicy",
        "volumeBindingMode",
    },
    "ValidatingWebhookConfiguration": _BARE | {"webhooks"},
}
"""The top-level fields of kinds that have more, or fewer, than the usual ones."""

HOOK = "helm.sh/hook"
KEEP = "helm.sh/resource-policy"
HOOK_EVENTS = frozenset(
    f"{when}-{what}" for when in ("pre", "post") for what in ("install", "upgrade", "rollback", "delete")
) | {"test", "test-success", "test-failure"}
HOOK_DELETE_POLICIES = frozenset({"before-hook-creation", "hook-succeeded", "hook-failed"})


def is_builtin(manifest: Json) -> bool:
    """Whether the manifest is of a kind of Kubernetes itself, at an API version listed here."""
    return manifest.get("apiVersion") in API_VERSIONS.get(str(manifest.get("kind")), ())


def is_builtin_group(api_version: str) -> bool:
    """Whether an API version belongs to Kubernetes itself: `v1`, `apps/v1`, `networking.k8s.io/v1`."""
    group = api_version.rpartition("/")[0]
    return "." not in group or group.endswith(".k8s.io")


def fields_of(manifest: Json) -> frozenset[str] | None:
    """The top-level fields that the manifest may have; None when its kind is not known."""
    return FIELDS.get(manifest["kind"], _SPEC) if is_builtin(manifest) else None


def is_hook(manifest: Json) -> bool:
    """Whether Helm runs the object as a hook instead of keeping it as part of the release."""
    return HOOK in ((manifest.get("metadata") or {}).get("annotations") or {})


def stays(manifest: Json) -> bool:
    """Whether Helm leaves the object when it is no longer the release's (its pkg/action/resource_policy.go)."""
    policy = ((manifest.get("metadata") or {}).get("annotations") or {}).get(KEEP)
    return isinstance(policy, str) and policy.strip().lower() == "keep"


def object_key(manifest: Json, namespace: str | None) -> ObjectKey:
    """The key of a checked manifest's object in a release that lives in `namespace`."""
    kind, metadata = manifest["kind"], manifest["metadata"]
    scope = None if kind in CLUSTER_SCOPED else metadata.get("namespace") or namespace
    return ObjectKey(manifest["apiVersion"], kind, scope, metadata["name"])


def dig(content: Any, path: Path) -> Any:
    """What stands at a path of mappings; None as soon as something is missing or not a mapping."""
    for part in path:
        if not isinstance(content, dict):
            return None
        content = content.get(part)
    return content


def mappings(value: Any) -> list[Json]:
    """The mappings in a list; what else there may be the API server refuses."""
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def pod_template(manifest: Json) -> tuple[Path, Json] | None:
    """Where the manifest describes its pods, and the description; None when it has none that can be read."""
    path = POD_TEMPLATES.get(str(manifest.get("kind")))
    if path is None:
        return None
    template = dig(manifest, path)
    return (path, template) if isinstance(template, dict) else None


def containers(manifest: Json) -> Iterator[tuple[Path, Json]]:
    """Every container that the manifest describes, of whatever sort, with its path."""
    found = pod_template(manifest)
    if found is None:
        return
    path, template = found
    for name in CONTAINER_LISTS:
        items = dig(template, ("spec", name))
        for index, container in enumerate(items if isinstance(items, list) else ()):
            if isinstance(container, dict):
                yield (*path, "spec", name, index), container
