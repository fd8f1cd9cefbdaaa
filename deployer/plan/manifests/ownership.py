"""Finds objects that belong to somebody else, before Helm refuses to take them."""

from __future__ import annotations

from deployer.errors import ConfigurationError
from deployer.model import Json
from deployer.plan.manifests.kinds import dig
from deployer.plan.manifests.source import SourceManifest

_NAME, _NAMESPACE = "meta.helm.sh/release-name", "meta.helm.sh/release-namespace"


def foreign_object(source: SourceManifest, live: Json, release: str, namespace: str) -> ConfigurationError | None:
    """The error for a live object, unless its annotations say that it belongs to the release.

    Helm adopts an object by these annotations only (its pkg/action/validate.go).
    """
    annotations = dig(live, ("metadata", "annotations")) or {}
    owner, owners_namespace = annotations.get(_NAME), annotations.get(_NAMESPACE)
    if (owner, owners_namespace) == (release, namespace):
        return None
    return ConfigurationError(
        f"{source.title} exists already and is not part of the release",
        where=source.at(("metadata", "name")),
        why=f"it belongs to the release {owner} in {owners_namespace}" if owner else "it was not made by Helm",
        hint="delete it, or give yours another name; or let Helm take it over first (`helm upgrade --take-ownership`)",
    )
