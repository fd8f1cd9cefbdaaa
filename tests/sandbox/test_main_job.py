"""The main job from its command line to the answer through the ingress, in real regions."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
import yaml

from tests.sandbox.apps import hook, workload
from tests.sandbox.clusters import Namespace
from tests.sandbox.helpers import Project, only, with_image
from tests.sandbox.region import eventually
from tests.sandbox.surroundings import CHECKOUT, Put, ask, unique

REGIONS = ("london", "virginia", "seoul")


@pytest.fixture(scope="module")
def deployed_once(tmp_path_factory: pytest.TempPathFactory, clusters: dict[str, Namespace], put: Put) -> Project:
    project = Project(tmp_path_factory.mktemp("deployed"), clusters)
    for version in ("1", "2"):
        put(f"{project.name}/page-{version}.tgz", {"page": f"version {version}"})
    source = put(f"{project.name}/page-1.tgz", {"page": "version 1"}).replace("-1.tgz", "-{{ Version }}.tgz")
    with_image(project, source)
    project.app["Version"] = "1"
    project.stage["Mood"] = "calm"
    project.container["env"].append({"name": "MOOD", "value": "{{ Mood }}"})
    return project


@pytest.fixture
def deployed(deployed_once: Project) -> Project:
    """An app with an image, made from page-{{ Version }}.tgz; what runs is what its files say now."""
    deployed_once.deploy().expect(0)
    return deployed_once


def pod_names(namespace: Namespace, name: str) -> set[str]:
    return {pod["metadata"]["name"] for pod in namespace.pods() if pod["metadata"]["labels"].get("app") == name}


def environment(namespace: Namespace, name: str) -> dict[str, str]:
    container = namespace.live("Deployment", name)["spec"]["template"]["spec"]["containers"][0]
    return {entry["name"]: entry.get("value", "") for entry in container["env"]}


def answers(host: str, region: str, text: str) -> bool:
    return bool(eventually(lambda: ask(host, region) == (200, text)))


# --- once, and once more ---------------------------------------------------------------------------------------------


def test_first_deployment_and_then_nothing_to_do(project: Project, put: Put) -> None:
    with_image(project, put(f"{project.name}/site.tgz", {"page": "from the artefact"}))
    project.write()
    for command in (["init", "-q"], ["add", "--all"], ["commit", "-q", "-m", "First"]):
        identity = ["-c", "user.name=Anna", "-c", "user.email=anna@example.com"]
        subprocess.run(["git", *identity, *command], cwd=project.root, check=True)
    revision = ["git", "rev-parse", "HEAD"]
    commit = subprocess.run(revision, cwd=project.root, check=True, capture_output=True, text=True).stdout.strip()
    started = project.spied()

    first = project.deploy("--json").expect(0)
    assert {line.split()[0] for line in started.read_text().splitlines()} == {"sops", "buildx", "helm"}
    target = first.target
    assert (target["outcome"], target["revision"], first.document["ok"]) == ("deployed", 1, True)
    assert target["image"].startswith(f"127.0.31.1:5000/123456789012/{project.name}:1.0.0-")
    assert len(target["image"].rpartition("-")[2]) == 32

    # It answers through the ingress, with the decrypted value and with the artefact's content.
    assert project.answers(f"hello from {project.name}")
    assert project.answers("from the artefact", "/page")

    # The image is pinned, and the revision tells what it is.
    pinned = f"{target['image']}@{target['digest']}"
    live = project.cluster.live("Deployment", project.name)
    assert live["spec"]["template"]["spec"]["containers"][0]["image"] == pinned
    (stored,) = project.revisions
    assert (stored.status, stored.verified) == ("deployed", True)
    assert stored.labels["deployment-id"] == first.document["deployment"]
    record = stored.record
    assert (record["version"], record["image"], record["digest"]) == ("1.0.0", target["image"], target["digest"])
    assert f"{record['image'].rpartition(':')[2]}" == record["tag"]
    assert record["git_commit"] == first.document["gitCommit"] == commit
    assert record["who"] == first.document["who"]

    # The team was told in one message.
    (message,) = project.channel_messages
    assert message["history"][0]["text"].startswith(":hourglass")
    assert message["text"].startswith(":white_check_mark:")
    assert all(word in message["text"] for word in (project.name, "london", "1.0.0", record["who"]))
    assert project.values["GREETING"] not in str(message)

    started.write_text("")
    before = project.cluster.snapshot()
    again = project.deploy("--json").expect(0)
    assert (again.target["outcome"], again.target["revision"]) == ("unchanged", 1)
    assert {line.split()[0] for line in started.read_text().splitlines()} == {"sops"}
    assert project.cluster.snapshot() == before
    assert len(project.channel_messages) == 1


def test_a_changed_value_makes_a_new_revision_of_the_same_image(deployed: Project) -> None:
    before, pods = deployed.revisions[-1], pod_names(deployed.cluster, deployed.name)
    deployed.values["GREETING"] = unique("changed")
    done = deployed.deploy("--json").expect(0)
    assert done.target["changes"] == [
        f"Deployment/{deployed.name}: containers[main].env[GREETING].valueFrom.secretKeyRef.name"
    ]
    after = deployed.revisions[-1]
    assert (after.number, after.verified) == (before.number + 1, True)
    assert after.record["digest"] == before.record["digest"]
    assert deployed.answers(deployed.values["GREETING"])
    eventually(lambda: not pods & pod_names(deployed.cluster, deployed.name))


def test_changed_content_under_the_same_name_makes_a_new_tag(deployed: Project, put: Put) -> None:
    before = deployed.revisions[-1].record
    page = unique("page")
    put(f"{deployed.name}/page-1.tgz", {"page": page})
    target = deployed.deploy("--json").expect(0).target
    assert (target["outcome"], target["reasons"]) == ("deployed", ["new image"])
    after = deployed.revisions[-1].record
    assert after["tag"] != before["tag"]
    assert after["digest"] != before["digest"]
    assert deployed.answers(page, "/page")


def test_version_and_variables_of_the_command_line_win(deployed: Project, tmp_path: Path) -> None:
    target = deployed.deploy("--version", "2", "-e", "Mood=excited", "--json").expect(0).target
    assert target["version"] == "2"
    assert ":2-" in target["image"]
    assert deployed.answers("version 2", "/page")
    assert environment(deployed.cluster, deployed.name)["MOOD"] == "excited"

    variables = tmp_path / "variables.yml"
    variables.write_text("Mood: grim\n")
    assert deployed.deploy("--version", "2", "-e", f"@{variables}", "--json").expect(0).target["version"] == "2"
    assert environment(deployed.cluster, deployed.name)["MOOD"] == "grim"

    back = deployed.deploy("--json").expect(0).target
    assert back["version"] == "1"
    assert environment(deployed.cluster, deployed.name)["MOOD"] == "calm"


def test_a_rebuilt_image_stays_until_the_content_changes(deployed: Project) -> None:
    before = deployed.revisions[-1].record
    rebuilt = deployed.deploy("--rebuild", "--json").expect(0).target
    assert rebuilt["outcome"] == "deployed"
    assert rebuilt["image"] != before["image"]
    again = deployed.deploy("--json").expect(0).target
    assert (again["outcome"], again["image"], again["digest"]) == ("unchanged", rebuilt["image"], rebuilt["digest"])


def test_a_plan_changes_nothing(deployed: Project) -> None:
    name = deployed.name
    plan = ("plan", "local", deployed.cluster.region, name)
    deployed.run(*plan, "--exit-code").expect(0)
    told = len(deployed.channel_messages)
    before = deployed.cluster.snapshot()
    deployed.values["GREETING"] = unique("planned")
    planned = deployed.deploy("--plan", "--json").expect(0)
    assert planned.target["outcome"] == "planned"
    assert planned.target["changes"] == [
        f"Deployment/{name}: containers[main].env[GREETING].valueFrom.secretKeyRef.name"
    ]
    with_code = deployed.run(*plan, "--exit-code").expect(3)
    assert "GREETING changes (" in with_code.stdout
    new_image = deployed.run(*plan, "--version", "2").expect(0)
    assert f"{name}:2-" in new_image.stdout
    for done in (planned, with_code):
        assert deployed.values["GREETING"] not in done.output
    assert deployed.cluster.snapshot() == before
    assert len(deployed.channel_messages) == told


def test_all_regions_run_one_image(deployed: Project) -> None:
    done = deployed.deploy("--json", region="all").expect(0)
    targets = {target["region"]: target for target in done.document["targets"]}
    assert set(targets) == set(REGIONS)
    assert len({target["digest"] for target in targets.values()}) == 1
    for region, target in targets.items():
        live = deployed.clusters[region].live("Deployment", deployed.name)
        container = live["spec"]["template"]["spec"]["containers"][0]
        assert container["image"] == f"{target['image']}@{target['digest']}"
        host = f"{deployed.name}.{region}.deploy.test"
        assert answers(host, region, deployed.values["GREETING"])
    again = deployed.deploy("--json", region="london,seoul").expect(0)
    assert [target["outcome"] for target in again.document["targets"]] == ["unchanged", "unchanged"]


def test_the_example_of_the_seed_document(project: Project) -> None:
    project.app = yaml.safe_load((CHECKOUT / "apps/myapp.yml").read_text())
    project.app |= {"Name": project.name, "SubDomain": project.name}
    download = project.app["Docker"]["Download"]
    assert download == [{"src": "s3://my-artifacts/myapp/myapp-{{ Version }}.tar.gz"}]
    removed = [one["apiVersion"] for one in project.app["Helm"]]
    assert removed == ["extensions/v1beta1", "v1", "extensions/v1beta1"]
    project.values = {"Replicas": 2, "VERSION": "0.0.1", "VALUE1": "Hello", "VALUE2": "World"}
    project.stage["HealthCheck"]["Path"] = "/healthcheck"
    done = project.deploy("--json").expect(0)
    assert len(done.target["warnings"]) == 2
    assert all("extensions/v1beta1 was removed" in warning for warning in done.target["warnings"])
    assert project.answers("Hello World\n", "/greeting.txt")
    assert ask(f"{project.name}.deploy.test", path="/healthcheck")[0] == 200
    assert project.cluster.live("Deployment", project.name)["status"]["readyReplicas"] == 2
    assert project.deploy("--json").expect(0).target["outcome"] == "unchanged"


# --- apps of other shapes --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["Deployment", "StatefulSet", "DaemonSet", "CronJob", "Job"])
def test_an_app_of_one_workload_and_no_host(project: Project, kind: str) -> None:
    script = "true" if kind == "Job" else "exec sleep 1000"
    only(project, workload(kind, script))
    first = project.deploy("--json").expect(0).target
    assert (first["outcome"], first["image"], first["url"]) == ("deployed", None, None)
    assert first["workloads"][0]["object"] == f"{kind}/{project.name}"
    assert project.cluster.live(kind, project.name)
    if kind == "Job":
        assert eventually(lambda: project.cluster.live(kind, project.name)["status"].get("succeeded") == 1)
    assert project.deploy("--json").expect(0).target["outcome"] == "unchanged"


def test_a_job_cannot_be_changed_in_place(project: Project) -> None:
    only(project, workload("Job", "true"))
    project.deploy().expect(0)
    before = project.cluster.snapshot()
    only_job = project.app["Helm"][0]
    only_job["spec"]["template"]["spec"]["containers"][0]["command"] = ["sh", "-c", "echo other"]
    refused = project.deploy("--json").expect(2)
    (error,) = refused.document["errors"]
    assert f"apps/{project.name}.yml:" in error["where"]
    assert error["what"] == f"Job/{project.name}: spec.template cannot be changed on the object that exists"
    assert project.cluster.snapshot() == before


def test_a_hook_that_succeeds(project: Project) -> None:
    project.app["Helm"].append(hook("echo migrated"))
    project.deploy().expect(0)
    assert project.cluster.live("Job", f"{project.name}-hook")["status"]["succeeded"] == 1
    assert project.deploy("--json").expect(0).target["outcome"] == "unchanged"


def test_a_hook_that_fails_ends_helm_early_and_leaves_the_last_good_revision(project: Project) -> None:
    project.deploy().expect(0)
    pods = pod_names(project.cluster, project.name)
    project.app["Helm"].append(hook("echo cannot migrate; exit 5"))
    project.stage["Rollout"]["Timeout"] = 300
    done = project.deploy("--json").expect(1)
    assert done.seconds < 150, "helm was waited for"
    target = done.target
    assert target["outcome"] == "rolled back"
    assert "exited with code 5" in target["errors"][0]["why"]
    assert any("cannot migrate" in line for line in target["evidence"])
    assert project.revisions[-1].verified
    assert pod_names(project.cluster, project.name) == pods
    project.app["Helm"].pop()
    project.deploy("--json").expect(0)


def test_several_apps_at_once(tmp_path: Path, clusters: dict[str, Namespace]) -> None:
    project = Project(tmp_path, clusters)
    only(project, workload("Deployment"))
    project.write()
    other = unique("other")
    second = {**project.app, "Name": other}
    (project.root / f"apps/{other}.yml").write_text(yaml.safe_dump(second))
    done = project.run("local", "london,virginia", project.name, other, "--json").expect(0)
    pairs = {(target["application"], target["region"]) for target in done.document["targets"]}
    assert pairs == {(app, region) for app in (project.name, other) for region in ("london", "virginia")}
    assert clusters["virginia"].live("Deployment", other)
