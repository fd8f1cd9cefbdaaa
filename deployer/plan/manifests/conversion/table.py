"""The table of removed APIs: what was removed when, what replaces it, and which steps lead there."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

from deployer.model import Json
from deployer.plan.manifests.conversion import autoscaling, cluster, ingress, workloads
from deployer.plan.manifests.conversion.problem import CannotConvert

__all__ = ["REMOVED", "CannotConvert", "Removal", "Step"]

Step = Callable[[Json], Iterable[str]]
"""Changes a manifest in place and yields, in a few words each, what its author should know."""


@dataclass(frozen=True)
class Removal:
    """A removed API version of a kind; `new` is None where nothing replaces it, and `hint` says what to do then."""

    kind: str
    old: str
    new: str | None
    removed_in: str
    steps: tuple[Step, ...] = ()
    hint: str = ""


def _removals() -> Iterator[Removal]:
    extensions, apps = "extensions/v1beta1", "apps/v1"
    for old in (extensions, "apps/v1beta1", "apps/v1beta2"):
        beta2 = old == "apps/v1beta2"
        selector = () if beta2 else (workloads.selector_from_template,)
        on_delete = () if beta2 else (workloads.update_on_delete,)
        yield Removal("Deployment", old, apps, "1.16", (*selector, workloads.drop_rollback_to))
        yield Removal("ReplicaSet", old, apps, "1.16", selector)
        if old != "apps/v1beta1":
            yield Removal("DaemonSet", old, apps, "1.16", (*selector, *on_delete, workloads.drop_template_generation))
        if old != extensions:
            yield Removal("StatefulSet", old, apps, "1.16", (*selector, *on_delete))
    yield Removal("NetworkPolicy", extensions, "networking.k8s.io/v1", "1.16")
    for old in (extensions, "networking.k8s.io/v1beta1"):
        yield Removal(
            "Ingress", old, "networking.k8s.io/v1", "1.22", (ingress.convert_rules, ingress.class_from_annotation)
        )
    yield Removal("IngressClass", "networking.k8s.io/v1beta1", "networking.k8s.io/v1", "1.22")
    for kind in ("Role", "RoleBinding", "ClusterRole", "ClusterRoleBinding"):
        yield Removal(kind, "rbac.authorization.k8s.io/v1beta1", "rbac.authorization.k8s.io/v1", "1.22")
        yield Removal(
            kind,
            "rbac.authorization.k8s.io/v1alpha1",
            "rbac.authorization.k8s.io/v1",
            "1.22",
            (cluster.subjects_by_group,),
        )
    for old in ("scheduling.k8s.io/v1beta1", "scheduling.k8s.io/v1alpha1"):
        yield Removal("PriorityClass", old, "scheduling.k8s.io/v1", "1.22")
    for kind in ("CSIDriver", "CSINode", "StorageClass", "VolumeAttachment"):
        yield Removal(kind, "storage.k8s.io/v1beta1", "storage.k8s.io/v1", "1.22")
    for old in ("storage.k8s.io/v1beta1", "storage.k8s.io/v1alpha1"):
        yield Removal("CSIStorageCapacity", old, "storage.k8s.io/v1", "1.27")
    for kind in ("ValidatingWebhookConfiguration", "MutatingWebhookConfiguration"):
        yield Removal(
            kind,
            "admissionregistration.k8s.io/v1beta1",
            "admissionregistration.k8s.io/v1",
            "1.22",
            (cluster.webhook_defaults,),
        )
    yield Removal("APIService", "apiregistration.k8s.io/v1beta1", "apiregistration.k8s.io/v1", "1.22")
    yield Removal("Lease", "coordination.k8s.io/v1beta1", "coordination.k8s.io/v1", "1.22")
    yield Removal(
        "CertificateSigningRequest",
        "certificates.k8s.io/v1beta1",
        "certificates.k8s.io/v1",
        "1.22",
        (cluster.named_signer,),
    )
    yield Removal(
        "CustomResourceDefinition",
        "apiextensions.k8s.io/v1beta1",
        None,
        "1.22",
        hint="write it as apiextensions.k8s.io/v1, whose schemas are structural and belong to each version",
    )
    yield Removal("CronJob", "batch/v2alpha1", "batch/v1", "1.21")
    yield Removal("CronJob", "batch/v1beta1", "batch/v1", "1.25")
    yield Removal(
        "EndpointSlice", "discovery.k8s.io/v1beta1", "discovery.k8s.io/v1", "1.25", (cluster.zones_of_endpoints,)
    )
    yield Removal("Event", "events.k8s.io/v1beta1", "events.k8s.io/v1", "1.25")
    yield Removal("RuntimeClass", "node.k8s.io/v1beta1", "node.k8s.io/v1", "1.25")
    yield Removal("RuntimeClass", "node.k8s.io/v1alpha1", "node.k8s.io/v1", "1.25", (cluster.handler_of_runtime,))
    yield Removal("PodDisruptionBudget", "policy/v1beta1", "policy/v1", "1.25", (cluster.keep_empty_selector,))
    for old in (extensions, "policy/v1beta1"):
        yield Removal(
            "PodSecurityPolicy",
            old,
            None,
            "1.25",
            hint="nothing replaces it one to one: label the namespace for Pod Security admission instead",
        )
    yield Removal(
        "HorizontalPodAutoscaler", "autoscaling/v2beta1", "autoscaling/v2", "1.25", (autoscaling.metrics_with_targets,)
    )
    yield Removal("HorizontalPodAutoscaler", "autoscaling/v2beta2", "autoscaling/v2", "1.26")
    for version, removed_in in (("v1alpha1", "1.24"), ("v1beta1", "1.26"), ("v1beta2", "1.29"), ("v1beta3", "1.32")):
        renamed = () if version == "v1beta3" else (cluster.nominal_shares,)
        old, new = f"flowcontrol.apiserver.k8s.io/{version}", "flowcontrol.apiserver.k8s.io/v1"
        yield Removal("FlowSchema", old, new, removed_in)
        yield Removal("PriorityLevelConfiguration", old, new, removed_in, renamed)


REMOVED: Mapping[tuple[str, str], Removal] = {(removal.old, removal.kind): removal for removal in _removals()}
"""By API version and kind."""
