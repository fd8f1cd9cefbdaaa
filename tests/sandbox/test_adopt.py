"""Taking over what others made, and giving it back as it was when that fails."""

from __future__ import annotations

import base64
import copy
import gzip
import json
import signal
import subprocess
from typing import Any

import pytest
import yaml

from deployer.tools import require
from tests.sandbox.helpers import Project, deploy_refused
from tests.sandbox.region import eventually
from tests.sandbox.surroundings import ACCESS, Json, ask
from tests.sandbox.tool import Done

APP_KINDS = ("Deployment", "Service", "Ingress")


def adopt(project: Project, *options: str) -> Done:
    project.write()
    return project.run("adopt", "local", "london", project.name, "--json", *options)


def helm(project: Project, *arguments: str, check: bool = True) -> str:
    """Somebody else's own helm."""
    where = ["--kubeconfig", str(ACCESS / "kubeconfig"), "--kube-context", "london", "-n", project.cluster.name]
    environment = {"HOME": str(project.home), "PATH": "/usr/bin:/bin"}
    done = subprocess.run(
        [str(require("helm")), *arguments, *where], check=False, capture_output=True, text=True, env=environment
    )
    assert done.returncode == 0 or not check, done.stderr
    return done.stdout


def chart(project: Project, *manifests: Json) -> str:
    """Another tool's chart, with these objects."""
    directory = project.directory / "foreign"
    (directory / "templates").mkdir(parents=True, exist_ok=True)
    (directory / "Chart.yaml").write_text("apiVersion: v2\nname: foreign\nversion: 1.0.0\n")
    text = yaml.safe_dump_all(list(manifests))
    (directory / "templates/all.yaml").write_text(text)
    return str(directory)


def by_others(project: Project, greeting: str = "made by hand") -> dict[str, Json]:
    """The app's objects as somebody else has made them: with other values, and things that we know nothing of."""
    labels = {"app": project.name}
    container: Json = copy.deepcopy(project.container)
    container |= {"image": project.stage["BaseImage"], "env": [{"name": "GREETING", "value": greeting}]}
    manifests: dict[str, Json] = {
        "Deployment": {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {"name": project.name, "labels": {"team": "blue"}, "annotations": {"note": "do not touch"}},
            "spec": {
                "replicas": 2,
                "selector": {"matchLabels": labels},
                "template": {
                    "metadata": {"labels": labels},
                    "spec": {"terminationGracePeriodSeconds": 0, "containers": [container]},
                },
            },
        },
        "Service": {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": project.name},
            "spec": {"selector": labels, "ports": [{"name": "http", "port": 80, "targetPort": "http"}]},
        },
    }
    return manifests


def make_by_hand(project: Project, *kinds: str) -> None:
    for kind, manifest in by_others(project).items():
        if not kinds or kind in kinds:
            project.cluster.create(kind, manifest)
    if not kinds:
        eventually(lambda: project.cluster.live("Deployment", project.name)["status"].get("readyReplicas") == 2)


def state(project: Project, kind: str, name: str | None = None) -> Json:
    """Everything of an object that is not its status or the server's counting."""
    live = project.cluster.live(kind, name or project.name)
    metadata = {key: live["metadata"].get(key) for key in ("uid", "labels")}
    annotations = dict(live["metadata"].get("annotations") or {})
    annotations.pop("deployment.kubernetes.io/revision", None)  # the controller's
    managers = sorted(
        (entry["manager"], entry["operation"], json.dumps(entry.get("fieldsV1"), sort_keys=True))
        for entry in live["metadata"]["managedFields"]
        if not entry.get("subresource") and "kube-controller" not in entry["manager"]
    )
    content = {key: value for key, value in live.items() if key not in ("metadata", "status")}
    return {**content, "metadata": {**metadata, "annotations": annotations, "managers": managers}}


def stored(project: Project) -> list[Json]:
    """What Helm has stored of the release, unpacked."""
    secrets = project.cluster.all("Secret", f"owner=helm,name={project.name}")
    return [json.loads(gzip.decompress(base64.b64decode(base64.b64decode(one["data"]["release"])))) for one in secrets]


def test_objects_made_by_hand(project: Project) -> None:
    make_by_hand(project)
    before = {kind: project.cluster.live(kind, project.name) for kind in ("Deployment", "Service")}
    errors = deploy_refused(project, 2)
    assert {error["what"] for error in errors} == {
        f"{kind}/{project.name} exists already and is not part of the release" for kind in before
    }
    assert all("deploy adopt" in error["hint"] for error in errors)

    (error,) = adopt(project).expect(4).document["errors"]
    assert error["what"] == "nothing was taken over"
    assert f"Deployment/{project.name}: taken over, made by hand; changes " in error["why"]
    assert "changes replicas, containers[main].env[GREETING].value" in error["why"]
    assert f"Ingress/{project.name}: added" in error["why"]
    assert project.values["GREETING"] not in error["why"]
    planned = adopt(project, "--plan").expect(0).target
    assert (planned["outcome"], planned["reasons"]) == ("planned", ["2 objects are taken over", "not installed yet"])
    assert {kind: project.cluster.live(kind, project.name) for kind in before} == before

    done = adopt(project, "--yes").expect(0)

    assert (done.document["action"], done.target["outcome"]) == ("adopt", "deployed")
    for kind, old in before.items():
        live = project.cluster.live(kind, project.name)
        assert live["metadata"]["uid"] == old["metadata"]["uid"]
        assert live["metadata"]["annotations"]["meta.helm.sh/release-name"] == project.name
    (revision,) = project.revisions
    assert revision.verified
    assert revision.record["action"] == "adopt"
    assert "before" not in stored(project)[0]["config"]
    assert project.answers(project.values["GREETING"])
    assert project.deploy("--json").expect(0).target["outcome"] == "unchanged"
    assert adopt(project).expect(0).target["outcome"] == "unchanged"


@pytest.mark.parametrize("version", ["3", "4"])
def test_a_failed_adoption_gives_everything_back(project: Project, version: str) -> None:
    use_helm(project, version)
    make_by_hand(project)
    before = {kind: state(project, kind) for kind in ("Deployment", "Service")}
    command = project.container["command"]
    project.container["command"] = ["absent"]
    done = adopt(project, "--yes").expect(1)
    assert done.target["outcome"] == "rolled back"
    assert {kind: state(project, kind) for kind in before} == before
    assert project.cluster.get("Ingress", project.name) is None
    assert project.revisions == []
    assert project.cluster.live("Deployment", project.name)["status"]["readyReplicas"] == 2
    # And once it is mended it works.
    project.container["command"] = command
    assert adopt(project, "--yes").expect(0).target["outcome"] == "deployed"


def use_helm(project: Project, version: str) -> None:
    if version == "4":
        directory = project.directory / "helm4"
        directory.mkdir()
        (directory / "helm").write_text(f'#!/bin/sh\nexec {require("helm4")} "$@"\n')
        (directory / "helm").chmod(0o755)
        project.environment["PATH"] = f"{directory}:{project.environment['PATH']}"


@pytest.mark.parametrize("version", ["3", "4"])
def test_a_release_of_another_name_is_forgotten_once_it_has_nothing_left(project: Project, version: str) -> None:
    use_helm(project, version)
    old = f"{project.name}-old"
    helm(project, "install", old, chart(project, *by_others(project).values()))
    eventually(lambda: project.cluster.live("Deployment", project.name)["status"].get("readyReplicas") == 2)
    uid = project.cluster.live("Deployment", project.name)["metadata"]["uid"]
    (error,) = adopt(project).expect(4).document["errors"]
    assert f"Service/{project.name}: taken over, of the release {old} in {project.cluster.name}" in error["why"]
    assert f"release {old} in {project.cluster.name}: forgotten afterwards" in error["why"]
    done = adopt(project, "--yes").expect(0)
    assert project.cluster.live("Deployment", project.name)["metadata"]["uid"] == uid
    assert project.cluster.revisions(old) == []
    assert f"the release {old} in {project.cluster.name} had nothing left and is forgotten" in done.stderr
    assert project.revisions[-1].record["adopted_from"] == f"{project.cluster.name}/{old}"
    helm(project, "uninstall", old, "--ignore-not-found")
    assert project.answers(project.values["GREETING"])
    assert project.deploy("--json").expect(0).target["outcome"] == "unchanged"


def test_a_failed_adoption_leaves_the_other_release_as_it_was(project: Project) -> None:
    old = f"{project.name}-old"
    helm(project, "install", old, chart(project, *by_others(project).values()))
    eventually(lambda: project.cluster.live("Deployment", project.name)["status"].get("readyReplicas") == 2)
    before = {kind: state(project, kind) for kind in ("Deployment", "Service")}
    project.container["command"] = ["absent"]
    assert adopt(project, "--yes").expect(1).target["outcome"] == "rolled back"
    assert {kind: state(project, kind) for kind in before} == before
    assert [one.number for one in project.cluster.revisions(old)] == [1]
    helm(project, "upgrade", old, chart(project, *by_others(project, "still theirs").values()))


def test_what_remains_of_another_release_is_named(project: Project) -> None:
    old = f"{project.name}-old"
    extra: Json = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": f"{project.name}-extra"}}
    helm(project, "install", old, chart(project, *by_others(project).values(), extra))
    done = adopt(project, "--yes").expect(0)
    (warning,) = done.target["warnings"]
    assert f"stays, since ConfigMap/{project.name}-extra is not part of this app" in warning
    assert f"helm uninstall {old}" in warning
    assert [one.number for one in project.cluster.revisions(old)] == [1]
    assert project.cluster.get("ConfigMap", f"{project.name}-extra")


def test_a_release_of_the_same_name_and_an_object_made_by_hand(project: Project) -> None:
    """Helm's own rollback would delete what was made by hand."""
    theirs = by_others(project)
    extra: Json = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": f"{project.name}-theirs"}}
    helm(project, "install", project.name, chart(project, theirs["Deployment"], extra))
    make_by_hand(project, "Service")
    before = state(project, "Service")
    command = project.container["command"]
    project.container["command"] = ["absent"]
    (error,) = adopt(project).expect(4).document["errors"]
    assert f"ConfigMap/{project.name}-theirs: deleted" in error["why"]
    target = adopt(project, "--yes").expect(1).target
    assert target["outcome"] == "rolled back"
    assert state(project, "Service") == before
    assert project.cluster.get("ConfigMap", f"{project.name}-theirs")
    assert project.cluster.live("Deployment", project.name)["spec"]["replicas"] == 2
    project.container["command"] = command
    assert adopt(project, "--yes").expect(0).target["outcome"] == "deployed"
    assert project.cluster.get("ConfigMap", f"{project.name}-theirs") is None
    assert project.cluster.live("Service", project.name)["metadata"]["uid"] == before["metadata"]["uid"]


@pytest.mark.parametrize("after", ["recover", "adopt", "deploy"])
def test_killed_in_the_middle(project: Project, after: str) -> None:
    make_by_hand(project)
    before = {kind: state(project, kind) for kind in ("Deployment", "Service")}
    uids = {kind: one["metadata"]["uid"] for kind, one in before.items()}
    command = project.container["command"]
    project.container["command"] = ["absent"]
    project.write()
    running = project.start("adopt", "local", "london", project.name, "--yes", "-v")
    running.wait_for("rollout …")
    running.signal(signal.SIGKILL)
    running.done()
    assert project.revisions
    if after == "recover":
        done = project.run("recover", "local", "london", project.name, "--json", "--yes")
        assert "Traceback" not in done.stderr, done.output
        assert {kind: state(project, kind) for kind in before} == before, done.output
        assert project.revisions == []
        return
    refused = project.run("remove", "local", "london", project.name, "--yes", "--json").expect(4)
    assert "was cut off" in refused.document["errors"][0]["what"]
    if after == "deploy":  # it fails as well, and gives back what the adoption took
        project.deploy().expect(1)
        assert {kind: state(project, kind) for kind in before} == before
        assert project.revisions == []
        return
    project.container["command"] = command
    assert adopt(project, "--yes").expect(0).target["outcome"] == "deployed"
    assert {kind: project.cluster.live(kind, project.name)["metadata"]["uid"] for kind in uids} == uids
    assert not any("before" in one.get("config", {}) for one in stored(project) if one["info"]["status"] == "deployed")


def test_stopped_in_the_middle(project: Project) -> None:
    make_by_hand(project)
    before = {kind: state(project, kind) for kind in ("Deployment", "Service")}
    project.container["command"] = ["absent"]
    project.write()
    running = project.start("adopt", "local", "london", project.name, "--yes", "-v", "--json")
    running.wait_for("rollout …")
    running.signal(signal.SIGTERM)
    done = running.done(30).expect(143)
    assert done.target["outcome"] == "interrupted"
    assert {kind: state(project, kind) for kind in before} == before
    assert project.revisions == []


def test_a_stored_release_with_an_api_that_is_gone(project: Project) -> None:
    theirs = by_others(project)
    rule = {
        "host": project.host,
        "http": {
            "paths": [
                {
                    "path": "/",
                    "pathType": "Prefix",
                    "backend": {"service": {"name": project.name, "port": {"name": "http"}}},
                }
            ]
        },
    }
    ingress: Json = {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "Ingress",
        "metadata": {"name": project.name},
        "spec": {"ingressClassName": "nginx", "rules": [rule]},
    }
    helm(project, "install", project.name, chart(project, *theirs.values(), ingress))
    name = f"sh.helm.release.v1.{project.name}.v1"
    secret = project.cluster.live("Secret", name)
    release = json.loads(gzip.decompress(base64.b64decode(base64.b64decode(secret["data"]["release"]))))
    documents = list(yaml.safe_load_all(release["manifest"]))
    old = next(one for one in documents if one["kind"] == "Ingress")
    old["apiVersion"] = "extensions/v1beta1"
    old["metadata"]["annotations"] = {"kubernetes.io/ingress.class": "nginx"}
    old["spec"] = {
        "rules": [
            {
                "host": project.host,
                "http": {"paths": [{"path": "/", "backend": {"serviceName": project.name, "servicePort": "http"}}]},
            }
        ]
    }
    release["manifest"] = "---\n" + yaml.safe_dump_all(documents)
    data = base64.b64encode(base64.b64encode(gzip.compress(json.dumps(release).encode()))).decode()
    project.cluster.patch("Secret", name, {"data": {"release": data}})
    uid = project.cluster.live("Ingress", project.name)["metadata"]["uid"]
    assert adopt(project, "--yes").expect(0).target["outcome"] == "deployed"
    assert project.cluster.live("Ingress", project.name)["metadata"]["uid"] == uid
    assert project.answers(project.values["GREETING"])


def test_a_selector_that_differs_is_refused_with_what_to_do(project: Project) -> None:
    manifest = by_others(project)["Deployment"]
    labels = {"app": project.name, "tier": "web"}
    manifest["spec"]["selector"]["matchLabels"] = labels
    manifest["spec"]["template"]["metadata"]["labels"] = labels
    project.cluster.create("Deployment", manifest)
    before = state(project, "Deployment")
    (error,) = adopt(project, "--yes").expect(2).document["errors"]
    assert "spec.selector cannot be changed on the object that exists" in error["what"]
    assert "delete it" in error["hint"]
    assert state(project, "Deployment") == before


def test_nothing_to_take_over_is_a_deployment(project: Project) -> None:
    target: dict[str, Any] = adopt(project).expect(0).target
    assert target["outcome"] == "deployed"
    assert ask(project.host)[0] == 200


def test_a_deployment_over_anothers_release_does_not_take_what_was_made_by_hand(project: Project) -> None:
    helm(project, "install", project.name, chart(project, by_others(project)["Deployment"]))
    make_by_hand(project, "Service")
    eventually(lambda: project.cluster.live("Deployment", project.name)["status"].get("readyReplicas") == 2)
    (error,) = deploy_refused(project, 2)
    assert error["what"] == f"Service/{project.name} exists already and is not part of the release"


def test_what_an_adoption_gave_back_can_be_removed_with_its_release(project: Project) -> None:
    helm(project, "install", project.name, chart(project, by_others(project)["Deployment"]))
    make_by_hand(project, "Service")
    project.container["command"] = ["absent"]
    adopt(project, "--yes").expect(1)
    assert not any("before" in one.get("config", {}) for one in stored(project))
    project.run("remove", "local", "london", project.name, "--yes").expect(0)
    assert project.cluster.get("Deployment", project.name) is None
    assert project.cluster.get("Service", project.name)
