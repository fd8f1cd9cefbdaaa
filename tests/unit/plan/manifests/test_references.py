"""What manifests name and do not bring themselves."""

from __future__ import annotations

from typing import Any

import pytest

from deployer.model import Json
from deployer.plan.manifests import PreparedManifests
from deployer.plan.manifests.references import references
from deployer.plan.paths import path_text


def named(*objects: Json) -> list[tuple[str, str]]:
    """The place and `Kind/name` of each reference."""
    prepared = PreparedManifests("here", objects, ("",) * len(objects))
    return [(path_text(one.path), str(one.key)) for one in references(prepared)]


def pod(**spec: Any) -> Json:
    template = {"spec": {"containers": [{"name": "main"}], **spec}}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "a"}, "spec": {"template": template}}


def ingress(**content: Any) -> Json:
    return {"apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "metadata": {"name": "a"}, "spec": {}, **content}


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ({"priorityClassName": "high"}, ("priorityClassName", "PriorityClass/high")),
        ({"runtimeClassName": "gvisor"}, ("runtimeClassName", "RuntimeClass/gvisor")),
        ({"serviceAccountName": "robot"}, ("serviceAccountName", "ServiceAccount/robot")),
        ({"imagePullSecrets": [{"name": "pull"}]}, ("imagePullSecrets[0].name", "Secret/pull")),
        ({"volumes": [{"secret": {"secretName": "s"}}]}, ("volumes[0].secret.secretName", "Secret/s")),
        ({"volumes": [{}, {"configMap": {"name": "c"}}]}, ("volumes[1].configMap.name", "ConfigMap/c")),
        (
            {"volumes": [{"persistentVolumeClaim": {"claimName": "data"}}]},
            ("volumes[0].persistentVolumeClaim.claimName", "PersistentVolumeClaim/data"),
        ),
        (
            {"volumes": [{"projected": {"sources": [{"secret": {"name": "s"}}]}}]},
            ("volumes[0].projected.sources[0].secret.name", "Secret/s"),
        ),
        (
            {"initContainers": [{"envFrom": [{"configMapRef": {"name": "c"}}]}]},
            ("initContainers[0].envFrom[0].configMapRef.name", "ConfigMap/c"),
        ),
        (
            {"containers": [{"env": [{"name": "A", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}}]}]},
            ("containers[0].env[0].valueFrom.secretKeyRef.name", "Secret/s"),
        ),
    ],
)
def test_what_pods_name(spec: Json, expected: tuple[str, str]) -> None:
    assert named(pod(**spec)) == [(f"spec.template.spec.{expected[0]}", expected[1])]


@pytest.mark.parametrize(
    "spec",
    [
        {"serviceAccountName": "default"},
        {"volumes": [{"secret": {"secretName": "s", "optional": True}}, {"emptyDir": {}}]},
        {"containers": [{"envFrom": [{"secretRef": {"name": "s", "optional": True}}]}]},
        {"imagePullSecrets": "no list", "volumes": [1, {"secret": "no mapping"}], "priorityClassName": 3},
        {"containers": [{"env": [{"valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}]}]},
    ],
)
def test_what_is_optional_or_nothing(spec: Json) -> None:
    assert named(pod(**spec)) == []


def test_what_the_release_brings_itself_is_left_out() -> None:
    own = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}}
    assert named(pod(imagePullSecrets=[{"name": "s"}, {"name": "other"}]), own) == [
        ("spec.template.spec.imagePullSecrets[1].name", "Secret/other")
    ]


def test_one_manifest_names_an_object_once() -> None:
    both = pod(containers=[{"envFrom": [{"secretRef": {"name": "s"}}]}, {"envFrom": [{"secretRef": {"name": "s"}}]}])
    assert len(named(both)) == 1


def test_the_class_of_an_ingress() -> None:
    assert named(ingress(spec={"ingressClassName": "nginx"})) == [("spec.ingressClassName", "IngressClass/nginx")]
    old = {"name": "a", "annotations": {"kubernetes.io/ingress.class": "alb"}}
    assert named(ingress(metadata=old)) == [("metadata.annotations[kubernetes.io/ingress.class]", "IngressClass/alb")]
    assert named(ingress()) == [("spec", "IngressClass/")]
    assert named(ingress(apiVersion="example.test/v1")) == []


def test_storage_classes_of_claims() -> None:
    claim = {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": "a"}}
    assert named({**claim, "spec": {"storageClassName": "fast"}}) == [("spec.storageClassName", "StorageClass/fast")]
    assert named({**claim, "spec": {"storageClassName": ""}}) == []
    sets = pod() | {"kind": "StatefulSet"}
    sets["spec"] = {**sets["spec"], "volumeClaimTemplates": [{"spec": {"storageClassName": "fast"}}]}
    assert named(sets) == [("spec.volumeClaimTemplates[0].spec.storageClassName", "StorageClass/fast")]
