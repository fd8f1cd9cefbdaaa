"""Fields that exclude each other: what is no longer wanted is named in the patch, so that it goes."""

from __future__ import annotations

from typing import Any

import pytest

from deployer.adapters.kubernetes.alternatives import instead
from deployer.model import Json


def deployment(**pod: Any) -> Json:
    return {"kind": "Deployment", "spec": {"template": {"spec": {"containers": [{"name": "main"}], **pod}}}}


def env(*entries: Json) -> Json:
    return deployment(containers=[{"name": "main", "env": list(entries)}])


OF_SECRET = {"name": "P", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}}
OF_CONFIG = {"name": "P", "valueFrom": {"configMapKeyRef": {"name": "c", "key": "k"}}}
PLAIN = {"name": "P", "value": "x"}


@pytest.mark.parametrize(
    ("wanted", "live", "patched"),
    [
        (OF_SECRET, PLAIN, {**OF_SECRET, "value": None}),
        (PLAIN, OF_SECRET, {**PLAIN, "valueFrom": None}),
        (OF_SECRET, OF_CONFIG, {"name": "P", "valueFrom": {**OF_SECRET["valueFrom"], "configMapKeyRef": None}}),  # type: ignore[dict-item]
    ],
)
def test_the_old_source_of_a_variable_goes(wanted: Json, live: Json, patched: Json) -> None:
    assert instead(env(wanted), env(live)) == env(patched)


@pytest.mark.parametrize(
    ("wanted", "live"), [(PLAIN, {"name": "P", "value": "y"}), (OF_SECRET, OF_SECRET), (PLAIN, {})]
)
def test_the_same_source_is_applied_as_ever(wanted: Json, live: Json) -> None:
    assert instead(env(wanted), env(live)) is None


def test_the_old_source_of_a_volume_goes_in_every_kind_with_pods() -> None:
    pod = {"containers": [{"name": "main"}], "volumes": [{"name": "v", "secret": {"secretName": "s"}}]}
    old = {"containers": [], "volumes": [{"name": "v", "configMap": {"name": "c"}}]}
    patch = instead(
        {"kind": "CronJob", "spec": {"jobTemplate": {"spec": {"template": {"spec": pod}}}}},
        {"kind": "CronJob", "spec": {"jobTemplate": {"spec": {"template": {"spec": old}}}}},
    )
    assert patch is not None
    spec = patch["spec"]["jobTemplate"]["spec"]["template"]["spec"]
    assert spec["volumes"] == [{"name": "v", "secret": {"secretName": "s"}, "configMap": None}]
    assert instead({"kind": "Pod", "spec": pod}, {"kind": "Pod", "spec": old}) is not None


def test_what_has_no_pods_is_applied_as_ever() -> None:
    assert instead({"kind": "Service", "spec": {"ports": []}}, {"kind": "Service", "spec": {}}) is None
