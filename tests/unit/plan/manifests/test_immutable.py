"""Changes that Kubernetes refuses on objects that exist."""

from __future__ import annotations

from typing import Any

import pytest

from deployer.model import Json
from deployer.plan.manifests import immutable_changes
from tests.unit.plan.manifests import deployment, parse


def found(manifest: Json, live: Json) -> list[str]:
    return [f"{error.what} | {error.hint}" for error in immutable_changes(manifest, live)]


def test_a_selector_cannot_change() -> None:
    live = deployment()
    live["spec"]["selector"] = {"matchLabels": {"app": "old"}}
    assert found(deployment(), live) == [
        "Deployment/web: spec.selector cannot be changed on the object that exists | give the object another name, or "
        "delete it in the cluster first"
    ]
    live["spec"]["selector"] = {"matchLabels": {"app": "web"}}
    assert found(deployment(image="example.com/web:2"), live) == []


def test_defaults_of_the_server_do_not_count() -> None:
    job = parse(
        "{kind: Job, metadata: {name: j}, spec: {template: {spec: {containers: [{name: a, image: b,"
        " resources: {limits: {cpu: 0.5, memory: 1024Mi}}, env: []}]}}}}"
    )
    live = parse(
        "{kind: Job, metadata: {name: j}, spec: {completionMode: NonIndexed, selector: {matchLabels: {uid: x}},"
        " template: {metadata: {labels: {uid: x}}, spec: {dnsPolicy: ClusterFirst, containers: [{name: a, image: b,"
        " imagePullPolicy: Always, env: [], resources: {limits: {cpu: 500m, memory: 1Gi}}}]}}}}"
    )
    assert found(job, live) == []
    job["spec"]["template"]["spec"]["containers"][0]["image"] = "c"
    assert "Job/j: spec.template cannot be changed" in found(job, live)[0]


@pytest.mark.parametrize(
    ("wanted", "present", "field"),
    [
        ("10Gi", "20Gi", "spec.resources.requests.storage"),
        ("1G", "1Gi", "spec.resources.requests.storage"),
        ("20Gi", "10Gi", None),
        ("1024Mi", "1Gi", None),
    ],
)
def test_a_claim_can_only_grow(wanted: str, present: str, field: str | None) -> None:
    def claim(storage: str) -> Json:
        spec = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": storage}}}
        return {"kind": "PersistentVolumeClaim", "metadata": {"name": "c"}, "spec": spec}

    assert [field in text if field else text for text in found(claim(wanted), claim(present))] == (
        [True] if field else []
    )


@pytest.mark.parametrize(
    ("manifest", "live", "path"),
    [
        ("{kind: Secret, metadata: {name: a}, type: Opaque}", "{type: kubernetes.io/tls}", "type"),
        (
            "{kind: Secret, metadata: {name: a}, immutable: true, data: {a: Yg==}}",
            "{immutable: true, data: {a: Yw==}}",
            "data",
        ),
        ("{kind: ConfigMap, metadata: {name: a}, data: {a: b}}", "{immutable: true, data: {a: b}}", "immutable"),
        ("{kind: RoleBinding, metadata: {name: a}, roleRef: {name: x}}", "{roleRef: {name: y, kind: Role}}", "roleRef"),
        (
            "{kind: Service, metadata: {name: a}, spec: {clusterIP: None}}",
            "{spec: {clusterIP: 10.0.0.1}}",
            "spec.clusterIP",
        ),
        (
            "{kind: StatefulSet, metadata: {name: a}, spec: {serviceName: b}}",
            "{spec: {serviceName: c}}",
            "spec.serviceName",
        ),
        (
            "{kind: StatefulSet, metadata: {name: a}, spec: {volumeClaimTemplates: [{metadata: {name: d}}]}}",
            "{spec: {volumeClaimTemplates: [{metadata: {name: e}}]}}",
            "spec.volumeClaimTemplates",
        ),
        (
            "{kind: PersistentVolumeClaim, metadata: {name: a}, spec: {storageClassName: x}}",
            "{spec: {}}",
            "storageClassName",
        ),
    ],
)
def test_immutable(manifest: str, live: str, path: str) -> None:
    messages = found(parse(manifest), parse(live))
    assert len(messages) == 1
    assert f"{path} cannot be changed" in messages[0]


@pytest.mark.parametrize(
    ("manifest", "live"),
    [
        ("{kind: Secret, metadata: {name: a}, immutable: true, data: {a: Yg==}}", "{immutable: true, data: {a: Yg==}}"),
        ("{kind: Service, metadata: {name: a}, spec: {ports: []}}", "{spec: {clusterIP: 10.0.0.1}}"),
        ("{kind: StatefulSet, metadata: {name: a}, spec: {replicas: 3}}", "{spec: {replicas: 1, serviceName: x}}"),
        (
            "{kind: StatefulSet, metadata: {name: a}, spec: {serviceName: '', volumeClaimTemplates: []}}",
            "{spec: {replicas: 1}}",
        ),
        (
            "{kind: Job, metadata: {name: a}, spec: {template: {metadata: {annotations: {}}, spec: {containers: "
            "[{env: []}]}}}}",
            "{spec: {template: {metadata: {labels: {a: b}}, spec: {containers: [{name: a}]}}}}",
        ),
        ("{apiVersion: example.com/v1, kind: Thing, metadata: {name: a}, spec: {a: 1}}", "{spec: {a: 2}}"),
    ],
)
def test_mutable(manifest: str, live: Any) -> None:
    assert found(parse(manifest), parse(live)) == []
