"""What a deployment needs to be allowed."""

from __future__ import annotations

from deployer.model import Json, ObjectKey, Permission
from deployer.plan.manifests import PreparedManifests
from deployer.plan.permissions import listed, needed


def manifest(api_version: str, kind: str, **annotations: str) -> Json:
    return {"apiVersion": api_version, "kind": kind, "metadata": {"name": "a", "annotations": annotations}}


def verbs(permissions: tuple[Permission, ...], kind: str) -> set[str]:
    return {one.verb for one in permissions if one.kind == kind and not one.subresource}


def test_releases_locks_and_evidence_are_always_needed() -> None:
    always = needed("here")
    assert verbs(always, "Secret") == {"get", "list", "create", "update", "patch", "delete"}
    assert verbs(always, "Lease") == {"get", "create", "update", "delete"}
    assert Permission("v1", "Pod", "get", "here", "log") in always
    assert len(set(always)) == len(always)
    assert {one.namespace for one in always} == {"here"}


def test_every_kind_of_the_manifests_is_needed_where_it_lives() -> None:
    objects = (
        manifest("apps/v1", "Deployment"),
        manifest("networking.k8s.io/v1", "IngressClass"),
        manifest("batch/v1", "Job", **{"helm.sh/hook": "pre-install"}),
    )
    prepared = PreparedManifests("here", objects, ("",) * 3)
    deleted = ObjectKey("v1", "ConfigMap", None, "old")
    found = needed("here", prepared, [deleted])
    assert verbs(found, "Deployment") == {"get", "create", "patch", "delete"}
    assert verbs(found, "ReplicaSet") == {"list"}
    assert verbs(found, "Job") == {"get", "list", "watch", "create", "delete"}
    assert verbs(found, "ConfigMap") == {"delete"}
    assert {one.namespace for one in found if one.kind == "IngressClass"} == {None}
    assert {one.namespace for one in found if one.kind == "ConfigMap"} == {"here"}


def test_what_is_missing_is_listed_by_what_it_is_about() -> None:
    some = [
        Permission("apps/v1", "Deployment", "create", "here"),
        Permission("v1", "Pod", "get", "here", "log"),
        Permission("apps/v1", "Deployment", "patch", "here"),
    ]
    assert listed(some) == "Deployment (apps): create, patch; Pod/log: get"
