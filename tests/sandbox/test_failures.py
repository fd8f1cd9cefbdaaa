"""Rollouts that fail: explained with their evidence, and rolled back."""

from __future__ import annotations

import calendar
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.sandbox.clusters import namespaces
from tests.sandbox.helpers import Project
from tests.sandbox.region import eventually
from tests.sandbox.surroundings import ask, messages, unique

Change = Callable[[Project], Any]


def no_image(project: Project) -> None:
    project.container["image"] = "127.0.31.254:5000/base/absent:1"


def no_secret(project: Project) -> None:
    project.container["envFrom"] = [{"secretRef": {"name": "absent"}}]


def no_settings(project: Project) -> None:
    spec = project.deployment["spec"]["template"]["spec"]
    spec["volumes"] = [{"name": "v", "configMap": {"name": "absent"}}]
    project.container["volumeMounts"] = [{"name": "v", "mountPath": "/v"}]


def no_command(project: Project) -> None:
    project.container["command"] = ["absent"]


def crash(project: Project) -> None:
    project.container["command"] = ["sh", "-c", "seq 1 30; echo last words; exit 3"]


def crash_after_a_moment(project: Project) -> None:
    """Without a readiness probe Kubernetes calls it ready until then."""
    project.container["command"] = ["sh", "-c", "echo last words; sleep 2; exit 3"]
    del project.container["readinessProbe"]
    project.stage["Rollout"]["Stable"] = 5


def crash_of_init(project: Project) -> None:
    init = {"name": "prepare", "image": "{{ BaseImage }}", "command": ["sh", "-c", "echo unprepared; exit 4"]}
    project.deployment["spec"]["template"]["spec"]["initContainers"] = [init]


def never_ready(project: Project) -> None:
    project.container["readinessProbe"]["httpGet"]["path"] = "/absent"
    project.stage["Rollout"]["Timeout"] = 20  # enough for a pod to start, and to be asked


def no_room(project: Project) -> None:
    project.container["resources"] = {"requests": {"cpu": "1000"}}


@pytest.mark.parametrize(
    ("change", "reason", "evidence"),
    [
        (no_image, "cannot be pulled: the registry does not have it", "ErrImagePull"),
        (no_secret, 'cannot start: secret "absent" not found', "CreateContainerConfigError"),
        (no_settings, 'configmap "absent" not found', "FailedMount"),
        (no_command, "its command absent does not exist in the image", "absent"),
        (crash, "container main exited with code 3", "last words"),
        (crash_after_a_moment, "container main exited with code 3", "last words"),
        (crash_of_init, "container prepare exited with code 4", "unprepared"),
        (never_ready, "not ready after", "HTTP probe failed with statuscode: 404"),
        (no_room, "Insufficient cpu", "FailedScheduling"),
    ],
)
def test_a_rollout_that_fails_is_explained_and_rolled_back(
    good: Project, change: Change, reason: str, evidence: str
) -> None:
    before, greeting = good.revisions[-1], good.values["GREETING"]
    good.values["GREETING"] = unique("never")
    change(good)
    good.write()
    running = good.start("local", "london", good.name, "--json", "-v")
    done = running.done().expect(1)
    target = done.target
    assert (target["outcome"], done.document["ok"]) == ("rolled back", False)
    (error,) = target["errors"]
    assert reason in error["why"], error
    assert any(evidence in line for line in target["evidence"]), target["evidence"]

    # What ran before runs again, and never stopped.
    (last,) = good.revisions[-1:]
    assert (last.status, last.verified, last.manifest) == ("deployed", True, before.manifest)
    assert good.answers(greeting)

    # The team was told, with the evidence in a thread.
    said = messages(good.channel)
    announced = [message for message in said if not message.get("thread_ts")][-1]
    assert announced["text"].startswith(":x:")
    assert "rolled back" in announced["text"]
    replies = [message for message in said if message.get("thread_ts") == announced["ts"]]
    assert any(evidence in reply["text"] for reply in replies)

    if change is no_room:  # shown at once, given up only after its grace
        begun, told = running.time_of("rollout …"), running.time_of("Insufficient cpu")
        failed = running.time_of("rollout failed")
        assert told < begun + 3 <= failed + 1


def test_the_end_comes_within_ten_seconds_after_kubernetes_shows_it(good: Project) -> None:
    no_image(good)
    good.stage["Rollout"]["Timeout"] = 300
    good.write()
    running = good.start("local", "london", good.name, "-v")
    running.done().expect(1)
    events = good.cluster.request("GET", f"/api/v1/namespaces/{good.cluster.name}/events")["items"]
    shown = [
        calendar.timegm(time.strptime(event["firstTimestamp"], "%Y-%m-%dT%H:%M:%SZ"))
        for event in events
        if event["reason"] == "Failed" and "base/absent" in event["message"]
    ]
    assert running.time_of("rollout failed") - max(shown) < 10 + 1  # the event's time is cut off at its second


def test_a_quota_that_is_full(tmp_path: Path) -> None:
    with namespaces("london") as clusters:
        project = Project(tmp_path, clusters)
        namespace = project.cluster
        quota = {"metadata": {"name": "none"}, "spec": {"hard": {"pods": "0"}}}
        namespace.request("POST", f"/api/v1/namespaces/{namespace.name}/resourcequotas", quota)
        eventually(
            lambda: namespace.request("GET", f"/api/v1/namespaces/{namespace.name}/resourcequotas/none").get("status")
        )
        target = project.deploy("--json").expect(1).target
        assert target["outcome"] == "uninstalled"
        assert "exceeded quota" in target["errors"][0]["why"]


def test_a_host_that_answers_badly_from_outside_is_rolled_back(good: Project) -> None:
    before, greeting = good.revisions[-1], good.values["GREETING"]
    good.values["GREETING"] = unique("never")
    good.stage["HealthCheck"] |= {"Path": "/absent", "Timeout": 3}
    target = good.deploy("--json").expect(1).target
    assert target["outcome"] == "rolled back"
    (error,) = target["errors"]
    assert error["what"] == f"{good.host} does not answer well from outside"
    assert error["where"] == f"http://{good.host}/absent"
    assert "404" in error["why"]
    assert good.revisions[-1].manifest == before.manifest
    assert good.answers(greeting)


def test_a_first_installation_that_fails_is_taken_away_but_for_claimed_volumes(project: Project) -> None:
    claim = {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": "{{ AppName }}"},
        "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Mi"}}},
    }
    project.app["Helm"].insert(0, claim)
    no_command(project)
    target = project.deploy("--json").expect(1).target
    assert (target["outcome"], target["revision"]) == ("uninstalled", None)
    assert "its command absent does not exist" in target["errors"][0]["why"]
    assert project.revisions == []
    # What the Deployment owned goes in the background.
    assert eventually(lambda: not [key for key in project.cluster.snapshot() if f"/{project.name}" in key])
    path = f"/api/v1/namespaces/{project.cluster.name}/persistentvolumeclaims/{project.name}"
    assert project.cluster.request("GET", path)


def test_a_failure_in_one_region_leaves_the_others(tmp_path: Path) -> None:
    with namespaces("london", "seoul") as clusters:
        project = Project(tmp_path, clusters)
        project.regions["london"]["Program"] = "true"
        project.regions["seoul"]["Program"] = "absent"
        init = {"name": "prepare", "image": "{{ BaseImage }}", "command": ["{{ Program }}"]}
        project.deployment["spec"]["template"]["spec"]["initContainers"] = [init]
        done = project.deploy("--json", region="all").expect(1)
        outcomes = {target["region"]: target["outcome"] for target in done.document["targets"]}
        assert outcomes == {"london": "deployed", "seoul": "uninstalled"}
        assert ask(project.host)[0] == 200
        (message,) = project.channel_messages
        assert message["text"].startswith(":x:")
