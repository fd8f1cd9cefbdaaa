"""How a manifest is put to the API server so that a dry run tells what Helm would make of it."""

from __future__ import annotations

import copy
from typing import Any

from deployer.model import Json

APPLY = "application/apply-patch+yaml"
"""Server-side apply: https://kubernetes.io/docs/reference/using-api/server-side-apply/."""

_MANAGER = "deployer-preview"
_MANAGED_BY = "app.kubernetes.io/managed-by"
_RELEASE = ("meta.helm.sh/release-name", "meta.helm.sh/release-namespace")


def is_hook(manifest: Json) -> bool:
    """Whether Helm runs this at a moment of its own, and does not count it to the release."""
    return "helm.sh/hook" in _map(_map(manifest, "metadata"), "annotations")


def as_applied(manifest: Json, live: Json) -> Json:
    """The manifest with the marks of ownership that Helm puts on every object, as far as the live object has them."""
    applied = copy.deepcopy(manifest)
    metadata = applied.setdefault("metadata", {})
    # A server-side apply that says whose fields are whose is refused.
    metadata.pop("managedFields", None)
    metadata.pop("resourceVersion", None)
    annotations = _map(_map(live, "metadata"), "annotations")
    if _RELEASE[0] not in annotations:
        return applied
    metadata["annotations"] = _map(metadata, "annotations") | {
        name: annotations[name] for name in _RELEASE if name in annotations
    }
    if managed_by := _map(_map(live, "metadata"), "labels").get(_MANAGED_BY):
        metadata["labels"] = _map(metadata, "labels") | {_MANAGED_BY: managed_by}
    return applied


def manager_of(live: Json) -> str:
    """Who applies: Helm, where it did so on the server, since fields that it then leaves out are removed."""
    return _applying(live) or _MANAGER


def is_applied(live: Json) -> bool:
    """Whether Helm (4) applied the object on the server."""
    return _applying(live) is not None


def _applying(live: Json) -> str | None:
    for entry in _map(live, "metadata").get("managedFields") or ():
        manager = str(entry.get("manager", ""))
        if entry.get("operation") == "Apply" and manager.startswith("helm") and not entry.get("subresource"):
            return manager
    return None


def _map(mapping: Json, key: str) -> dict[str, Any]:
    value = mapping.get(key)
    return value if isinstance(value, dict) else {}
