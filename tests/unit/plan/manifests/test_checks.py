"""What is refused, with which words, and where."""

from __future__ import annotations

import datetime
from typing import Any

import pytest

from deployer.errors import ErrorGroup, Location
from deployer.model import Image
from deployer.plan.manifests import SourceManifest, prepare
from tests.unit.plan.manifests import APP, PLAIN_APP, SETTINGS, deployment, parse, prepared, problems, sources


def one(text: str) -> list[str]:
    return problems(parse(text))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "a manifest: is empty instead of a mapping"),
        ([], "a manifest: is a list instead of a mapping"),
        ("text", "a manifest: is a text instead of a mapping"),
        (3, "a manifest: is a number instead of a mapping"),
        ({}, "a manifest: has no apiVersion"),
    ],
)
def test_not_a_manifest(content: Any, message: str) -> None:
    found = problems(content)
    assert found[0].startswith(f"apps/myapp.yml:1: {message}")


def test_all_that_is_missing_is_told_at_once() -> None:
    assert problems({}) == [
        "apps/myapp.yml:1: a manifest: has no apiVersion | add apiVersion",
        "apps/myapp.yml:1: a manifest: has no kind | add kind",
        "apps/myapp.yml:1: a manifest: has no metadata | add metadata",
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "{apiversion: v1, kind: Secret, metadata: {name: a}}",
            "Secret/a: has no apiVersion | apiversion is probably a",
        ),
        (
            "{apiVersion: v1, kind: Secret, metdata: {name: a}}",
            "Secret: has no metadata | metdata is probably a misspelt",
        ),
        (
            "{apiVersion: v1, kind: Secret, metadata: {nam: a}}",
            "metadata has no name | nam is probably a misspelt name",
        ),
        ("{apiVersion: v1, kind: Secret, metadata: {name: 1}}", "metadata.name is not a text | put it in quotes"),
        ("{apiVersion: v1, kind: Secret, metadata: name}", "Secret: metadata is a text, not a mapping"),
        ("{apiVersion: v1, kind: Secret, metadata: {generateName: a-}}", "generateName is nothing Helm can manage"),
        ("{apiVersion: 1, kind: Secret, metadata: {name: a}}", "Secret/a: apiVersion is a number, not a text"),
        ("{apiVersion: v1, kind: Secret, metadata: {name: Big}}", "Secret/Big: metadata.name may only have lower-case"),
        ("{apiVersion: v1, kind: Service, metadata: {name: 1st}}", "beginning with a letter"),
        (
            f"{{apiVersion: batch/v1, kind: CronJob, metadata: {{name: {'a' * 53}}}}}",
            "53 characters; a CronJob may have 52",
        ),
        ("{apiVersion: v1, kind: Secret, metadata: {name: a, namespace: other}}", "is not default, the namespace of"),
        ("{apiVersion: v1, kind: Namespace, metadata: {name: a, namespace: default}}", "belongs to the whole cluster"),
        (
            "{apiVersion: v1, kind: Secret, metadata: {name: a}, dta: {}}",
            "Secret/a: dta is not a field of a Secret | did you mean data?",
        ),
        (
            "{apiVersion: v1, kind: ConfigMap, metadata: {name: a}, stringData: {}}",
            "stringData is not a field of a ConfigMap",
        ),
        (
            "{apiVersion: e.com/v1, kind: Thing, metadata: {name: a}, spce: {}}",
            "spce is not a field of a Thing | did you mean spec?",
        ),
        (
            "{apiVersion: apps/v1, kind: Deploymnet, metadata: {name: a}}",
            "is unknown in apps/v1 | did you mean Deployment?",
        ),
        ("{apiVersion: v1, kind: Deployment, metadata: {name: a}}", "v1 has no Deployment | write apps/v1"),
        ("{apiVersion: app/v1, kind: Deployment, metadata: {name: a}}", "app/v1 has no Deployment | write apps/v1"),
        ("{apiVersion: apps/v2, kind: Deployment, metadata: {name: a}}", "apps/v2 has no Deployment | write apps/v1"),
        (
            "{apiVersion: apiextensions.k8s.io/v1beta1, kind: CustomResourceDefinition, metadata: {name: a.b}}",
            "was removed in Kubernetes 1.22 | write it as apiextensions.k8s.io/v1",
        ),
        ("{apiVersion: policy/v1beta1, kind: PodSecurityPolicy, metadata: {name: a}}", "1.25 | nothing replaces it"),
        (
            "{apiVersion: extensions/v1beta1, kind: Ingress, metadata: {name: a}, spec: {backend: {serviceName: b}}}",
            "Ingress/a: spec.backend has no servicePort",
        ),
        (
            "{apiVersion: extensions/v1beta1, kind: Deployment, metadata: {name: a}, spec: {template: {}}}",
            "spec.selector is missing and the template has no labels",
        ),
        (
            "{apiVersion: admissionregistration.k8s.io/v1beta1, kind: MutatingWebhookConfiguration,"
            " metadata: {name: a}, webhooks: [{name: b}]}",
            "webhooks[0].sideEffects must say None or NoneOnDryRun",
        ),
        ("{apiVersion: v1, kind: Pod, metadata: {name: a}}", "Pod/a: spec is missing or not a mapping"),
        ("{apiVersion: v1, kind: Pod, metadata: {name: a}, spec: {}}", "spec.containers is missing or empty"),
        (
            "{apiVersion: v1, kind: Secret, metadata: {name: a}, data: {key: plain!}}",
            "data.key is not base64 | stringData",
        ),
        ("{apiVersion: v1, kind: Secret, metadata: {name: a}, stringData: {key: 1}}", "stringData.key is not a text"),
        ("{apiVersion: v1, kind: ConfigMap, metadata: {name: a}, data: {key: true}}", "data.key is not a text"),
        (
            "{apiVersion: v1, kind: ConfigMap, metadata: {name: a}, data: {8080: x}}",
            "data has a key that is not a text",
        ),
    ],
)
def test_refused(text: str, message: str) -> None:
    assert any(message in problem for problem in one(text)), one(text)


@pytest.mark.parametrize(
    ("metadata", "message"),
    [
        (
            {"labels": {"version": 1}},
            "metadata.labels.version is not a text | put it in quotes; a template that is one",
        ),
        ({"labels": {"version": "has space"}}, "metadata.labels.version may only have letters"),
        ({"labels": {"version": "a" * 64}}, "metadata.labels.version has 64 characters; 63 are allowed"),
        ({"labels": {"bad key": "x"}}, "metadata.labels[bad key] is not a valid key"),
        ({"labels": {"UPPER/key": "x"}}, "has a prefix that is not a DNS name"),
        ({"labels": []}, "metadata.labels is not a mapping"),
        ({"annotations": {"on": True}}, "metadata.annotations.on is not a text"),
        ({"annotations": {"big": "x" * 262_144}}, "metadata.annotations has 262,147 bytes"),
        (
            {"annotations": {"helm.sh/hook": "pre-instal"}},
            "pre-instal is nothing Helm knows | did you mean pre-install?",
        ),
        ({"annotations": {"helm.sh/hook-weight": "first"}}, "is not a whole number"),
        ({"annotations": {"helm.sh/hook-delete-policy": "never"}}, "never is nothing Helm knows"),
    ],
)
def test_metadata_is_refused(metadata: dict[str, Any], message: str) -> None:
    found = problems({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "a", **metadata}})
    assert any(message in problem for problem in found), found


@pytest.mark.parametrize(
    ("container", "message"),
    [
        ({"name": None}, "containers[0] has no name"),
        ({"name": "Web"}, "containers[0].name may only have lower-case"),
        ({"image": None}, "containers[0] has no image"),
        ({"image": "example.com/web: 1"}, "containers[0].image has white space in it"),
        ({"args": ["--port", 8080]}, "containers[0].args[1] is not a text | put it in quotes"),
        ({"command": "sh -c true"}, "containers[0].command is not a list"),
        ({"ports": [{"containerPort": "80"}]}, "ports[0].containerPort is not a number from 1 to 65535"),
        ({"env": {"A": "b"}}, "containers[0].env is not a list"),
        ({"env": ["A=b"]}, "containers[0].env[0] is not a mapping"),
        ({"env": [{"value": "b"}]}, "env[0].name is missing"),
        ({"env": [{"name": "A", "value": {"b": 1}}]}, "env[0].value A is a mapping, not a text"),
        ({"env": [{"name": "A", "value": datetime.date(2024, 1, 1)}]}, "env[0].value is read as a date by YAML"),
        ({"env": [{"name": "A", "value": float("nan")}]}, "env[0].value is not a finite number"),
        ({"env": [{"name": "A", "value": b"bytes"}]}, "env[0].value is a bytes, which a manifest cannot hold"),
        ({"env": [{"name": "A", "value": "\ud800"}]}, "env[0].value holds half of a surrogate pair"),
    ],
)
def test_container_is_refused(container: dict[str, Any], message: str) -> None:
    found = problems(deployment(**container))
    assert any(message in problem for problem in found), found


def test_two_containers_of_one_name() -> None:
    manifest = deployment()
    spec = manifest["spec"]["template"]["spec"]
    spec["initContainers"] = [{"name": "web", "image": "example.com/setup:1"}]
    assert problems(manifest) == [
        "apps/myapp.yml:1: Deployment/web: spec.template.spec.containers[0].name web is taken by another container of "
        "the pod | choose another"
    ]


@pytest.mark.parametrize(
    ("selector", "message"),
    [
        (None, "spec.selector is missing or empty"),
        ({"matchLabels": {"app": "other"}}, "spec.selector.matchLabels.app is not what the pod template's labels say"),
        ({"matchLabels": {"app": 1}}, "spec.selector.matchLabels.app is not a text"),
        (
            {"matchExpressions": [{"key": "app", "operator": "NotIn", "values": ["web"]}]},
            "matchExpressions[0] does not",
        ),
        ({"matchExpressions": [{"key": "app", "operator": "DoesNotExist"}]}, "matchExpressions[0] does not choose"),
    ],
)
def test_selector_is_refused(selector: Any, message: str) -> None:
    manifest = deployment()
    manifest["spec"]["selector"] = selector
    assert any(message in problem for problem in problems(manifest))


@pytest.mark.parametrize("replicas", ["2", True, -1, 1.5])
def test_replicas_are_a_number(replicas: Any) -> None:
    manifest = deployment()
    manifest["spec"]["replicas"] = replicas
    assert "spec.replicas is not a whole number of 0 or more" in problems(manifest)[0]


def test_the_same_object_twice() -> None:
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "a"}}
    assert problems(secret, dict(secret)) == [
        "apps/myapp.yml:2: Secret/a is there twice (the first is at apps/myapp.yml:1) | remove one, or give it another "
        "name"
    ]


def test_another_api_version_is_the_same_object() -> None:
    old = {"apiVersion": "autoscaling/v1", "kind": "HorizontalPodAutoscaler", "metadata": {"name": "a"}}
    assert "is there twice" in problems(old, {**old, "apiVersion": "autoscaling/v2"})[0]


def test_errors_of_all_manifests_come_together() -> None:
    with pytest.raises(ErrorGroup) as caught:
        prepared(None, deployment(image=None), {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "A"}})
    assert len(caught.value.errors) == 3
    assert caught.value.exit_code == 2


def test_runaway_aliases_and_cycles_end() -> None:
    bomb: list[Any] = ["x"]
    for _ in range(12):
        bomb = [bomb] * 8
    assert "has more than 100,000 values" in problems({**deployment(), "status": bomb})[0]
    cycle: dict[str, Any] = deployment()
    cycle["spec"]["template"]["spec"]["again"] = cycle
    assert "is nested more than 64 levels deep" in problems(cycle)[0]


def test_a_value_is_never_told() -> None:
    manifest = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "a", "labels": {"x": "hunter2!"}}}
    manifest["data"] = {"password": "hunter2!"}
    found = problems(manifest)
    assert len(found) == 2
    assert "hunter2" not in "".join(found)


def test_places_come_from_the_nearest_part_that_has_one() -> None:
    places: dict[tuple[str | int, ...], Location] = {
        ("metadata",): Location("apps/a.yml", 4),
        ("metadata", "labels", "x"): Location("apps/a.yml", 6, 9),
    }
    content = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "A", "labels": {"x": 1}}}
    source = SourceManifest(content, Location("apps/a.yml", 2), lambda path: places.get(path))
    with pytest.raises(ErrorGroup) as caught:
        prepare([source], SETTINGS, PLAIN_APP)
    assert [str(error.where) for error in caught.value.errors] == ["apps/a.yml:4", "apps/a.yml:6:9"]


def test_items_of_a_list_have_their_places() -> None:
    content = {"apiVersion": "v1", "kind": "List", "items": [None]}

    def locate(path: tuple[str | int, ...]) -> Location | None:
        return Location("a.yml", 9) if path == ("items", 0) else None

    with pytest.raises(Exception, match=r"a\.yml:9: a manifest: is empty"):
        prepare([SourceManifest(content, None, locate)], SETTINGS, PLAIN_APP)


def test_the_input_is_left_as_it_is() -> None:
    manifest = deployment(env=[{"name": "A", "value": 1}])
    prepared(manifest)
    assert manifest == deployment(env=[{"name": "A", "value": 1}])


def test_aliases_are_not_shared_in_the_result() -> None:
    env = [{"name": "A", "value": 1}]
    manifest = deployment(env=env)
    manifest["spec"]["template"]["spec"]["initContainers"] = [{"name": "i", "image": "i", "env": env}]
    containers = prepared(manifest).objects[0]["spec"]["template"]["spec"]
    assert containers["containers"][0]["env"] is not containers["initContainers"][0]["env"]


def test_an_image_that_nobody_uses_is_a_warning() -> None:
    image = Image("registry.example.com", "myapp", "1-abc", "sha256:1")
    result = prepare(sources(deployment()), SETTINGS, APP, image)
    assert [str(warning) for warning in result.warnings] == [
        "no container of myapp uses the image that its Docker part makes"
    ]
    assert "registry.example.com/myapp:1-abc" in result.warnings[0].hint


def test_a_service_without_pods_is_a_warning() -> None:
    service = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "a"}, "spec": {"selector": {"app": "wbe"}}}
    assert [str(warning) for warning in prepared(deployment(), service).warnings] == [
        "apps/myapp.yml:2: Service/a: spec.selector chooses none of this app's pods"
    ]
    service["spec"] = {"selector": {"app": "web"}}
    assert prepared(deployment(), service).warnings == ()


def test_a_variable_set_twice_is_a_warning() -> None:
    result = prepared(deployment(env=[{"name": "A", "value": "1"}, {"name": "A", "value": "2"}]))
    assert "sets A for a second time" in str(result.warnings[0])


def test_hooks_members_keys_and_hosts() -> None:
    result = prepared(
        deployment(),
        parse("{apiVersion: v1, kind: ConfigMap, metadata: {name: hook, annotations: {helm.sh/hook: pre-install}}}"),
        parse("{apiVersion: rbac.authorization.k8s.io/v1, kind: ClusterRole, metadata: {name: role}}"),
        parse(
            "{apiVersion: networking.k8s.io/v1, kind: Ingress, metadata: {name: i},"
            " spec: {rules: [{host: a.example.com}, {host: b.example.com}, {host: a.example.com}, {http: {}}]}}"
        ),
    )
    assert [manifest["metadata"]["name"] for manifest in result.hooks] == ["hook"]
    assert [manifest["metadata"]["name"] for manifest in result.members] == ["web", "role", "i"]
    assert [(str(key), key.namespace) for key in result.keys] == [
        ("Deployment/web", "default"),
        ("ConfigMap/hook", "default"),
        ("ClusterRole/role", None),
        ("Ingress/i", "default"),
    ]
    assert result.hosts == ("a.example.com", "b.example.com")


def test_no_manifests_at_all() -> None:
    assert prepared().objects == ()
