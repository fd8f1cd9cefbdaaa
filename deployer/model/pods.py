"""Where Kubernetes' own kinds describe their pods."""

from __future__ import annotations

from collections.abc import Mapping

POD_TEMPLATES: Mapping[str, tuple[str, ...]] = {
    "CronJob": ("spec", "jobTemplate", "spec", "template"),
    "DaemonSet": ("spec", "template"),
    "Deployment": ("spec", "template"),
    "Job": ("spec", "template"),
    "Pod": (),
    "PodTemplate": ("template",),
    "ReplicaSet": ("spec", "template"),
    "ReplicationController": ("spec", "template"),
    "StatefulSet": ("spec", "template"),
}
"""Where a kind describes its pods; what is there has `metadata` and `spec`."""

CONTAINER_LISTS = ("initContainers", "containers", "ephemeralContainers")
"""The lists of a pod's `spec` that hold its containers."""
