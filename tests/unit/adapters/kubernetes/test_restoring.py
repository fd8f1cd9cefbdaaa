"""The patches that make an object what it was."""

from __future__ import annotations

from deployer.adapters.kubernetes.restoring import made_anew, ways_back
from deployer.model import Json

BEFORE: Json = {
    "apiVersion": "v1",
    "kind": "Service",
    "metadata": {
        "name": "web",
        "uid": "1",
        "resourceVersion": "5",
        "annotations": {"example.com/a~b": "theirs"},
        "managedFields": [{"manager": "kubectl"}],
    },
    "spec": {"ports": [{"port": 80}]},
    "status": {"seen": 1},
}


def live(**changes: object) -> Json:
    return {**BEFORE, **changes}


def test_content_goes_first_and_then_who_manages_it() -> None:
    changed = live(
        metadata={**BEFORE["metadata"], "labels": {"managed-by": "Helm"}, "resourceVersion": "9", "annotations": {}},
        spec={"ports": [{"port": 90}]},
        data={"new": "x"},
    )
    content, managers = ways_back(BEFORE, changed)
    assert content == [
        {"op": "remove", "path": "/data"},
        {"op": "add", "path": "/spec", "value": BEFORE["spec"]},
        {"op": "remove", "path": "/metadata/labels"},
        {"op": "add", "path": "/metadata/annotations", "value": {"example.com/a~b": "theirs"}},
    ]
    assert managers == [{"op": "add", "path": "/metadata/managedFields", "value": [{"manager": "kubectl"}]}]


def test_what_is_as_it_was_is_left_alone() -> None:
    assert len(list(ways_back(BEFORE, live(status={"seen": 2})))) == 1
    without = {**BEFORE, "metadata": {"name": "web"}}
    assert list(ways_back(without, without)) == []


def test_paths_are_escaped() -> None:
    strange = live(**{"a/b~c": 1})
    content, _ = ways_back(BEFORE, strange)
    assert content == [{"op": "remove", "path": "/a~1b~0c"}]


def test_what_is_gone_is_made_anew_without_what_the_server_wrote() -> None:
    assert made_anew(BEFORE) == {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "web", "annotations": {"example.com/a~b": "theirs"}},
        "spec": {"ports": [{"port": 80}]},
    }
    assert BEFORE["metadata"]["uid"] == "1"
