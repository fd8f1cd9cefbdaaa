"""What a plan would change, seen beside what is live: values, but no noise and no secret."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

import pytest

from deployer.masking import MARK, Masker
from deployer.model import DeploymentRecord, Image, Json, ObjectKey, Target
from deployer.model.changes import FieldChange, ImageChange, ObjectChange, PodsChange, Preview
from deployer.plan.diff.preview import Seen, preview, same_basis
from deployer.plan.facts import Comparison
from deployer.plan.manifests import PreparedManifests, object_key
from deployer.plan.manifests.canonical import canonical_text
from deployer.plan.steps import TargetPlan
from tests.fakes import make_revision
from tests.unit.plan.manifests import deployment

TARGET = Target("prod", "london", "web")
CONFIG: Json = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "web"}, "data": {"a": "1\n2\n3\n"}}
SECRET = "correct-horse-battery"
MASKER = Masker([SECRET])


def served(manifest: Json, **status: Any) -> Json:
    """A manifest as the server has it: with defaults, marks and what controllers write."""
    live = copy.deepcopy(manifest)
    live["metadata"] |= {"uid": "1", "resourceVersion": "7", "generation": 3, "managedFields": [{"manager": "helm"}]}
    live["metadata"].setdefault("annotations", {})["deployment.kubernetes.io/revision"] = "4"
    live["status"] = status
    if live["kind"] == "Deployment":
        live["spec"] = {"progressDeadlineSeconds": 600, "replicas": 1, **live["spec"]}
        for container in live["spec"]["template"]["spec"]["containers"]:
            container.setdefault("terminationMessagePath", "/dev/termination-log")
    return live


def previewed(
    new: Sequence[Json], old: Sequence[Json] = (), *, live: list[Json] | None = None, plan: TargetPlan | None = None
) -> Preview:
    """The preview of going from manifests to manifests on a server that does what it is told."""
    present = {object_key(one, "default"): one for one in (live if live is not None else [served(one) for one in old])}
    keys = tuple(object_key(one, "default") for one in new)
    gone = tuple(object_key(one, None) for one in old if object_key(one, "default") not in keys)
    answers = {key: served(one) for key, one in zip(keys, new, strict=True) if key in present}
    prepared = PreparedManifests("default", tuple(new), tuple(map(canonical_text, new)))
    record = DeploymentRecord("d-1", "web", "prod", "london", version="1.0", tag="1.0-abc")
    current = make_revision(4, manifests=tuple(map(canonical_text, old)), record=record) if old else None
    comparison = Comparison({key: present.get(key) for key in keys}, answers)
    plan = plan or TargetPlan(TARGET, release_action="upgrade" if old else "install", deletions=gone)
    return preview(plan, Seen(prepared, comparison, current, version="1.1"), MASKER.mask)


def fields(result: Preview) -> dict[str, tuple[Any, Any]]:
    return {each.path: (each.old, each.new) for one in result.objects for each in one.fields}


def with_spec(manifest: Json, **spec: Any) -> Json:
    return {**manifest, "spec": {**manifest["spec"], **spec}}


def test_what_servers_write_is_no_change() -> None:
    result = previewed([deployment(), CONFIG], [deployment(), CONFIG])
    assert (result.objects, result.unchanged) == ((), 2)


def test_a_changed_field_is_told_with_both_values_and_what_becomes_of_the_pods() -> None:
    result = previewed([with_spec(deployment(image="example.com/web:2"), replicas=3)], [deployment()])
    assert fields(result) == {
        "spec.replicas": (1, 3),
        "spec.template.spec.containers[web].image": ("example.com/web:1", "example.com/web:2"),
    }
    key = ObjectKey("apps/v1", "Deployment", "default", "web")
    assert result.pods == (PodsChange(key, restarts=True, before=1, after=3),)


def test_another_number_of_replicas_restarts_nothing() -> None:
    (effect,) = previewed([with_spec(deployment(), replicas=3)], [deployment()]).pods
    assert (effect.restarts, effect.before, effect.after) == (False, 1, 3)


@pytest.mark.parametrize(
    ("kind", "spec", "restarts", "count", "word"),
    [
        ("Deployment", {"strategy": {"type": "Recreate"}}, True, 1, "all at once"),
        ("StatefulSet", {"replicas": 2}, True, 2, ""),
        ("StatefulSet", {"updateStrategy": {"type": "OnDelete"}}, False, 1, "only when somebody deletes them"),
        ("DaemonSet", {}, True, 5, ""),
        ("ReplicaSet", {}, False, 1, "only when somebody deletes them"),
    ],
)
def test_what_a_new_template_means_depends_on_the_kind(
    kind: str, spec: Json, restarts: bool, count: int, word: str
) -> None:
    old, new = ({**with_spec(deployment(image=image), **spec), "kind": kind} for image in ("a:1", "a:2"))
    (effect,) = previewed([new], [old], live=[served(old, desiredNumberScheduled=5)]).pods
    assert (effect.restarts, effect.after) == (restarts, count)
    assert word in effect.note


@pytest.mark.parametrize(
    ("answers", "told"),
    [
        (True, FieldChange("spec.replicas", "changed", 3, 1)),
        (False, FieldChange("spec.replicas", "removed", 3, None)),
    ],
)
def test_a_field_that_its_author_takes_away_goes(answers: bool, told: FieldChange) -> None:
    """Where a field has a default, the server says so; where it has not answered, nobody does."""
    old, new = with_spec(deployment(), replicas=3), deployment()
    key = object_key(new, "default")
    prepared = PreparedManifests("default", (new,), (canonical_text(new),))
    current = make_revision(1, manifests=(canonical_text(old),))
    seen = Seen(prepared, Comparison({key: served(old)}, {key: served(new)} if answers else {}), current)
    (change,) = preview(TargetPlan(TARGET, release_action="upgrade"), seen, str).objects
    assert change.fields == (told,)


def test_a_new_part_is_shown_as_its_author_wrote_it() -> None:
    old = deployment()
    new = copy.deepcopy(old)
    new["spec"]["template"]["spec"]["containers"].append({"name": "side", "image": "side:1"})
    assert fields(previewed([new], [old])) == {
        "spec.template.spec.containers[side]": (None, {"name": "side", "image": "side:1"})
    }
    assert fields(previewed([old], [new])) == {
        "spec.template.spec.containers[side]": ({"name": "side", "image": "side:1"}, None)
    }


def test_texts_of_several_lines_are_told_whole() -> None:
    assert fields(previewed([{**CONFIG, "data": {"a": "1\n9\n3\n"}}], [CONFIG])) == {
        "data.a": ("1\n2\n3\n", "1\n9\n3\n")
    }
    assert fields(previewed([{**CONFIG, "data": {}}], [CONFIG])) == {"data.a": ("1\n2\n3\n", None)}


def test_what_is_new_and_what_goes() -> None:
    """Keys of what goes know no namespace where the manifests did not say it."""
    claim: Json = {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": "files", "annotations": {"helm.sh/resource-policy": "keep"}},
    }
    stateful = with_spec({**deployment(), "kind": "StatefulSet"}, volumeClaimTemplates=[{"metadata": {"name": "data"}}])
    result = previewed([deployment(), CONFIG], [claim, stateful])
    told = {(str(one.key), one.action): one.facts for one in result.objects}
    assert told == {
        ("Deployment/web", "create"): ("1 pod", "image example.com/web:1"),
        ("ConfigMap/web", "create"): ("key a",),
        ("PersistentVolumeClaim/files", "keep"): ("kept with its data: it is only no longer part of the release",),
        ("StatefulSet/web", "delete"): ("1 pod ends", "claimed volumes stay: data-web-*"),
    }
    assert result.unchanged == 0


# Secrets.


def in_env(value: str) -> Json:
    return deployment(env=[{"name": "PASSWORD", "value": value}])


PASSWORD = "spec.template.spec.containers[web].env[PASSWORD]"


def test_a_value_that_is_known_to_be_secret_is_never_told() -> None:
    for old, new in (("hello", SECRET), (SECRET, "hello")):
        result = previewed([in_env(new)], [in_env(old)])
        assert result.objects[0].fields == (FieldChange(f"{PASSWORD}.value", "changed", secret=True),)
        assert SECRET not in repr(result)
    result = previewed([deployment(args=[f"--password={SECRET}"])], [deployment()])
    assert SECRET not in repr(result)


def test_a_value_that_goes_may_have_been_a_secret_of_its_time() -> None:
    lost = "a secret that no file knows any more"
    referring = deployment(env=[{"name": "PASSWORD", "valueFrom": {"secretKeyRef": {"name": "x", "key": "y"}}}])
    for new in (referring, deployment(), deployment(env=[{"name": "OTHER", "value": "1"}])):
        assert lost not in repr(previewed([new], [in_env(lost)]))
    side = copy.deepcopy(in_env(lost))
    side["spec"]["template"]["spec"]["containers"][0]["name"] = "side"
    side["spec"]["template"]["spec"]["containers"].append({"name": "web", "image": "example.com/web:1"})
    result = previewed([deployment()], [side])
    assert lost not in repr(result)
    assert MARK in repr(result)


def test_a_plain_value_is_told() -> None:
    level = [deployment(env=[{"name": "LEVEL", "value": value}]) for value in ("old", "new")]
    place = f"{PASSWORD.replace('PASSWORD', 'LEVEL')}.value"
    assert fields(previewed(level[1:], level[:1])) == {place: ("old", "new")}
    assert fields(previewed(level[1:], [deployment()])) == {
        place.replace("[LEVEL].value", ""): (None, level[1]["spec"]["template"]["spec"]["containers"][0]["env"])
    }
    more = deployment(env=[{"name": "LEVEL", "value": "new"}, {"name": "A", "value": "b"}])
    assert fields(previewed([more], level[1:])) == {place.replace("LEVEL", "A"): (None, "b")}


def test_what_looks_like_a_secret_in_the_cluster_is_not_told() -> None:
    assert fields(previewed([in_env("changeme")], [in_env("swordfish")])) == {f"{PASSWORD}.value": (MARK, "changeme")}


def test_the_content_of_secrets_is_told_by_key() -> None:
    secret: Json = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}, "data": {"a": "eA==", "b": "eQ=="}}
    result = previewed([{**secret, "data": {"a": "eg==", "c": "eQ=="}}], [secret])
    assert result.objects[0].fields == (
        FieldChange("data.a", "changed", secret=True),
        FieldChange("data.b", "removed", secret=True),
        FieldChange("data.c", "added", secret=True),
    )
    assert "eg==" not in repr(previewed([{**secret, "data": {"a": "eg=="}}]))


# What else a plan tells.


def test_a_field_that_may_not_change_is_told_with_what_to_do() -> None:
    old = deployment()
    new = with_spec(old, selector={"matchLabels": {"app": "other"}})
    key = object_key(new, "default")
    prepared = PreparedManifests("default", (new,), (canonical_text(new),))
    current = make_revision(1, manifests=(canonical_text(old),))
    seen = Seen(prepared, Comparison({key: served(old)}), current)
    (change,) = preview(TargetPlan(TARGET, release_action="upgrade"), seen, str).objects
    assert [(each.path, each.old, each.new) for each in change.fields] == [
        ("spec.selector.matchLabels.app", "web", "other")
    ]
    assert change.refused[0].path == "spec.selector"
    assert "another name" in change.refused[0].hint


@pytest.mark.parametrize(
    ("tag", "action", "expected"),
    [
        ("1.1-def", "build", ImageChange("build", "1.1-def", "1.0-abc", "1.1", "1.0")),
        ("1.0-abc", "present", ImageChange("present", "1.0-abc", "1.0-abc", "1.1", "1.0")),
    ],
)
def test_the_image_is_told_by_tag_and_version(tag: str, action: Any, expected: ImageChange) -> None:
    plan = TargetPlan(TARGET, Image("r", "web", tag), action, release_action="upgrade")
    assert previewed([CONFIG], [CONFIG], plan=plan).image == expected


def test_hooks_are_told_that_run_this_time_and_dns_as_planned() -> None:
    hook: Json = {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": "migrate", "annotations": {"helm.sh/hook": "pre-install, post-upgrade"}},
    }
    plan = TargetPlan(TARGET, release_action="upgrade", changes=("dns: create x A", "ConfigMap/web: data.a"))
    result = previewed([CONFIG, hook], [CONFIG], plan=plan)
    assert (result.hooks, result.dns) == (("Job/migrate (post-upgrade)",), ("create x A",))


def test_a_plan_that_changes_no_object_has_none() -> None:
    result = previewed([CONFIG], [CONFIG], plan=TargetPlan(TARGET, changes=("dns: create x A",), dns=True))
    assert result == Preview(unchanged=1, dns=("create x A",))


def test_what_was_shown_holds_as_long_as_what_is_live_is_the_same() -> None:
    old, new = deployment(), deployment(image="example.com/web:2")
    pinned = deployment(image="example.com/web:2@sha256:abc")
    shown = previewed([new], [old])
    assert same_basis(shown, previewed([pinned], [old]))
    assert not same_basis(shown, previewed([new], [deployment(image="example.com/web:0")]))
    assert not same_basis(shown, previewed([new, CONFIG], [old]))


def test_a_change_is_an_object_change() -> None:
    (change,) = previewed([{**CONFIG, "data": {"a": "x"}}], [CONFIG]).objects
    assert isinstance(change, ObjectChange)
    assert (change.action, change.key.namespace) == ("change", "default")
