"""What an object is, in a few words: for one that is new, and for one that goes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from deployer.model import Json
from deployer.plan.manifests.kinds import containers, dig, mappings, stays

_MANY = 6


def facts_of(manifest: Json) -> tuple[str, ...]:
    """`2 pods`, `image busybox:1`, `keys a.conf, b.conf`, `host www.example.com`: what tells most, by kind."""
    return tuple(_facts(manifest))


def losses(manifest: Json) -> tuple[str, ...]:
    """What goes with an object that is deleted, and what of it stays."""
    return tuple(_losses(manifest))


def _facts(manifest: Json) -> Iterator[str]:
    kind = manifest["kind"]
    if kind in ("Deployment", "StatefulSet", "ReplicaSet"):
        yield counted(replicas(manifest), "pod")
    if kind == "CronJob":
        yield f"schedule {dig(manifest, ('spec', 'schedule'))}"
    images = list(dict.fromkeys(str(container.get("image")) for _, container in containers(manifest)))
    if images:
        yield f"image{'s' if len(images) > 1 else ''} {_listed(images)}"
    if kind in ("ConfigMap", "Secret"):
        keys = [key for field in ("data", "stringData", "binaryData") for key in dig(manifest, (field,)) or {}]
        yield f"{'keys' if len(keys) != 1 else 'key'} {_listed(keys) or 'none'}"
    if kind == "Service":
        ports = [str(port.get("port")) for port in mappings(dig(manifest, ("spec", "ports")))]
        yield f"{dig(manifest, ('spec', 'type')) or 'ClusterIP'}" + (f", port {_listed(ports)}" if ports else "")
    if kind == "Ingress":
        hosts = [str(rule["host"]) for rule in mappings(dig(manifest, ("spec", "rules"))) if rule.get("host")]
        if hosts:
            yield f"host{'s' if len(hosts) > 1 else ''} {_listed(hosts)}"
    if kind == "HorizontalPodAutoscaler":
        bounds = (dig(manifest, ("spec", field)) for field in ("minReplicas", "maxReplicas"))
        yield "{} to {} pods".format(*(1 if bound is None else bound for bound in bounds))
    if kind == "PersistentVolumeClaim":
        yield f"storage {dig(manifest, ('spec', 'resources', 'requests', 'storage'))}"
    for template in mappings(dig(manifest, ("spec", "volumeClaimTemplates"))):
        size = dig(template, ("spec", "resources", "requests", "storage"))
        yield f"claims {dig(template, ('metadata', 'name'))} ({size} each)"


def _losses(manifest: Json) -> Iterator[str]:
    kind = manifest["kind"]
    if kind == "PersistentVolumeClaim":
        if stays(manifest):
            yield "kept with its data: it is only no longer part of the release"
        else:
            yield "the data on its volume goes with it, unless the volume's reclaim policy retains it"
    elif stays(manifest):
        yield "kept, as its manifest says: it is only no longer part of the release"
    elif kind in ("Deployment", "StatefulSet", "ReplicaSet"):
        count = replicas(manifest)
        yield f"{counted(count, 'pod')} end{'s' if count == 1 else ''}"
        dies = dig(manifest, ("spec", "persistentVolumeClaimRetentionPolicy", "whenDeleted")) == "Delete"
        for template in mappings(dig(manifest, ("spec", "volumeClaimTemplates"))):
            name = f"{dig(template, ('metadata', 'name'))}-{manifest['metadata']['name']}-*"
            yield f"the volumes claimed as {name} go with their data" if dies else f"claimed volumes stay: {name}"
    elif kind in ("DaemonSet", "Job", "Pod"):
        yield "its pods end"
    elif kind == "Namespace":
        yield "everything in it goes, volumes and their data included"
    elif kind == "CustomResourceDefinition":
        yield "every object of this kind goes, in all namespaces"
    elif kind == "PersistentVolume":
        yield "what happens to its data is up to its reclaim policy"


def replicas(manifest: Json) -> int:
    """How many pods a workload asks for; the API's default is 1."""
    wanted: Any = dig(manifest, ("spec", "replicas"))
    return wanted if isinstance(wanted, int) else 1


def counted(count: int, noun: str) -> str:
    """`1 pod`, `2 pods`."""
    return f"{count} {noun}{'s' if count != 1 else ''}"


def _listed(names: list[str]) -> str:
    rest = len(names) - _MANY
    return ", ".join(names[:_MANY]) + (f" and {rest} more" if rest > 0 else "")
