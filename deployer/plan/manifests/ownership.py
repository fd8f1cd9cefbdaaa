"""Finds objects that belong to somebody else, before Helm refuses to take them."""

from __future__ import annotations

from deployer.errors import ConfigurationError
from deployer.model import Json
from deployer.plan.manifests.kinds import dig
from deployer.plan.manifests.source import SourceManifest

_NAME, _NAMESPACE = "meta.helm.sh/release-name", "meta.helm.sh/release-namespace"


def owner_of(live: Json) -> tuple[str, str] | None:
    """The Helm release (name, namespace) that a live object says it belongs to; None when it was made by hand."""
    annotations = dig(live, ("metadata", "annotations")) or {}
    owner, namespace = annotations.get(_NAME), annotations.get(_NAMESPACE)
    return (str(owner), str(namespace)) if owner else None


def foreign_object(source: SourceManifest, live: Json, release: str, namespace: str) -> ConfigurationError | None:
    """The error for a live object, unless its annotations say that it belongs to the release.

    Helm adopts an object by these annotations only (its pkg/action/validate.go).
    """
    owner = owner_of(live)
    if owner == (release, namespace):
        return None
    return ConfigurationError(
        f"{source.title} exists already and is not part of the release",
        where=source.at(("metadata", "name")),
        why=f"it belongs to the release {owner[0]} in {owner[1]}" if owner else "it was not made by Helm",
        hint="give yours another name, or take it over: `deploy adopt` shows what that changes, and asks",
    )
