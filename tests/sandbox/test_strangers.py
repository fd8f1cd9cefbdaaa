"""What others do to an app: by hand, with a Helm of their own, with another deployment at the same time."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from typing import Any

import pytest
import yaml

from deployer.tools import require
from tests.sandbox.helpers import Project, deploy_refused
from tests.sandbox.region import eventually
from tests.sandbox.surroundings import ACCESS, ask, unique

Change = Callable[[Project], Any]


@pytest.mark.parametrize(
    ("touch", "reason"),
    [
        (lambda one: one.cluster.patch("Deployment", one.name, {"spec": {"replicas": 3}}), "spec.replicas"),
        (lambda one: one.cluster.patch("Service", one.name, {"spec": {"selector": {"app": "x"}}}), "spec.selector"),
        (lambda one: one.cluster.delete("Ingress", one.name), "is missing in the cluster"),
        (lambda one: one.cluster.delete("Deployment", one.name), "is missing in the cluster"),
    ],
    ids=["scaled", "edited", "ingress deleted", "deployment deleted"],
)
def test_what_was_changed_by_hand_is_repaired(good: Project, touch: Change, reason: str) -> None:
    touch(good)
    target = good.deploy("--json").expect(0).target
    assert target["outcome"] == "deployed"
    assert any(reason in each for each in target["reasons"]), target["reasons"]
    assert good.cluster.live("Deployment", good.name)["spec"]["replicas"] == 1
    eventually(lambda: ask(good.host)[0] == 200)
    assert good.deploy("--json").expect(0).target["outcome"] == "unchanged"


def test_pods_that_somebody_deletes_come_back(good: Project) -> None:
    for pod in good.cluster.pods():
        good.cluster.delete("Pod", pod["metadata"]["name"])
    assert good.deploy("--json").expect(0).target["outcome"] in ("deployed", "unchanged")
    eventually(lambda: ask(good.host)[0] == 200)


def install_as_somebody_else(project: Project) -> None:
    """Install another chart under the app's name, with helm itself."""
    chart = project.directory / "foreign"
    (chart / "templates").mkdir(parents=True)
    (chart / "Chart.yaml").write_text("apiVersion: v2\nname: foreign\nversion: 1.0.0\n")
    settings = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": f"{project.name}-foreign"}}
    (chart / "templates/settings.yaml").write_text(yaml.safe_dump(settings))
    where = ["--kubeconfig", str(ACCESS / "kubeconfig"), "--kube-context", "london"]
    where += ["--namespace", project.cluster.name]
    command = [str(require("helm")), "install", project.name, str(chart), *where]
    subprocess.run(command, check=True, capture_output=True, env={"HOME": str(project.home), "PATH": "/usr/bin:/bin"})


def test_somebody_elses_release_survives_a_failure(project: Project) -> None:
    install_as_somebody_else(project)
    project.container["command"] = ["absent"]
    target = project.deploy("--json").expect(1).target
    assert target["outcome"] == "rolled back"
    assert project.revisions[-1].status == "deployed"
    assert project.cluster.get("ConfigMap", f"{project.name}-foreign")
    assert project.cluster.get("Deployment", project.name) is None
    # What it owned goes in the background, and the next test compares all that there is.
    made = (f"Pod/{project.name}", f"ReplicaSet/{project.name}")
    eventually(lambda: not any(key.startswith(made) for key in project.cluster.snapshot()))


def test_somebody_elses_object_is_not_taken(project: Project) -> None:
    project.cluster.create("Service", {"metadata": {"name": project.name}, "spec": {"ports": [{"port": 80}]}})
    (error,) = deploy_refused(project, 2)
    assert error["what"] == f"Service/{project.name} exists already and is not part of the release"
    assert error["where"].startswith(f"apps/{project.name}.yml:")
    assert "deploy adopt" in error["hint"]


def test_two_deployments_at_once(good: Project) -> None:
    elsewhere = good.directory / "another machine"
    (elsewhere / "deployer").mkdir(parents=True, exist_ok=True)
    if not (elsewhere / "deployer/tools").exists():
        (elsewhere / "deployer/tools").symlink_to((good.cache / "deployer/tools").resolve())
    command = ("local", "london", good.name, "--json")
    for environment in ({}, {"XDG_CACHE_HOME": str(elsewhere)}):
        good.values["GREETING"] = unique("both")
        good.write()
        both = [good.start(*command), good.start(*command, env=environment)]
        ended = [running.done() for running in both]
        codes = sorted(done.code for done in ended)
        assert codes in ([0, 0], [0, 4]), "\n".join(done.output for done in ended)
        assert good.answers(good.values["GREETING"])
        assert good.deploy("--json").expect(0).target["outcome"] == "unchanged"
