"""Two values side by side: what differs, told as Kubernetes merges it."""

from __future__ import annotations

from typing import Any

import pytest

from deployer.plan.diff.fields import at, differences, laid_over, without
from deployer.plan.paths import Named, path_text


def told(old: Any, new: Any, path: tuple[str, ...] = ("spec",)) -> dict[str, tuple[Any, Any]]:
    return {path_text(where): (one, other) for where, one, other in differences(old, new, path)}


@pytest.mark.parametrize(
    ("field", "old", "new", "expected"),
    [
        ("containers", {"name": "web", "image": "a"}, {"name": "web", "image": "b"}, "spec.containers[web].image"),
        ("env", {"name": "A", "value": "1"}, {"name": "A", "value": "2"}, "spec.env[A].value"),
        ("volumeMounts", {"name": "v", "mountPath": "/a", "readOnly": True}, {"name": "v", "mountPath": "/a"}, None),
        (
            "ports",
            {"containerPort": 80, "hostPort": 1},
            {"containerPort": 80, "hostPort": 2},
            "spec.ports[80].hostPort",
        ),
        ("ports", {"port": 80, "targetPort": 1}, {"port": 80, "targetPort": 2}, "spec.ports[80].targetPort"),
        ("ports", {"port": 80, "name": "http"}, {"port": 81, "name": "http"}, "spec.ports[http].port"),
    ],
)
def test_items_are_told_by_what_kubernetes_merges_them_by(field: str, old: Any, new: Any, expected: str | None) -> None:
    other = {"name": "other", "mountPath": "/b", "containerPort": 9, "port": 9}
    found = told({field: [old, other]}, {field: [other, new]})
    found.pop(f"spec.{field}")  # the order is another one, too
    assert list(found) == [expected or "spec.volumeMounts[/a].readOnly"]


def test_items_that_nothing_tells_apart_go_by_index() -> None:
    assert told({"args": ["a", "b"]}, {"args": ["a", "c", "d"]}) == {
        "spec.args[1]": ("b", "c"),
        "spec.args[2]": (None, "d"),
    }
    twice = [{"name": "x"}, {"name": "x", "a": 1}]
    assert list(told({"containers": twice}, {"containers": twice[:1]})) == ["spec.containers[1]"]


@pytest.mark.parametrize(
    ("one", "other"), [("1000m", "1"), (1, "1"), ("1Gi", "1024Mi"), ("1e3", "1k"), ("0.5", "500m")]
)
def test_quantities_are_numbers_where_they_stand_for_resources(one: Any, other: Any) -> None:
    assert not told({"resources": {"limits": {"cpu": one}}}, {"resources": {"limits": {"cpu": other}}})
    assert not told({"emptyDir": {"sizeLimit": one}}, {"emptyDir": {"sizeLimit": other}})
    assert told({"data": {"cpu": one}}, {"data": {"cpu": other}})


def test_another_quantity_is_another() -> None:
    assert told({"limits": {"cpu": "1000m"}}, {"limits": {"cpu": "1001m"}}) == {"spec.limits.cpu": ("1000m", "1001m")}
    assert told({"limits": {"cpu": "1"}}, {"limits": {"cpu": "much"}})
    assert told({"limits": {"cpu": "1"}}, {"limits": {}}) == {"spec.limits.cpu": ("1", None)}


def test_what_an_author_takes_out_of_a_manifest_goes() -> None:
    live = {
        "replicas": 3,
        "paused": True,
        "list": [{"name": "a", "x": 1, "by": "server"}, {"name": "b"}, {"name": "c"}],
    }
    before = {"replicas": 3, "list": [{"name": "a", "x": 1}, {"name": "b"}]}
    wanted = {"list": [{"name": "a"}]}
    assert without(live, before, wanted) == {"paused": True, "list": [{"name": "a", "by": "server"}, {"name": "c"}]}


def test_what_a_manifest_says_is_laid_over_what_is_live() -> None:
    live = {"a": 1, "b": {"c": 2, "d": 3}, "list": [{"name": "x", "y": 1, "z": 2}, {"name": "gone"}]}
    manifest = {"b": {"c": 9}, "list": [{"name": "x", "y": 5}, {"name": "new"}], "e": [1]}
    assert laid_over(live, manifest) == {
        "a": 1,
        "b": {"c": 9, "d": 3},
        "list": [{"name": "x", "y": 5, "z": 2}, {"name": "new"}],
        "e": [1],
    }


def test_what_stands_at_a_path() -> None:
    content = {"containers": [{"name": "web", "args": ["a", "b"]}]}
    assert at(content, ("containers", Named("web"), "args", 1)) == "b"
    for nowhere in (("containers", Named("no"), "args"), ("containers", 3), ("x", "y"), ("containers", "web", 0)):
        assert at(content, nowhere) is None
