"""What differs, by path and never by value."""

from __future__ import annotations

import copy
import json
from typing import Any

from deployer.model import Json, ObjectKey
from deployer.plan.difference import Gone, changes_between, drifted, removed_objects
from tests.unit.plan.manifests import deployment


def live_deployment() -> Json:
    live = deployment(env=[{"name": "A", "value": "1"}, {"name": "B", "value": "2"}])
    live["metadata"] |= {
        "uid": "1",
        "resourceVersion": "5",
        "generation": 2,
        "creationTimestamp": "2024-01-01T00:00:00Z",
        "managedFields": [{"manager": "helm"}],
        "annotations": {"meta.helm.sh/release-name": "myapp", "deployment.kubernetes.io/revision": "3"},
        "labels": {"app.kubernetes.io/managed-by": "Helm"},
    }
    live["status"] = {"replicas": 2}
    return live


def test_nothing_drifted() -> None:
    live = live_deployment()
    preview = copy.deepcopy(live)
    preview["metadata"] |= {"generation": 3, "resourceVersion": "6", "managedFields": [], "annotations": {}}
    preview["status"] = {}
    assert drifted(live, preview) == ()


def test_drift_is_told_by_name_of_the_item() -> None:
    live, preview = live_deployment(), live_deployment()
    preview["spec"]["replicas"] = 3
    preview["metadata"]["labels"]["example.com/team"] = "x"
    preview["spec"]["template"]["spec"]["containers"][0]["env"][1]["value"] = "secret"
    live["metadata"]["labels"]["example.com/owner"] = "y"
    assert drifted(live, preview) == (
        "metadata.labels[example.com/owner]",
        "metadata.labels[example.com/team]",
        "spec.replicas",
        "spec.template.spec.containers[web].env[B].value",
    )


def test_empty_is_the_same_as_absent() -> None:
    live, preview = live_deployment(), live_deployment()
    live["spec"]["template"]["spec"]["securityContext"] = {}
    preview["spec"]["template"]["spec"]["volumes"] = []
    assert drifted(live, preview) == ()


def test_one_is_not_true() -> None:
    assert drifted({"spec": {"a": 1}}, {"spec": {"a": True}}) == ("spec.a",)
    assert drifted({"spec": {"a": 0}}, {"spec": {"a": False}}) == ("spec.a",)
    assert drifted({"spec": {"a": 0}}, {"spec": {}}) == ("spec.a",)


def test_lists_without_names_go_by_index() -> None:
    assert drifted({"spec": {"args": ["a", "b"]}}, {"spec": {"args": ["a", "c", "d"]}}) == (
        "spec.args[1]",
        "spec.args[2]",
    )


def test_order_of_named_items_counts() -> None:
    a, b = {"name": "a"}, {"name": "b"}
    assert drifted({"spec": {"list": [a, b]}}, {"spec": {"list": [b, a]}}) == ("spec.list",)


def texts(*manifests: Json) -> list[str]:
    return [json.dumps(manifest) for manifest in manifests]


def test_changes_between_revisions() -> None:
    service: Json = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "web"}}
    secret: Json = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "gone"}, "data": {"a": "aHVudGVyMg=="}}
    old = deployment(env=[{"name": "A", "value": "hunter1"}, {"name": "GONE", "value": "hunter2"}])
    new = deployment(env=[{"name": "A", "value": "hunter3"}, {"name": "NEW", "value": "hunter4"}])
    new["spec"]["replicas"] = 4
    changes = changes_between(texts(old, secret), texts(new, service))
    assert changes == (
        "Deployment/web: containers[web].env[A].value, containers[web].env[GONE], containers[web].env[NEW], replicas",
        "Service/web: added",
        "Secret/gone: removed",
    )
    assert "hunter" not in "".join(changes)


def test_a_secret_that_stays_the_same_in_another_secret_is_no_change() -> None:
    names = {"first": "web-" + "1" * 20, "second": "web-" + "2" * 20}
    values = {"first": {"A": "MQ==", "B": "MQ==", "C": "MQ=="}, "second": {"A": "MQ==", "B": "Mg==", "C": "MQ=="}}
    secrets = {names[key]: {"data": values[key]} for key in names}

    def using(secret: str, *variables: str) -> Json:
        return deployment(
            env=[
                {"name": name, "valueFrom": {"secretKeyRef": {"name": names[secret], "key": key}}}
                for name, key in zip(variables, "ABC", strict=False)
            ]
        )

    before, after = (
        texts(using("first", "USER", "PASSWORD", "TOKEN")),
        texts(using("second", "USER", "PASSWORD", "KEY")),
    )
    path = "containers[web].env"
    assert changes_between(before, after, secrets) == (
        f"Deployment/web: {path}[KEY], {path}[PASSWORD].valueFrom.secretKeyRef.name, {path}[TOKEN]",
    )
    unknown = {names["second"]: secrets[names["second"]]}
    assert f"{path}[USER].valueFrom.secretKeyRef.name" in changes_between(before, after, unknown)[0]
    assert json.loads(before[0]) == using("first", "USER", "PASSWORD", "TOKEN")


def test_many_changes_are_counted() -> None:
    old: Json = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c"}, "data": {}}
    new = {**old, "data": {f"key{number}": "x" for number in range(9)}}
    changed = {**old, "data": {f"key{number}": "y" for number in range(9)}}
    assert changes_between(texts(new), texts(changed)) == (
        "ConfigMap/c: data.key0, data.key1, data.key2, data.key3, data.key4, data.key5 and 3 more",
    )


def test_no_changes() -> None:
    assert changes_between(texts(deployment()), texts(deployment())) == ()


def test_removed_objects() -> None:
    role: Json = {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "metadata": {"name": "r"}}
    assert removed_objects(texts(deployment(), role), texts(), "shop") == Gone(
        (
            ObjectKey("apps/v1", "Deployment", "shop", "web"),
            ObjectKey("rbac.authorization.k8s.io/v1", "ClusterRole", None, "r"),
        )
    )
    assert removed_objects(texts(deployment()), texts(deployment())) == Gone()


def thing(name: str, version: str = "v1", kind: str = "ConfigMap", **metadata: Any) -> Json:
    return {"apiVersion": version, "kind": kind, "metadata": {"name": name, **metadata}}


KEPT: Json = {"annotations": {"helm.sh/resource-policy": "keep"}}
HOOK: Json = {"annotations": {"helm.sh/hook": "pre-upgrade"}}


def test_what_helm_keeps_is_not_deleted() -> None:
    claim = thing("data", kind="PersistentVolumeClaim", **KEPT)
    gone = removed_objects(texts(claim), texts(), "shop")
    assert gone == Gone(kept=(ObjectKey("v1", "PersistentVolumeClaim", "shop", "data"),))
    assert changes_between(texts(claim), texts()) == ("PersistentVolumeClaim/data: kept, but no longer of the release",)


def test_hooks_are_no_part_of_a_release() -> None:
    hook, member = thing("migrate", **HOOK), thing("migrate")
    assert removed_objects(texts(hook), texts(), "shop") == Gone()
    assert removed_objects(texts(hook), texts(member), "shop") == Gone()
    assert removed_objects(texts(member), texts(hook), "shop").deleted == (
        ObjectKey("v1", "ConfigMap", "shop", "migrate"),
    )


def test_objects_are_told_apart_as_helm_does_it() -> None:
    roles = [thing("reader", "rbac.authorization.k8s.io/v1", "Role", namespace=name) for name in ("a", "b")]
    assert [key.namespace for key in removed_objects(texts(*roles), texts(roles[1]), "b").deleted] == ["a"]
    assert changes_between(texts(*roles), texts(), namespace="b") == (
        "Role/reader in a: removed",
        "Role/reader in b: removed",
    )
    ours = thing("reader", "rbac.authorization.k8s.io/v1", "Role")
    assert removed_objects(texts(roles[1]), texts(ours), "b") == Gone()
    one, other = thing("x", "one.example.com/v1", "Thing"), thing("x", "other.example.com/v1", "Thing")
    assert removed_objects(texts(one), texts(other), "b").deleted == (
        ObjectKey("one.example.com/v1", "Thing", "b", "x"),
    )
    before, after = thing("x", "extensions/v1beta1", "Ingress"), thing("x", "networking.k8s.io/v1", "Ingress")
    assert removed_objects(texts(before), texts(after), "b") == Gone()
