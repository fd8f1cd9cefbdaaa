"""Secrets leave the manifests: what is lifted, how it is called, and what is refused."""

from __future__ import annotations

import base64
import copy
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deployer.errors import DeployError, Location
from deployer.model import Json, Secret, Settings
from deployer.model.basics import FROM_ENVIRONMENT
from deployer.plan.manifests import PreparedManifests, SourceManifest, prepare
from deployer.plan.manifests.lifted import digest, is_ours, looks_lifted, same_secret, secret_of, secrets_named
from deployer.plan.paths import Path
from tests.unit.plan.manifests import PLAIN_APP, deployment, parse

KEY = Secret("k" * 64)
PODS: Path = ("spec", "template", "spec")
ENV: Path = (*PODS, "containers", 0, "env")
NAMES = frozenset({"Values.web.PASSWORD"})


def lifted(*manifests: tuple[Json, list[Path]], key: Secret | None = KEY) -> PreparedManifests:
    sources = [
        SourceManifest(copy.deepcopy(content), Location("apps/web.yml", line), secrets=dict.fromkeys(paths, NAMES))
        for line, (content, paths) in enumerate(manifests, 1)
    ]
    return prepare(sources, Settings("eu-west-2", fingerprint_key=key, namespace="shop"), PLAIN_APP)


def refused(*manifests: tuple[Json, list[Path]]) -> list[str]:
    with pytest.raises(DeployError) as caught:
        lifted(*manifests)
    return [f"{leaf.where}: {leaf.what} | {leaf.hint}" for leaf in caught.value.leaves()]


def env(*entries: Any, secret: tuple[int, ...] = (0,), **container: Any) -> tuple[Json, list[Path]]:
    return deployment(env=list(entries), **container), [(*ENV, index, "value") for index in secret]


def data(secret: Json) -> dict[str, str]:
    return {name: base64.b64decode(value).decode() for name, value in secret["data"].items()}


def env_of(prepared: PreparedManifests) -> list[Json]:
    result: list[Json] = prepared.objects[0]["spec"]["template"]["spec"]["containers"][0]["env"]
    return result


def test_a_secret_in_the_environment_becomes_a_reference() -> None:
    prepared = lifted(env({"name": "PASSWORD", "value": "s3cret"}, {"name": "PLAIN", "value": "as it is"}))
    (secret,) = prepared.lifted
    name = secret["metadata"]["name"]
    assert env_of(prepared) == [
        {"name": "PASSWORD", "value": "", "valueFrom": {"secretKeyRef": {"name": name, "key": "web.PASSWORD"}}},
        {"name": "PLAIN", "value": "as it is"},
    ]
    assert data(secret) == {"web.PASSWORD": "s3cret"}
    assert re.fullmatch(r"web-[0-9a-f]{20}", name)
    assert looks_lifted(name)
    assert not any("s3cret" in text or base64.b64encode(b"s3cret").decode() in text for text in prepared.texts)
    assert "s3cret" not in repr(prepared)
    assert secret["immutable"] is True
    assert secret["type"] == "Opaque"
    assert secret["metadata"]["namespace"] == "shop"
    assert is_ours(secret, "myapp")
    assert not is_ours(secret, "other")
    assert secret not in prepared.objects
    assert same_secret(secret, secret)


def test_the_name_changes_with_the_content_the_workload_and_the_key_alone() -> None:
    def name(value: str = "s3cret", workload: str = "web", key: Secret | None = KEY, **more: Any) -> str:
        manifest, paths = env({"name": "PASSWORD", "value": value}, **more)
        manifest["metadata"]["name"] = workload
        return str(lifted((manifest, paths), key=key).lifted[0]["metadata"]["name"])

    assert name() == name() == name(image="example.com/web:2")
    assert len({name(), name("other"), name(workload="work"), name(key=Secret("x")), name(key=None)}) == 5


def test_each_pod_template_has_a_secret_with_just_what_it_uses() -> None:
    template = {"spec": {"restartPolicy": "Never", "containers": [container("job", "J")]}}
    cron = {"schedule": "* * * * *", "jobTemplate": {"spec": {"template": template}}}
    manifests: list[tuple[Json, list[Path]]] = [
        env({"name": "A", "value": "one"}, {"name": "B", "value": "two"}, secret=(0, 1)),
        (
            {"apiVersion": "batch/v1", "kind": "CronJob", "metadata": {"name": "cron"}, "spec": cron},
            [("spec", "jobTemplate", "spec", "template", "spec", "containers", 0, "env", 0, "value")],
        ),
        (
            {
                "apiVersion": "v1",
                "kind": "Pod",
                "metadata": {"name": "pod"},
                "spec": {"containers": [container("main", "C")], "initContainers": [container("init", "I")]},
            },
            [("spec", section, 0, "env", 0, "value") for section in ("containers", "initContainers")],
        ),
        (
            {
                "apiVersion": "batch/v1",
                "kind": "Job",
                "metadata": {"name": "hook", "annotations": {"helm.sh/hook": "pre-upgrade"}},
                "spec": {"template": template},
            },
            [("spec", "template", "spec", "containers", 0, "env", 0, "value")],
        ),
    ]
    assert [data(secret) for secret in lifted(*manifests).lifted] == [
        {"web.A": "one", "web.B": "two"},
        {"job.J": "J"},
        {"init.I": "I", "main.C": "C"},
        {"job.J": "J"},
    ]
    assert len({secret["metadata"]["name"] for secret in lifted(*manifests).lifted}) == 4


def container(name: str, variable: str) -> Json:
    return {"name": name, "image": "example.com/x:1", "env": [{"name": variable, "value": variable}]}


def test_what_is_no_text_is_made_one_first() -> None:
    prepared = lifted(
        env({"name": "N", "value": 12}, {"name": "B", "value": True}, {"name": "E", "value": ""}, secret=(0, 1, 2))
    )
    assert data(prepared.lifted[0]) == {"web.N": "12", "web.B": "true", "web.E": ""}


def test_a_name_given_twice_keeps_both_values_in_their_order() -> None:
    prepared = lifted(env({"name": "P", "value": "one"}, {"name": "P", "value": "two"}, secret=(0, 1)))
    keys = [entry["valueFrom"]["secretKeyRef"]["key"] for entry in env_of(prepared)]
    assert [data(prepared.lifted[0])[key] for key in keys] == ["one", "two"]


@pytest.mark.parametrize("path", [ENV, (*ENV, 0)])
def test_of_a_list_or_an_item_made_by_one_expression_every_value_is_lifted(path: Path) -> None:
    manifest = deployment(env=[{"name": "P", "value": "one"}])
    assert data(lifted((manifest, [path])).lifted[0]) == {"web.P": "one"}


def test_a_variable_of_this_process_is_lifted_but_nobodys_secret_elsewhere() -> None:
    names = frozenset({f"{FROM_ENVIRONMENT} BUILD"})
    manifest = deployment(env=[{"name": "BUILD", "value": "7"}], args=["--build=7"])
    source = SourceManifest(manifest, secrets={(*ENV, 0, "value"): names, (*PODS, "containers", 0, "args", 0): names})
    prepared = prepare([source], Settings("eu-west-2", fingerprint_key=KEY), PLAIN_APP)
    assert data(prepared.lifted[0]) == {"web.BUILD": "7"}


# What Kubernetes would have made of the value.


@pytest.mark.parametrize(
    ("before", "value", "expected"),
    [
        ([], "pa$$word$(", "pa$word$("),
        ([], "$$(USER)", "$(USER)"),
        ([{"name": "USER", "value": "bob"}], "$(USER):pw", "bob:pw"),
        ([{"name": "A", "value": "a$$"}, {"name": "B", "value": "$(A)b"}], "$(B)", "a$b"),
        ([], "$(NOTHING)", "$(NOTHING)"),
    ],
)
def test_references_and_escapes_mean_what_they_mean_to_kubernetes(
    before: list[Json], value: str, expected: str
) -> None:
    entries = [*before, {"name": "SECRET", "value": value}, {"name": "NOTHING", "value": "later"}]
    prepared = lifted(env(*entries, secret=(len(before),)))
    assert data(prepared.lifted[0]) == {"web.SECRET": expected}
    assert [entry.get("value") for entry in env_of(prepared)[: len(before)]] == [one["value"] for one in before]


def test_a_lifted_variable_may_be_used_by_others() -> None:
    entries = [
        {"name": "PASSWORD", "value": "pw"},
        {"name": "URL", "value": "db://$(PASSWORD)@host"},
        {"name": "BOTH", "value": "$(URL)"},
    ]
    prepared = lifted(env(*entries, secret=(0, 2)))
    assert env_of(prepared)[1] == entries[1]
    assert data(prepared.lifted[0]) == {"web.PASSWORD": "pw", "web.BOTH": "db://pw@host"}


def test_what_only_the_cluster_knows_cannot_be_put_in() -> None:
    of_pod = {"name": "POD", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}
    (one,) = refused(env(of_pod, {"name": "X", "value": "$(POD)-pw"}, secret=(1,)))
    assert one.startswith("apps/web.yml:1: Deployment/web: ")
    assert "env[1].value holds a secret beside $(POD)" in one
    assert "a variable of its own" in one
    both = env({"name": "X", "value": "$(ANY)-pw"}, envFrom=[{"configMapRef": {"name": "c"}}])
    assert "$(ANY)" in refused(both)[0]


# Files.


def volume(**volume: Any) -> Json:
    manifest = deployment()
    manifest["spec"]["template"]["spec"]["volumes"] = [{"name": "files", **volume}]
    return manifest


def test_a_file_written_inline_becomes_a_secret_of_its_own() -> None:
    inline = {"stringData": {"app.ini": "pw=1"}, "data": {"key.bin": "AAH/"}, "defaultMode": 0o400, "optional": False}
    prepared = lifted((volume(secret=inline), []))
    (secret,) = prepared.lifted
    assert secret["data"] == {"app.ini": base64.b64encode(b"pw=1").decode(), "key.bin": "AAH/"}
    name = secret["metadata"]["name"]
    assert prepared.objects[0]["spec"]["template"]["spec"]["volumes"] == [
        {"name": "files", "secret": {"secretName": name, "defaultMode": 0o400, "optional": False}}
    ]
    assert secrets_named(prepared.objects[0]) == {name}


def test_projected_files_are_lifted_one_by_one() -> None:
    items = [{"key": "a", "path": "dir/a"}]
    sources = [
        {"secret": {"stringData": {"a": "1"}, "items": items}},
        {"secret": {"stringData": {"a": "1"}}},
        {"secret": {"name": "theirs"}},
    ]
    prepared = lifted((volume(projected={"sources": sources}), []))
    names = [secret["metadata"]["name"] for secret in prepared.lifted]
    assert len(set(names)) == 2
    assert secrets_named(prepared.objects[0]) == {*names, "theirs"}


def test_secrets_may_stand_in_files() -> None:
    paths: list[Path] = [(*PODS, "volumes", 0, "secret", "stringData", "a"), (*PODS, "volumes", 0, "secret", "data")]
    assert lifted((volume(secret={"stringData": {"a": "x"}, "data": {}}), paths)).lifted


@pytest.mark.parametrize(
    ("inline", "problem"),
    [
        ({"stringData": {"a/b": "x"}}, "no name for a file"),
        ({"stringData": {"..": "x"}}, "no name for a file"),
        ({"stringData": {"a": 1}}, "is not a text"),
        ({"stringData": ["a"]}, "is not a mapping"),
        ({"data": {"a": "%%"}}, "is not base64"),
        ({"stringData": {"a": "x"}, "secretName": "b"}, "has secretName beside its content"),
        ({"stringData": {"a": "x" * 1_048_577}}, "makes a Secret of 1,048,577 bytes"),
    ],
)
def test_files_that_no_secret_can_hold_are_refused(inline: Json, problem: str) -> None:
    (one,) = refused((volume(secret=inline), []))
    assert problem in one
    assert one.startswith("apps/web.yml:1: Deployment/web: spec.template.spec.volumes[0].secret")


def test_an_environment_that_no_secret_can_hold_is_refused() -> None:
    (one,) = refused(env({"name": "P", "value": "x" * 1_048_577}))
    assert "env[0].value makes a Secret of 1,048,577 bytes" in one


# In the open.


def test_every_secret_in_the_open_is_told_at_once() -> None:
    config_map = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c"}, "data": {"a": "x"}}
    web = deployment(args=["x"], env=[{"name": "P", "value": "x"}])
    web["metadata"]["annotations"] = {"note": "x"}
    paths: list[Path] = [
        ("metadata", "annotations", "note"),
        (*PODS, "containers", 0, "args", 0),
        (*ENV, 0, "name"),
        (*ENV, 0, "value"),
        ("spec", "replicas"),
    ]
    errors = refused((config_map, [("data", "a")]), (web, paths))
    assert [error.partition(" | ")[0] for error in errors] == [
        "apps/web.yml:1: ConfigMap/c: data.a holds a secret: Values.web.PASSWORD",
        "apps/web.yml:2: Deployment/web: metadata.annotations.note holds a secret: Values.web.PASSWORD",
        "apps/web.yml:2: Deployment/web: spec.template.spec.containers[0].args[0] holds a secret: Values.web.PASSWORD",
        "apps/web.yml:2: Deployment/web: spec.template.spec.containers[0].env[0].name holds a secret: "
        "Values.web.PASSWORD",
        "apps/web.yml:2: Deployment/web: spec.replicas holds a secret: Values.web.PASSWORD",
    ]
    assert "env or to a file in a volume" in errors[0]


def test_an_apps_own_secret_stays_what_it_is() -> None:
    own = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "own"}, "stringData": {"a": "x"}}
    prepared = lifted((own, [("stringData", "a")]))
    assert prepared.lifted == ()
    assert prepared.objects == (own,)
    assert "metadata.name" in refused((own, [("metadata", "name")]))[0]


def test_a_custom_resource_hides_nothing() -> None:
    rollout = {**deployment(env=[{"name": "P", "value": "x"}]), "apiVersion": "example.com/v1"}
    assert "holds a secret" in refused((rollout, [(*ENV, 0, "value")]))[0]


@pytest.mark.parametrize("version", ["apps/v1beta3", "extensions/v1", "batch/v1", "v1"])
def test_a_version_that_the_kind_never_had_hides_nothing(version: str) -> None:
    """It is neither converted nor lifted: the secret would stay in it."""
    mistaken = {**deployment(env=[{"name": "P", "value": "x"}]), "apiVersion": version}
    assert "holds a secret" in refused((mistaken, [(*ENV, 0, "value")]))[0]


def test_an_item_of_a_list_knows_its_secrets() -> None:
    manifest, paths = env({"name": "P", "value": "x"})
    several: Json = {"apiVersion": "v1", "kind": "List", "items": [deployment(), manifest]}
    several["items"][0]["metadata"]["name"] = "other"
    assert data(lifted((several, [("items", 1, *paths[0])])).lifted[0]) == {"web.P": "x"}
    assert "where in it cannot be told" in refused((several, [("items",)]))[0]


# Names.


@given(workload=st.text(max_size=300), content=st.dictionaries(st.text(max_size=5), st.binary(max_size=5), max_size=4))
def test_any_workload_gives_a_valid_name(workload: str, content: dict[str, bytes]) -> None:
    workload = workload.encode("utf-8", "replace").decode()
    content = {name.encode("utf-8", "replace").decode(): value for name, value in content.items()}
    secret = secret_of(content, workload=("Job", workload), part="env", release="r", namespace="n", key=b"k")
    name = secret["metadata"]["name"]
    assert re.fullmatch(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?", name)
    assert len(name) <= 63
    assert looks_lifted(name)


@given(
    one=st.dictionaries(st.text("ab", max_size=3), st.binary(max_size=3), max_size=3),
    other=st.dictionaries(st.text("ab", max_size=3), st.binary(max_size=3), max_size=3),
)
def test_only_the_same_content_has_the_same_digest(one: dict[str, bytes], other: dict[str, bytes]) -> None:
    assert (digest(b"k", ("a", "b"), one) == digest(b"k", ("a", "b"), other)) == (one == other)
    assert digest(b"k", ("ab", ""), one) != digest(b"k", ("a", "b"), one)


@pytest.mark.parametrize(
    "text",
    [
        "{kind: Pod, spec: {containers: [{env: [{valueFrom: {secretKeyRef: {name: a}}}]}]}}",
        "{kind: Pod, spec: {ephemeralContainers: [{envFrom: [{secretRef: {name: a}}]}]}}",
        "{kind: ReplicaSet, spec: {template: {spec: {volumes: [{secret: {secretName: a}}]}}}}",
        "{kind: CronJob, spec: {jobTemplate: {spec: {template: {spec: {volumes: [{secret: {secretName: a}}]}}}}}}",
        "{kind: ControllerRevision, data: {spec: {template: {spec: {volumes: [{secret: {secretName: a}}]}}}}}",
        "{kind: Pod, spec: {volumes: [{projected: {sources: [{secret: {name: a}}]}}]}}",
    ],
)
def test_what_pods_use_is_found_in_every_kind(text: str) -> None:
    assert secrets_named(parse(text)) == {"a"}


def test_an_object_without_pods_names_no_secrets() -> None:
    assert secrets_named({"kind": "Service", "spec": {}}) == set()
