"""Finds what an app's manifests name and do not bring themselves: classes, and objects that their pods need."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from deployer.model import Json, ObjectKey
from deployer.plan.manifests import kinds
from deployer.plan.manifests.preparing import PreparedManifests
from deployer.plan.manifests.source import SourceManifest
from deployer.plan.paths import Path

OLD_INGRESS_CLASS = "kubernetes.io/ingress.class"
"""The annotation that named the class before `spec.ingressClassName` did."""

INGRESS_CLASS = ("networking.k8s.io/v1", "IngressClass")
PRIORITY_CLASS = ("scheduling.k8s.io/v1", "PriorityClass")
RUNTIME_CLASS = ("node.k8s.io/v1", "RuntimeClass")
STORAGE_CLASS = ("storage.k8s.io/v1", "StorageClass")

CLASSES = (INGRESS_CLASS, PRIORITY_CLASS, RUNTIME_CLASS, STORAGE_CLASS)


@dataclass(frozen=True)
class Reference:
    """A manifest names an object. `path` is the place of the name in it; `key.name` is empty where no name is given.

    A `key` without a name stands for an Ingress that leaves its class to the cluster.
    """

    source: SourceManifest
    path: Path
    key: ObjectKey

    @property
    def is_class(self) -> bool:
        """Whether it names a class of the cluster, and not an object of the namespace."""
        return (self.key.api_version, self.key.kind) in CLASSES


def references(prepared: PreparedManifests) -> tuple[Reference, ...]:
    """Everything that the manifests name and that none of them is, each once per manifest, in their order.

    What is optional there, or always exists (the ServiceAccount `default`), is left out.
    """
    own = {(key.kind, key.name) for key in prepared.keys}
    own |= {("Secret", secret["metadata"]["name"]) for secret in prepared.lifted}
    sources = prepared.sources or tuple(SourceManifest(manifest) for manifest in prepared.objects)
    found: dict[tuple[int, ObjectKey], Reference] = {}
    for index, source in enumerate(sources):
        for path, key in _named(source.content, prepared.namespace):
            if (key.kind, key.name) not in own:
                found.setdefault((index, key), Reference(source, path, key))
    return tuple(found.values())


def _named(manifest: Json, namespace: str) -> Iterator[tuple[Path, ObjectKey]]:
    if not kinds.is_builtin(manifest):
        return
    kind = manifest["kind"]
    if kind == "Ingress":
        yield _ingress_class(manifest)
    if kind == "PersistentVolumeClaim":
        yield from _storage_class(manifest, ())
    if kind == "StatefulSet":
        claims = kinds.dig(manifest, ("spec", "volumeClaimTemplates"))
        for index, claim in enumerate(claims if isinstance(claims, list) else ()):
            yield from _storage_class(claim, ("spec", "volumeClaimTemplates", index))
    found = kinds.pod_template(manifest)
    if found is not None and isinstance(found[1].get("spec"), dict):
        for path, key in _of_pod(found[1]["spec"], namespace):
            yield (*found[0], "spec", *path), key


def _ingress_class(manifest: Json) -> tuple[Path, ObjectKey]:
    """The class that an Ingress names, the old annotation first: controllers give it precedence."""
    for path in (("metadata", "annotations", OLD_INGRESS_CLASS), ("spec", "ingressClassName")):
        if isinstance(name := kinds.dig(manifest, path), str) and name:
            return path, ObjectKey(*INGRESS_CLASS, None, name)
    return ("spec",), ObjectKey(*INGRESS_CLASS, None, "")


def _storage_class(claim: object, path: Path) -> Iterator[tuple[Path, ObjectKey]]:
    """An empty name is one, too: it asks for a volume that was made by hand."""
    name = kinds.dig(claim, ("spec", "storageClassName"))
    if isinstance(name, str) and name:
        yield (*path, "spec", "storageClassName"), ObjectKey(*STORAGE_CLASS, None, name)


def _of_pod(spec: Json, namespace: str) -> Iterator[tuple[Path, ObjectKey]]:
    for field, kind in (("priorityClassName", PRIORITY_CLASS), ("runtimeClassName", RUNTIME_CLASS)):
        if isinstance(name := spec.get(field), str) and name:
            yield (field,), ObjectKey(*kind, None, name)
    account = spec.get("serviceAccountName") or spec.get("serviceAccount")
    if isinstance(account, str) and account != "default":
        yield ("serviceAccountName",), ObjectKey("v1", "ServiceAccount", namespace, account)
    for path, held, holder, field in _holders(spec):
        name = holder.get(field)
        if isinstance(name, str) and name and holder.get("optional") is not True:
            yield (*path, field), ObjectKey("v1", held, namespace, name)


def _holders(spec: Json) -> Iterator[tuple[Path, str, Json, str]]:
    """Every place that names an object of the namespace: path, kind, the mapping, and the field with the name."""
    for index, item in _items(spec, "imagePullSecrets"):
        yield ("imagePullSecrets", index), "Secret", item, "name"
    for index, volume in _items(spec, "volumes"):
        here: Path = ("volumes", index)
        yield from _held((*here, "secret"), "Secret", volume.get("secret"), "secretName")
        yield from _held((*here, "configMap"), "ConfigMap", volume.get("configMap"), "name")
        yield from _held(
            (*here, "persistentVolumeClaim"), "PersistentVolumeClaim", volume.get("persistentVolumeClaim"), "claimName"
        )
        projected = volume.get("projected")
        for number, part in _items(projected if isinstance(projected, dict) else {}, "sources"):
            yield from _held((*here, "projected", "sources", number, "secret"), "Secret", part.get("secret"), "name")
            yield from _held(
                (*here, "projected", "sources", number, "configMap"), "ConfigMap", part.get("configMap"), "name"
            )
    for field in kinds.CONTAINER_LISTS:
        for index, container in _items(spec, field):
            yield from _of_container(container, (field, index))


def _of_container(container: Json, path: Path) -> Iterator[tuple[Path, str, Json, str]]:
    for index, item in _items(container, "envFrom"):
        yield from _held((*path, "envFrom", index, "secretRef"), "Secret", item.get("secretRef"), "name")
        yield from _held((*path, "envFrom", index, "configMapRef"), "ConfigMap", item.get("configMapRef"), "name")
    for index, item in _items(container, "env"):
        source = item.get("valueFrom")
        if isinstance(source, dict):
            here = (*path, "env", index, "valueFrom")
            yield from _held((*here, "secretKeyRef"), "Secret", source.get("secretKeyRef"), "name")
            yield from _held((*here, "configMapKeyRef"), "ConfigMap", source.get("configMapKeyRef"), "name")


def _held(path: Path, kind: str, holder: object, field: str) -> Iterable[tuple[Path, str, Json, str]]:
    return [(path, kind, holder, field)] if isinstance(holder, dict) else []


def _items(content: Json, field: str) -> Iterator[tuple[int, Json]]:
    items = content.get(field)
    for index, item in enumerate(items if isinstance(items, list) else ()):
        if isinstance(item, dict):
            yield index, item
