"""A plan on real API servers: what changes value by value, and a stage that asks before it is changed."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from typing import Any

import pytest

from tests.sandbox.apps import workload
from tests.sandbox.helpers import Project
from tests.sandbox.surroundings import Json, unique
from tests.sandbox.tool import Done

REGIONS = ("london", "seoul")

FILES: Json = {
    "apiVersion": "v1",
    "kind": "ConfigMap",
    "metadata": {"name": "{{ AppName }}"},
    "data": {"site.conf": "one\ntwo\nthree\nfour\nfive\n"},
}


def planned(project: Project, *options: str, region: str = "all") -> Done:
    project.write()
    return project.run("plan", "local", region, project.name, *options)


def plan_of(done: Done, region: str) -> Json:
    (found,) = [one["plan"] for one in done.document["targets"] if one["region"] == region]
    assert isinstance(found, dict)
    return found


def fields(plan: Json) -> dict[str, Any]:
    found = [each for one in plan["objects"] for each in one["fields"]]
    return {each["field"]: "secret" if each["secret"] else (each["old"], each["new"]) for each in found}


@pytest.fixture(scope="module")
def running(good_project: Project) -> Project:
    project = good_project
    project.app["Helm"] += [FILES, workload("StatefulSet", replicas=1) | {"metadata": {"name": "{{ AppName }}-set"}}]
    project.app["Helm"][-1]["spec"]["selector"]["matchLabels"] = {"app": "set"}
    project.app["Helm"][-1]["spec"]["template"]["metadata"]["labels"] = {"app": "set"}
    project.container["resources"] = {"limits": {"cpu": "1000m", "memory": "64Mi"}, "requests": {"cpu": "10m"}}
    project.container["env"].append({"name": "LEVEL", "value": "info"})
    project.deploy(region="all").expect(0)
    return project


def test_what_runs_as_it_is_wanted_has_no_changes(running: Project) -> None:
    project = running
    for quantity in ("1000m", "1"):
        project.container["resources"]["limits"]["cpu"] = quantity
        objects = [one for region in REGIONS for one in plan_of(planned(project, "--json"), region)["objects"]]
        assert objects == []


def test_a_plan_tells_each_value_once_for_all_regions(running: Project) -> None:
    project = running
    secret = unique("another-secret")
    project.values["GREETING"] = secret
    project.container["env"][1]["value"] = "debug"
    project.deployment["spec"]["replicas"] = 2
    files = next(one for one in project.app["Helm"] if one["kind"] == "ConfigMap")
    files["data"]["site.conf"] = "one\ntwo\n3\nfour\nfive\n"
    statefulset = next(one for one in project.app["Helm"] if one["kind"] == "StatefulSet")
    project.app["Helm"].remove(statefulset)
    before = project.cluster.snapshot()

    done = planned(project, "--json").expect(0)

    env = "spec.template.spec.containers[main].env"
    for region in REGIONS:
        plan = plan_of(done, region)
        assert fields(plan) == {
            "spec.replicas": (1, 2),
            f"{env}[GREETING]": "secret",
            f"{env}[LEVEL].value": ("info", "debug"),
            "data[site.conf]": ("one\ntwo\nthree\nfour\nfive\n", files["data"]["site.conf"]),
        }
        assert {(one["object"], one["action"]) for one in plan["objects"]} == {
            (f"Deployment/{project.name}", "change"),
            (f"ConfigMap/{project.name}", "change"),
            (f"StatefulSet/{project.name}-set", "delete"),
        }
        (use,) = plan["secrets"]
        assert (use["name"], use["change"]) == ("GREETING", "changed")
        assert use["before"] != use["after"] and use["before"] and use["after"]
        (pods,) = plan["pods"]
        assert (pods["restarts"], pods["before"], pods["after"]) == (True, 1, 2)
    text = planned(project, "--exit-code").expect(3)
    for line in (
        f"{project.name} in london, seoul",
        f"~ Deployment/{project.name}  restarts: 2 new pods",
        "+3",
        "2 objects unchanged",
    ):
        assert text.stdout.count(line) == 1, text.stdout
    for output in (done.output, text.output):
        assert secret not in output
        assert f"hello from {project.name}" not in output
    assert project.cluster.snapshot() == before
    project.app["Helm"].append(statefulset)


def test_regions_that_differ_are_told_apart(running: Project) -> None:
    project = running
    project.regions["seoul"]["Values"] = {project.name: {"LEVEL": "warning"}}
    project.stage["Values"] = {project.name: {"LEVEL": "error"}}
    project.container["env"][1]["value"] = "{{ Values[Name].LEVEL }}"
    text = planned(project).expect(0).stdout
    london, seoul = text.index(f"\n{project.name} in london\n"), text.index(f"\n{project.name} in seoul\n")
    assert london < text.index("info → error") < seoul < text.index("info → warning")


def test_what_may_not_change_is_part_of_the_plan(running: Project) -> None:
    project = running
    labels = {"app": "another"}
    spec = project.deployment["spec"]
    before = spec["selector"], spec["template"]["metadata"]
    spec["selector"], spec["template"]["metadata"] = {"matchLabels": labels}, {"labels": labels}
    done = planned(project, "--json", region="london").expect(2)
    text = planned(project, region="london").expect(2).stdout
    spec["selector"], spec["template"]["metadata"] = before
    (deployment,) = [one for one in plan_of(done, "london")["objects"] if one["object"].startswith("Deployment/")]
    assert [one["field"] for one in deployment["refused"]] == ["spec.selector"]
    assert "cannot be changed" in done.document["targets"][0]["errors"][0]["what"]
    assert "✘ spec.selector cannot be changed" in text


# A stage that asks.


def on_terminal(project: Project, answer: str, *command: str) -> Done:
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "deployer", *command],
        cwd=project.root,
        env=project.environment,
        stdin=theirs,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    os.write(ours, f"{answer}\n".encode())
    stdout, stderr = process.communicate(timeout=120)
    os.close(ours)
    os.close(theirs)
    return Done(process.returncode, stdout, stderr, 0.0)


def test_a_stage_that_asks_is_changed_once_somebody_has_agreed(running: Project) -> None:
    project = running
    project.stage["Confirm"] = True
    project.container["env"][1]["value"] = level = unique("level")
    project.write()
    deploy = ("local", "london", project.name)
    before = project.cluster.snapshot()

    held = project.run(*deploy).expect(4)
    assert "Confirm: true" in held.stderr and "--yes" in held.stderr
    refused = on_terminal(project, "n", *deploy).expect(4)
    assert refused.stderr.count("[y/N]") == 1
    assert project.cluster.snapshot() == before
    for done in (held, refused):
        assert f"→ {level}" in done.stderr

    agreed = on_terminal(project, "y", *deploy).expect(0)
    assert agreed.stderr.count("[y/N]") == 1
    nothing_to_do = project.run(*deploy).expect(0)
    assert "[y/N]" not in nothing_to_do.stderr
    back = project.run("rollback", "local", "london", project.name).expect(4)
    assert "env[LEVEL].value  changed (secret)" in back.stderr  # no file knows what was secret in its time
    project.run("rollback", "local", "london", project.name, "--yes", "--json").expect(0)
