"""Helm's three-way merge: what a manifest no longer says goes, and what it never said stays."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from deployer.adapters.kubernetes.merging import three_way
from deployer.model import Json

HTTP: Json = {"httpGet": {"port": 80}}
TCP: Json = {"tcpSocket": {"port": 80}}
OF_SECRET: Json = {"name": "P", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}}
OF_CONFIG: Json = {"name": "P", "valueFrom": {"configMapKeyRef": {"name": "c", "key": "k"}}}
PLAIN: Json = {"name": "P", "value": "x"}
OTHER: Json = {"name": "Q", "value": "y"}


def deployment(container: Json | None = None, spec: Json | None = None, **pod: Any) -> Json:
    containers = [{"name": "main", **(container or {})}]
    return {"kind": "Deployment", "spec": {**(spec or {}), "template": {"spec": {"containers": containers, **pod}}}}


def pod(patch: Json | None) -> Json:
    """The part of a patch that is about pods, which is all of it."""
    assert patch is not None
    assert list(patch) == ["spec"]
    assert list(patch["spec"]) == ["template"]
    found: Json = patch["spec"]["template"]["spec"]
    return found


def main(patch: Json | None) -> Json:
    """The part of a patch that is about its one container."""
    (container,) = pod(patch)["containers"]
    assert container.pop("name") == "main"
    assert pod(patch)["$setElementOrder/containers"] == [{"name": "main"}]
    found: Json = container
    return found


def env(*entries: Json) -> Json:
    return deployment({"env": list(entries)})


@pytest.mark.parametrize(
    ("old", "new", "change"),
    [
        (PLAIN, OF_SECRET, {"valueFrom": OF_SECRET["valueFrom"], "value": None}),
        (OF_SECRET, PLAIN, {"value": "x", "valueFrom": None}),
        (OF_SECRET, OF_CONFIG, {"valueFrom": {**OF_CONFIG["valueFrom"], "secretKeyRef": None}}),
    ],
)
def test_the_old_source_of_a_variable_goes(old: Json, new: Json, change: Json) -> None:
    patch = main(three_way(env(new), env(old), env(old)))
    assert patch == {"$setElementOrder/env": [{"name": "P"}], "env": [{"name": "P", **change}]}


def test_nothing_to_take_away_is_no_patch() -> None:
    assert three_way(env(PLAIN), env(PLAIN), env(PLAIN)) is None
    assert three_way(env(PLAIN), env(OF_SECRET), None) is None
    assert three_way(env(PLAIN), env(OF_SECRET), env(PLAIN)) is None  # by hand: Helm would be refused, too
    assert three_way(env(PLAIN), env(PLAIN), env(PLAIN, OTHER)) is None  # somebody was faster
    assert three_way(env(PLAIN, OTHER), env(PLAIN), env(PLAIN)) is None
    assert three_way({"kind": "ConfigMap", "data": {"a": None}}, {"data": {"a": "1"}}, {"data": {"a": None}}) is None


def test_what_is_not_named_stays_and_what_is_changed_by_hand_is_set_back() -> None:
    live = deployment({"readinessProbe": {**HTTP, "periodSeconds": 10}, "image": "by hand", "stdin": True})
    old, new = (deployment({"readinessProbe": probe, "image": "x:1"}) for probe in (HTTP, TCP))
    assert main(three_way(new, live, old)) == {"image": "x:1", "readinessProbe": {**TCP, "httpGet": None}}


def test_items_that_the_author_takes_away_go_and_others_stay_in_their_order() -> None:
    by_hand = {"name": "H", "value": "z"}
    patch = main(three_way(env(OTHER, {"name": "R"}), env(PLAIN, by_hand, OTHER), env(PLAIN, OTHER)))
    assert patch == {
        "$setElementOrder/env": [{"name": "Q"}, {"name": "R"}],
        "env": [{"name": "R"}, {"$patch": "delete", "name": "P"}],
    }


def test_a_new_order_alone_goes_along() -> None:
    old, new = env(PLAIN, OTHER), env(OTHER, PLAIN)
    old["spec"]["replicas"] = 3
    patch = three_way(new, old, old)
    assert patch is not None
    assert patch["spec"].pop("replicas") is None
    assert main(patch) == {"$setElementOrder/env": [{"name": "Q"}, {"name": "P"}]}


def test_a_volume_keeps_nothing_that_it_is_no_longer() -> None:
    """Also what was filled in, or set by hand."""
    new: Json = {"name": "v", "configMap": {"name": "c"}}
    live: Json = {"name": "v", "emptyDir": {}}
    patch = pod(three_way(deployment(volumes=[new]), deployment(volumes=[live]), None))
    assert patch["volumes"] == [{**new, "$retainKeys": ["configMap", "name"]}]
    same = deployment(volumes=[{"name": "v", "configMap": {"name": "c", "defaultMode": 420}}])
    assert three_way(deployment(volumes=[new]), same, None) is None


def test_a_strategy_keeps_no_defaults_of_another() -> None:
    live = deployment(spec={"strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": "25%"}}})
    patch = three_way(deployment(spec={"strategy": {"type": "Recreate"}}), live, deployment())
    assert patch == {"spec": {"strategy": {"type": "Recreate", "$retainKeys": ["type"]}}}
    assert three_way(deployment(spec={"strategy": {"type": "RollingUpdate"}}), live, None) is None


def test_ports_are_told_apart_by_their_numbers() -> None:
    old, new = ({"kind": "Service", "spec": {"ports": [{"name": "web", "port": port}]}} for port in (80, 81))
    live = {"spec": {"ports": [{"name": "web", "port": 80, "protocol": "TCP", "nodePort": 30000}]}}
    assert three_way(new, live, old) == {
        "spec": {
            "$setElementOrder/ports": [{"port": 81}],
            "ports": [{"name": "web", "port": 81}, {"$patch": "delete", "port": 80}],
        }
    }
    old, new = (deployment({"ports": [{"containerPort": port}]}) for port in (80, 81))
    assert main(three_way(new, old, old))["ports"] == [{"containerPort": 81}, {"$patch": "delete", "containerPort": 80}]


def test_items_with_one_key_twice_are_left_alone_where_nothing_changes() -> None:
    """As DNS has them; the API itself takes both for one."""
    ports = [{"port": 53, "protocol": "TCP"}, {"port": 53, "protocol": "UDP"}]
    live = {"spec": {"type": "NodePort", "ports": [{**port, "nodePort": 30000 + i} for i, port in enumerate(ports)]}}
    old = {"kind": "Service", "spec": {"type": "NodePort", "ports": ports}}
    new = {"kind": "Service", "spec": {"ports": ports}}
    assert three_way(new, live, old) == {"spec": {"type": None}}
    ports[0] = {"port": 53, "protocol": "SCTP"}
    assert (three_way(new, live, {**old, "spec": {"type": "NodePort"}}) or {})["spec"]["ports"] == ports


def test_other_lists_are_replaced() -> None:
    old, new = ({"kind": "RoleBinding", "subjects": [{"name": name}], "x": x} for name, x in (("a", 1), ("b", None)))
    assert three_way(new, old, old) == {"subjects": [{"name": "b"}], "x": None}


def test_the_selector_of_a_disruption_budget_is_replaced_whole() -> None:
    old, new = (
        {"kind": "PodDisruptionBudget", "spec": {"selector": {"matchLabels": labels}, **spec}}
        for labels, spec in (({"a": "1", "b": "2"}, {"minAvailable": 1}), ({"a": "2"}, {"maxUnavailable": 1}))
    )
    assert three_way(new, old, old) == {
        "spec": {"selector": {"matchLabels": {"a": "2"}}, "minAvailable": None, "maxUnavailable": 1}
    }


def test_without_merge_keys_lists_are_replaced_and_nothing_is_a_directive() -> None:
    old = {"kind": "Widget", "spec": {"volumes": [{"name": "v", "a": 1}], "strategy": {"type": "x", "y": 1}, "z": 1}}
    new = {"kind": "Widget", "spec": {"volumes": [{"name": "v", "b": 1}], "strategy": {"type": "w"}}}
    assert three_way(new, old, old, strategic=False) == {
        "spec": {"volumes": [{"name": "v", "b": 1}], "strategy": {"type": "w", "y": None}, "z": None}
    }


def test_what_an_object_is_never_goes() -> None:
    old = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a", "namespace": "b", "labels": {"x": "1"}}}
    live = {**old, "metadata": {**old["metadata"], "uid": "1"}, "status": {}}  # type: ignore[dict-item]
    new = {"kind": "ConfigMap", "metadata": {"name": "a"}}
    assert three_way(new, live, {**old, "status": {}}) == {"metadata": {"labels": None}}


def test_a_wrong_type_is_left_for_the_server_to_refuse() -> None:
    live = deployment(spec={"replicas": 1, "paused": True})
    old, new = deployment(spec={"paused": True}), deployment(spec={"replicas": True})
    assert (three_way(new, live, old) or {})["spec"] == {"replicas": True, "paused": None}


@pytest.mark.parametrize("odd", [None, "text", 1, [], [1], {}, [{"name": None}], [{"name": ["x"]}], [{"name": {}}]])
def test_anything_may_stand_anywhere(odd: Any) -> None:
    for place in ("metadata", "spec"):
        assert three_way({"kind": "Pod", place: odd}, {place: {"a": 1}}, {place: odd}) is None
    for wanted, before in ((odd, PLAIN), (PLAIN, odd)):
        old, new = deployment({"env": before, "tty": True}), deployment({"env": wanted})
        sides = copy.deepcopy((new, old))
        assert main(three_way(new, deployment({"env": [PLAIN], "tty": True}), old))["tty"] is None
        assert (new, old) == sides
