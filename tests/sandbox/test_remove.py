"""An app is taken away: what goes, what stays, and what else may be called the same."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from collections.abc import Iterator

import pytest

from tests.sandbox.apps import workload
from tests.sandbox.helpers import Project, only
from tests.sandbox.region import eventually
from tests.sandbox.surroundings import Json
from tests.sandbox.test_strangers import install_as_somebody_else
from tests.sandbox.tool import Done

CLAIM: Json = {
    "apiVersion": "v1",
    "kind": "PersistentVolumeClaim",
    "metadata": {"name": "{{ AppName }}-data"},
    "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Mi"}}},
}


def remove(project: Project, *options: str, region: str = "london") -> Done:
    project.write()
    return project.run("remove", "local", region, project.name, "--json", *options)


def claims(project: Project) -> dict[str, Json]:
    path = f"/api/v1/namespaces/{project.cluster.name}/persistentvolumeclaims"
    return {one["metadata"]["name"]: one for one in project.cluster.request("GET", path)["items"]}


def left_of(project: Project) -> list[str]:
    """Everything with the app's name in the cluster, its lock apart."""
    return [name for name in project.cluster.snapshot() if project.name in name]


def test_it_is_gone_with_its_pods_and_a_second_time_is_no_error(project: Project) -> None:
    project.container["lifecycle"] = {"preStop": {"exec": {"command": ["sleep", "3"]}}}
    project.deployment["spec"]["template"]["spec"]["terminationGracePeriodSeconds"] = 20
    project.deploy().expect(0)

    target = remove(project, "--yes").expect(0).target

    assert target["outcome"] == "removed"
    expected = {f"{kind}/{project.name}: removed" for kind in ("Deployment", "Service", "Ingress")}
    assert expected < set(target["changes"])
    (lifted,) = set(target["changes"]) - expected
    assert lifted.startswith(f"Secret/{project.name}-")
    assert left_of(project) == []
    assert [one["text"] for one in project.channel_messages if "removed" in one["text"]]
    again = remove(project).expect(0).target
    assert (again["outcome"], again["reasons"]) == (
        "unchanged",
        [f"there is no release {project.name} in namespace {project.cluster.name}"],
    )


def test_without_a_yes_nothing_is_removed_and_it_is_told_what_would(project: Project) -> None:
    project.deploy().expect(0)
    before = project.cluster.snapshot()
    done = remove(project).expect(4)
    (error,) = done.document["errors"]
    assert error["what"] == "nothing was removed"
    assert f"Deployment/{project.name}: removed" in error["why"]
    assert "--yes" in error["hint"]
    planned = remove(project, "--plan").expect(0).target
    assert planned["outcome"] == "planned"
    assert project.cluster.snapshot() == before
    remove(project, "--yes").expect(0)


@pytest.mark.parametrize(("answer", "code"), [("n", 4), ("y", 0)])
def test_on_a_terminal_it_asks(project: Project, answer: str, code: int) -> None:
    project.deploy().expect(0)
    primary, secondary = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "deployer", "remove", "local", "london", project.name],
        cwd=project.root,
        env=project.environment,
        stdin=secondary,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    os.write(primary, f"{answer}\n".encode())
    stdout, stderr = process.communicate(timeout=120)
    os.close(primary)
    os.close(secondary)
    assert process.returncode == code, stdout + stderr
    assert "Remove it? [y/N]" in stderr
    assert bool(left_of(project)) == (code == 4)


@pytest.fixture
def volume(project: Project) -> Iterator[str]:
    """A volume that only the app's own claim gets."""
    name = f"{project.name}-volume"
    spec = {
        "capacity": {"storage": "1Mi"},
        "accessModes": ["ReadWriteOnce"],
        "hostPath": {"path": "/tmp"},
        "storageClassName": "",
        "claimRef": {"namespace": project.cluster.name, "name": f"{project.name}-data"},
    }
    project.cluster.request("POST", "/api/v1/persistentvolumes", {"metadata": {"name": name}, "spec": spec})
    yield name
    project.cluster.request("DELETE", f"/api/v1/persistentvolumes/{name}")


def test_claimed_volumes_stay_and_are_named(project: Project, volume: str) -> None:
    name = project.name
    claim = json.loads(json.dumps(CLAIM))
    claim["spec"] |= {"storageClassName": "", "volumeName": volume}
    template = {"metadata": {"name": "disk"}, "spec": CLAIM["spec"]}
    stateful = workload("StatefulSet", replicas=0, serviceName="{{ AppName }}", volumeClaimTemplates=[template])
    only(project, claim, stateful)
    project.deploy().expect(0)
    path = f"/api/v1/namespaces/{project.cluster.name}/persistentvolumeclaims"
    project.cluster.request("POST", path, {"metadata": {"name": f"disk-{name}-0"}, "spec": CLAIM["spec"]})
    target = remove(project, "--yes").expect(0).target
    assert set(target["changes"]) == {
        f"StatefulSet/{name}: removed",
        f"PersistentVolumeClaim/{name}-data: kept, with its data",
        f"PersistentVolumeClaim/disk-{name}-0: kept, with its data: a StatefulSet claimed it",
    }
    assert set(claims(project)) >= {f"{name}-data", f"disk-{name}-0"}


def test_a_release_that_somebody_elses_helm_made(project: Project) -> None:
    install_as_somebody_else(project)
    target = remove(project, "--yes").expect(0).target
    assert "made by another tool" in target["reasons"][0]
    assert target["changes"] == [f"ConfigMap/{project.name}-foreign: removed"]
    assert project.cluster.get("ConfigMap", f"{project.name}-foreign") is None


def test_while_it_was_interrupted(project: Project) -> None:
    project.deploy().expect(0)
    (revision,) = project.revisions
    secret = f"sh.helm.release.v1.{project.name}.v1"
    project.cluster.patch("Secret", secret, {"metadata": {"labels": {"status": "pending-upgrade"}}})
    assert revision.number == 1
    assert remove(project, "--yes").expect(0).target["outcome"] == "removed"
    assert left_of(project) == []


def test_what_only_an_older_revision_has_is_removed_too(project: Project) -> None:
    extra = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "{{ AppName }}-extra"}, "data": {"a": "b"}}
    project.app["Helm"].append(extra)
    project.deploy().expect(0)
    name = f"{project.name}-extra"
    live = project.cluster.live("ConfigMap", name)
    project.app["Helm"].remove(extra)
    project.deploy().expect(0)
    fields = ("name", "annotations", "labels")
    again = {"metadata": {field: live["metadata"][field] for field in fields}, "data": live["data"]}
    project.cluster.create("ConfigMap", again)  # as a failed upgrade leaves it
    somebodys = f"{project.name}-not-ours"
    project.cluster.create("ConfigMap", {"metadata": {"name": somebodys}, "data": {}})
    target = remove(project, "--yes").expect(0).target
    assert f"ConfigMap/{name}: removed (of an older revision)" in target["changes"]
    eventually(lambda: project.cluster.get("ConfigMap", name) is None)
    assert project.cluster.get("ConfigMap", somebodys)


def test_with_a_broken_app_file_and_with_none(project: Project) -> None:
    project.deploy().expect(0)
    project.app["Helm"] = "nonsense {{"
    assert remove(project, "--plan").expect(0).target["outcome"] == "planned"
    file = project.root / f"apps/{project.name}.yml"
    file.write_text("Name: [")
    (error, *_) = project.run("remove", "local", "london", project.name, "--json", "--yes").expect(2).document["errors"]
    assert "--release" in error["hint"]
    file.unlink()
    (error,) = project.run("remove", "local", "london", project.name, "--json", "--yes").expect(2).document["errors"]
    assert "deploy remove local london RELEASE --release" in error["hint"]
    done = project.run("remove", "local", "london", project.name, "--release", "--json", "--yes").expect(0)
    assert done.target["outcome"] == "removed"
    assert left_of(project) == []


def test_a_release_of_others_is_not_removed_by_its_name_alone(project: Project) -> None:
    install_as_somebody_else(project)
    project.write()
    done = project.run("remove", "local", "london", project.name, "--release", "--json", "--yes").expect(4)
    (error,) = done.document["errors"]
    assert "another tool made it" in error["why"]
    assert "helm uninstall" in error["hint"]
    assert project.cluster.get("ConfigMap", f"{project.name}-foreign")
