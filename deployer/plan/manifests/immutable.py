"""Finds changes that Kubernetes does not allow on an object that exists, before anyone tries them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from deployer.errors import ConfigurationError
from deployer.model import Json
from deployer.plan.manifests.kinds import dig
from deployer.plan.manifests.source import SourceManifest
from deployer.plan.paths import Path, path_text
from deployer.plan.quantities import quantity

_RECREATE = "give the object another name, or delete it in the cluster first"
_JOB = "a Job runs once: put the version into its name, or make it a Helm hook"

_IMMUTABLE: Mapping[str, tuple[tuple[Path, str], ...]] = {
    "DaemonSet": ((("spec", "selector"), _RECREATE),),
    "Deployment": ((("spec", "selector"), _RECREATE),),
    "ReplicaSet": ((("spec", "selector"), _RECREATE),),
    "StatefulSet": tuple(
        (("spec", field), "delete it with --cascade=orphan, which leaves its pods and volumes, and deploy again")
        for field in ("selector", "serviceName", "podManagementPolicy", "volumeClaimTemplates")
    ),
    "Job": tuple((("spec", field), _JOB) for field in ("template", "completionMode", "selector")),
    "Pod": ((("spec", "containers"), "a Pod is not rolled out: let a Deployment make it"),),
    "Service": ((("spec", "clusterIP"), "leave clusterIP out, or delete the Service first"),),
    "PersistentVolumeClaim": tuple(
        (("spec", field), "a claim keeps what it was given: make a claim of another name and move the data")
        for field in ("accessModes", "dataSource", "selector", "storageClassName", "volumeMode", "volumeName")
    ),
    "Secret": ((("type",), _RECREATE),),
    "RoleBinding": ((("roleRef",), _RECREATE),),
    "ClusterRoleBinding": ((("roleRef",), _RECREATE),),
    "IngressClass": ((("spec", "controller"), _RECREATE),),
    "PriorityClass": ((("value",), _RECREATE),),
    "StorageClass": tuple(
        ((field,), _RECREATE) for field in ("parameters", "provisioner", "reclaimPolicy", "volumeBindingMode")
    ),
}


def immutable_changes(
    manifest: Json, live: Json, source: SourceManifest | None = None
) -> tuple[ConfigurationError, ...]:
    """The fields of the manifest that differ from the live object and may not, each with what to do.

    Only what the manifest says is compared: what it leaves out the server has filled in. The server's dry run has the
    last word; this says beforehand, and better, what it would say.
    """
    source = source or SourceManifest(manifest)
    errors = [
        ConfigurationError(
            f"{source.title}: {path_text(path)} cannot be changed on the object that exists",
            where=source.at(path),
            why="Kubernetes holds the field immutable",
            hint=hint,
        )
        for path, hint in immutable_fields(manifest, live)
    ]
    return tuple(errors)


def immutable_fields(manifest: Json, live: Json) -> Iterator[tuple[Path, str]]:
    """The paths of the fields that differ and may not, each with what to do."""
    kind = manifest["kind"]
    for path, hint in _IMMUTABLE.get(kind, ()):
        wanted, present = dig(manifest, path), dig(live, path)
        if wanted is None or (kind == "Service" and not (wanted and present)):
            continue
        # A selector is compared whole: the server fills nothing in, and one label less is another selector.
        same = wanted == present if path == ("spec", "selector") else _covered(wanted, present)
        if not same:
            yield path, hint
    if kind in ("ConfigMap", "Secret") and live.get("immutable") is True:
        yield from _frozen_data(manifest, live)
    if kind == "PersistentVolumeClaim":
        yield from _shrunk(manifest, live)


def _frozen_data(manifest: Json, live: Json) -> Iterator[tuple[Path, str]]:
    hint = "the object is immutable: put a version or a hash into its name"
    if manifest.get("immutable") is not True:
        yield ("immutable",), hint
    if "stringData" not in manifest and (manifest.get("data") or {}) != (live.get("data") or {}):
        yield ("data",), hint


def _shrunk(manifest: Json, live: Json) -> Iterator[tuple[Path, str]]:
    path = ("spec", "resources", "requests", "storage")
    wanted, present = quantity(dig(manifest, path)), quantity(dig(live, path))
    if wanted is not None and present is not None and wanted < present:
        yield path, "a volume can grow but not shrink"


def _covered(wanted: Any, present: Any) -> bool:
    """Whether everything that is wanted is there already; the server adds defaults and leaves out what is empty."""
    if not wanted and present is None:
        return True
    if isinstance(wanted, dict):
        return isinstance(present, dict) and all(_covered(value, present.get(key)) for key, value in wanted.items())
    if isinstance(wanted, list):
        return (
            isinstance(present, list)
            and len(wanted) == len(present)
            and all(_covered(one, other) for one, other in zip(wanted, present, strict=True))
        )
    if wanted == present:
        return True
    number = quantity(wanted)
    return number is not None and number == quantity(present)
