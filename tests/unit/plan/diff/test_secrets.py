"""Secrets that were lifted: which of them change is told by name and fingerprint."""

from __future__ import annotations

from deployer.model import Json, ObjectKey, Target
from deployer.model.changes import FieldChange, SecretUse
from deployer.plan.diff.preview import Seen, preview
from deployer.plan.diff.secrets import Contents
from deployer.plan.facts import Comparison
from deployer.plan.fingerprint import fingerprint
from deployer.plan.manifests import PreparedManifests
from deployer.plan.manifests.canonical import canonical_text
from deployer.plan.manifests.lifted import secret_of
from deployer.plan.steps import TargetPlan
from tests.unit.plan.manifests import deployment

KEY = b"key of the stage"
WHERE = "spec.template.spec.containers[web].env"


def given(**values: str) -> tuple[Json, Json]:
    """A Deployment whose container is given these secrets, and the Secret that holds them."""
    data = {f"web.{name}": value.encode() for name, value in values.items()}
    workload = ("Deployment", "web")
    secret = secret_of(data, workload=workload, part="env", release="web", namespace="default", key=KEY)
    name = secret["metadata"]["name"]
    env = [
        {"name": each, "valueFrom": {"secretKeyRef": {"name": name, "key": f"web.{each}"}}} for each in sorted(values)
    ]
    return deployment(env=env), secret


def contents(*secrets: Json, key: bytes = KEY) -> Contents:
    return Contents({one["metadata"]["name"]: one for one in secrets}, key)


def told(uses: Contents, old: Json | None, new: Json) -> dict[str, str]:
    return {use.name: use.change for use in uses.uses(old, new).values()}


def test_each_secret_is_told_by_its_variable() -> None:
    old, before = given(SAME="1", CHANGED="2", GONE="3")
    new, after = given(SAME="1", CHANGED="x", NEW="4")
    uses = contents(before, after)
    assert told(uses, old, new) == {"SAME": "same", "CHANGED": "changed", "GONE": "removed", "NEW": "added"}
    assert uses.uses(old, new)["web", "CHANGED"] == SecretUse(
        "CHANGED", "changed", fingerprint(KEY, "2"), fingerprint(KEY, "x")
    )
    assert told(uses, None, new) == {"SAME": "added", "CHANGED": "added", "NEW": "added"}


def test_without_a_key_names_alone_are_told() -> None:
    (old, before), (new, after) = given(A="1"), given(A="2")
    (use,) = contents(before, after, key=b"").uses(old, new).values()
    assert use == SecretUse("A", "changed")


def test_what_cannot_be_read_counts_as_changed() -> None:
    (old, _), (new, after) = given(A="1"), given(A="1", B="2")
    assert told(contents(after), old, new) == {"A": "changed", "B": "added"}


def test_a_value_that_stood_in_the_object_itself_before_is_the_same() -> None:
    new, after = given(A="1", B="2")
    old = deployment(env=[{"name": "A", "value": "1"}, {"name": "B", "value": "0"}])
    assert told(contents(after), old, new) == {"A": "same", "B": "changed"}


def test_files_of_volumes_are_told_by_volume() -> None:
    def mounted(text: str) -> tuple[Json, Json]:
        secret = secret_of(
            {"tls.key": text.encode(), "raw": b"\xff"},
            workload=("Deployment", "web"),
            part="volume tls",
            release="web",
            namespace="default",
            key=KEY,
        )
        content = deployment()
        volume = {"name": "tls", "secret": {"secretName": secret["metadata"]["name"]}}
        content["spec"]["template"]["spec"]["volumes"] = [volume]
        return content, secret

    (old, before), (new, after) = mounted("1"), mounted("2")
    assert told(contents(before, after), old, new) == {"tls/tls.key": "changed", "tls/raw": "same"}


def test_only_the_variables_that_change_are_fields_of_the_object() -> None:
    """All refer to a Secret of another name, though."""
    (old, before), (new, after) = given(SAME="1", CHANGED="the old value"), given(SAME="1", CHANGED="the new value")
    key = ObjectKey("apps/v1", "Deployment", "default", "web")
    prepared = PreparedManifests("default", (new,), (canonical_text(new),))
    seen = Seen(prepared, Comparison({key: old}, {key: new}), None, None, contents(before, after))
    plan = TargetPlan(Target("prod", "london", "web"), release_action="upgrade")
    result = preview(plan, seen, str)
    assert result.objects[0].fields == (FieldChange(f"{WHERE}[CHANGED]", "changed", secret=True),)
    assert result.pods[0].restarts
    assert [(use.name, use.change) for use in result.secrets] == [("CHANGED", "changed"), ("SAME", "same")]
    assert "value" not in repr(result.secrets) + repr(result.objects)
    unchanged = preview(TargetPlan(plan.target), seen, str)
    assert [(use.name, use.change) for use in unchanged.secrets] == [("CHANGED", "same"), ("SAME", "same")]
