"""Going back to what ran before, and the history of it all, in real regions."""

from __future__ import annotations

import base64
import json
import signal
import subprocess
from pathlib import Path

import httpx2

from deployer.adapters.aws.session import Sessions
from deployer.tools import require
from tests.sandbox.apps import SERVE
from tests.sandbox.helpers import Project, with_image
from tests.sandbox.locks import somebody_elses_lock
from tests.sandbox.region import eventually
from tests.sandbox.surroundings import ACCESS, ADDRESSES, CLOSED, Json, Put, ask, unique
from tests.sandbox.tool import Done

REGIONS = ("london", "virginia", "seoul")


def rollback(project: Project, *options: str, region: str = "london") -> Done:
    return project.run("rollback", "local", region, project.name, "--json", *options)


def history(project: Project, region: str = "london", *options: str) -> list[Json]:
    """The revisions of one region, newest first."""
    document = project.run("history", "local", region, project.name, "--json", *options).expect(0).document
    (only,) = document["regions"]
    revisions: list[Json] = only["revisions"]
    return revisions


def greet(project: Project, text: str, region: str = "london", *options: str) -> Done:
    """Deploy a version that answers with this text."""
    project.values["GREETING"] = text
    return project.deploy(*options, "--json", region=region)


def serves(project: Project, text: str, region: str = "london") -> bool:
    host = f"{project.name}.{region}.deploy.test"
    return bool(eventually(lambda: ask(host, region) == (200, text)))


def deployment_of(done: Done) -> str:
    text: str = done.document["deployment"]
    return text


def test_back_and_forth_and_to_what_runs_already(project: Project) -> None:
    first_text, second_text = unique("first"), unique("second")
    project.app["Version"] = "1"
    first = greet(project, first_text).expect(0)
    project.app["Version"] = "2"
    second = greet(project, second_text).expect(0)
    told = len(project.channel_messages)

    # A plan changes nothing, and shows keys.
    before = project.cluster.snapshot()
    planned = rollback(project, "--plan").expect(0)
    assert planned.target["outcome"] == "planned"
    assert planned.target["changes"] == [
        f"Deployment/{project.name}: containers[main].env[GREETING].valueFrom.secretKeyRef.name"
    ]
    assert project.cluster.snapshot() == before

    done = rollback(project).expect(0)
    target = done.target
    assert (target["outcome"], target["revision"], target["version"]) == ("restored", 3, "1")
    assert done.document["action"] == "rollback"
    assert deployment_of(first) in target["reasons"][0]
    assert deployment_of(second) in target["reasons"][0]
    assert serves(project, first_text)

    # The revision tells the truth about itself, also to Helm.
    stored = project.revisions[-1]
    assert (stored.number, stored.status, stored.verified) == (3, "deployed", True)
    record = stored.record
    assert (record["action"], record["restores"], record["version"]) == ("rollback", deployment_of(first), "1")
    assert record["deployment_id"] == stored.labels["deployment-id"] == deployment_of(done)
    assert record["who"] == done.document["who"]

    # The team was told in one message.
    message = project.channel_messages[told]
    assert len(project.channel_messages) == told + 1
    assert "is rolling back" in message["history"][0]["text"]
    assert message["text"].startswith(":white_check_mark:")
    assert "restored" in message["text"]

    # What runs already is not rolled back to.
    before = project.cluster.snapshot()
    for goal in ("3", "1", deployment_of(first)):
        again = rollback(project, "--to", goal).expect(0)
        assert (again.target["outcome"], again.target["revision"]) == ("unchanged", 3)
        assert again.target["workloads"][0]["ready"] == 1
    assert project.cluster.snapshot() == before
    assert len(project.channel_messages) == told + 1

    # And forth again; then the history has it all, without a value of any time.
    forth = rollback(project, "--to", deployment_of(second)[:19]).expect(0)
    assert (forth.target["outcome"], forth.target["version"]) == ("restored", "2")
    assert serves(project, second_text)
    assert [
        (one["revision"], one["outcome"], one["action"], one["version"], one["running"], one["restores"])
        for one in history(project)
    ] == [
        (4, "good", "rollback", "2", True, deployment_of(second)),
        (3, "good", "rollback", "1", False, deployment_of(first)),
        (2, "good", "deploy", "2", False, None),
        (1, "good", "deploy", "1", False, None),
    ]
    assert len(history(project, "london", "--limit", "2")) == 2
    shown = project.run("history", "local", "london", project.name).expect(0)
    assert "▶ 4" in shown.stdout
    for output in (planned, done, again, forth, shown):
        assert first_text not in output.output
        assert second_text not in output.output
    assert first_text not in str(project.channel_messages)


def test_the_same_revision_is_deployed_again_after_a_rollback(project: Project) -> None:
    greet(project, "first one").expect(0)
    greet(project, "second one").expect(0)
    rollback(project).expect(0)
    again = greet(project, "second one").expect(0).target
    assert (again["outcome"], again["revision"]) == ("deployed", 4)
    assert greet(project, "second one").expect(0).target["outcome"] == "unchanged"


def test_regions_go_back_to_one_deployment_although_their_revisions_differ(project: Project) -> None:
    greet(project, "only in seoul", "seoul").expect(0)
    first = greet(project, "everywhere", "all").expect(0)
    greet(project, "twice in london", "london").expect(0)
    second = greet(project, "newest", "all").expect(0)
    numbers = {target["region"]: target["revision"] for target in second.document["targets"]}
    assert numbers == {"london": 3, "virginia": 2, "seoul": 3}

    (refused,) = rollback(project, "--to", "1", region="all").expect(2).document["errors"]
    assert deployment_of(first) in refused["hint"]
    (refused,) = rollback(project, "--to", "20", region="all").expect(2).document["errors"]
    (refused,) = rollback(project, "--to", "19990101", region="all").expect(2).document["errors"]
    assert "no region has a deployment" in refused["what"]

    done = rollback(project, "--to", deployment_of(first), region="all").expect(0)
    targets = {target["region"]: target for target in done.document["targets"]}
    assert {region: (one["outcome"], one["revision"]) for region, one in targets.items()} == {
        "london": ("restored", 4),
        "virginia": ("restored", 3),
        "seoul": ("restored", 4),
    }
    for region in REGIONS:
        assert serves(project, "everywhere", region)
        assert project.clusters[region].revisions(project.name)[-1].record["restores"] == deployment_of(first)

    # Each deployment is one line over all regions.
    shown = project.run("history", "local", "all", project.name).expect(0).stdout
    (line,) = [line for line in shown.splitlines() if line.startswith(deployment_of(done))]
    assert [word for word in line.split() if word.isdecimal()][1:4] == ["4", "3", "4"], line
    (line,) = [line for line in shown.splitlines() if line.startswith(deployment_of(second))]
    assert [word for word in line.split() if word.isdecimal()][1:4] == ["3", "2", "3"], line


def test_a_rollback_that_one_region_misses_is_given_again(project: Project) -> None:
    greet(project, "good", "all").expect(0)
    greet(project, "unwanted", "all").expect(0)
    rollback(project, region="london,virginia").expect(0)
    done = rollback(project, region="all").expect(0)
    outcomes = {target["region"]: target["outcome"] for target in done.document["targets"]}
    assert outcomes == {"london": "unchanged", "virginia": "unchanged", "seoul": "restored"}
    assert all(serves(project, "good", region) for region in REGIONS)


def test_a_failed_deployment_is_told_as_such_and_never_gone_back_to(project: Project) -> None:
    first = greet(project, "works").expect(0)
    project.container["command"] = ["sh", "-c", "exit 3"]
    failed = greet(project, "crashes").expect(1)
    assert failed.target["outcome"] == "rolled back"
    assert [(one["revision"], one["outcome"], one["action"], one["restores"]) for one in history(project)] == [
        (3, "good", "rolled back", deployment_of(first)),
        (2, "failed", "deploy", None),
        (1, "good", "deploy", None),
    ]
    before = project.cluster.snapshot()
    (error,) = rollback(project, "--to", "2").expect(2).document["errors"]
    assert "failed" in error["why"]
    rollback(project, "--to", deployment_of(failed)).expect(2)
    (error,) = rollback(project).expect(2).document["errors"]  # what runs is all that was ever good
    assert "no good revision to go back to" in error["what"]
    (error,) = rollback(project, "--to", "17").expect(2).document["errors"]
    assert project.cluster.snapshot() == before


def test_an_app_that_was_never_deployed(project: Project) -> None:
    project.write()
    (error,) = rollback(project).expect(2).document["errors"]
    assert "not deployed" in error["what"]
    assert history(project) == []
    assert "never deployed" in project.run("history", "local", "london", project.name).expect(0).stdout


def test_a_broken_app_file_keeps_nobody_from_going_back(project: Project, put: Put) -> None:
    with_image(project, put(f"{project.name}/site.tgz", {"page": "kept"}))
    greet(project, "good").expect(0)
    greet(project, "bad").expect(0)
    project.app["Docker"]["Download"] = [{"src": "s3://my-artifacts/nothing-there.tgz"}]
    project.app["Helm"] = "{{ Values.nothing.at.all }}"
    project.app["Version"] = "{{ Nowhere }}"
    project.write()
    project.run("local", "london", project.name).expect(2)
    done = rollback(project).expect(0)
    assert done.target["outcome"] == "restored"
    assert done.target["image"].startswith("127.0.31.1:5000/")
    assert serves(project, "good")


def test_an_image_that_is_gone_is_missed_before_anything_is_changed(project: Project, put: Put) -> None:
    with_image(project, put(f"{project.name}/page-1.tgz", {"page": "1"}))
    project.app["Version"] = "1"
    first = project.deploy("--json", region="london,seoul").expect(0)
    with_image(project, put(f"{project.name}/page-2.tgz", {"page": "2"}))
    project.app["Version"] = "2"
    project.deploy(region="london,seoul").expect(0)
    gone = next(target for target in first.document["targets"] if target["region"] == "seoul")
    repository = gone["image"].partition("/")[2].rpartition(":")[0]
    address = f"http://{ADDRESSES['seoul'].registry}/v2/{repository}/manifests/{gone['digest']}"
    assert httpx2.delete(address, auth=registry_login(), timeout=10, trust_env=False).status_code == 202

    before = [project.clusters[region].snapshot() for region in ("london", "seoul")]
    told = len(project.channel_messages)
    (error,) = rollback(project, region="london,seoul").expect(2).document["errors"]
    assert "gone from the registry" in error["what"]
    assert gone["digest"] in error["where"]
    assert "--version 1" in error["hint"]
    assert f"rollback local london {project.name}" in error["hint"]
    assert [project.clusters[region].snapshot() for region in ("london", "seoul")] == before
    assert len(project.channel_messages) == told


def registry_login() -> tuple[str, str]:
    """As the sandbox's ECR gives it."""
    client = Sessions().of("ap-northeast-2", "local", str(ACCESS / "aws-config")).client("ecr")
    token = client.get_authorization_token()["authorizationData"][0]["authorizationToken"]
    user, _, password = base64.b64decode(token).decode().partition(":")
    return user, password


def test_what_no_longer_starts_goes_back_to_what_ran(project: Project) -> None:
    """The old revision needs a ConfigMap that somebody has deleted since, and says so with its secret of its time."""
    name = f"{project.name}-needed"
    project.cluster.create("ConfigMap", {"metadata": {"name": name}, "data": {"a": "b"}})
    needed = {"configMapKeyRef": {"name": name, "key": "a", "optional": True}}
    project.container["env"].append({"name": "NEEDED", "valueFrom": needed})
    project.container["command"] = [
        "sh",
        "-c",
        f'[ -n "$NEEDED" ] || {{ echo "cannot say $GREETING"; exit 4; }}; {SERVE}',
    ]
    greet(project, old := unique("needs-more")).expect(0)
    project.container["command"] = ["sh", "-c", SERVE]
    greet(project, "runs").expect(0)
    project.cluster.delete("ConfigMap", name)

    done = rollback(project).expect(1)
    assert (done.target["outcome"], done.target["revision"]) == ("rolled back", 4)
    assert any("cannot say ***" in line for line in done.target["evidence"]), done.output
    assert old not in done.output
    assert old not in str(project.channel_messages)
    assert serves(project, "runs")
    assert project.revisions[-1].verified
    assert [(one["revision"], one["outcome"], one["action"]) for one in history(project)] == [
        (4, "good", "rolled back"),
        (3, "failed", "rollback"),
        (2, "good", "deploy"),
        (1, "good", "deploy"),
    ]


def test_a_rollback_that_was_killed_is_finished_by_the_same_command(project: Project) -> None:
    greet(project, "good").expect(0)
    greet(project, "unwanted").expect(0)
    running = project.start("rollback", "local", "london", project.name)
    running.wait_for("release done")
    running.signal(signal.SIGKILL)
    running.done()
    assert history(project)[0]["outcome"] in ("unverified", "in progress")
    done = rollback(project).expect(0)
    assert done.target["outcome"] == "restored"
    assert "was not finished" in done.target["reasons"][0]
    assert serves(project, "good")
    newest, cut_off = history(project)[:2]
    assert (newest["outcome"], cut_off["outcome"]) == ("good", "unverified")
    assert newest["restores"] == cut_off["restores"]


def test_a_rollback_waits_for_its_turn_and_then_has_nothing_to_do(project: Project) -> None:
    greet(project, "good").expect(0)
    greet(project, "unwanted").expect(0)
    with somebody_elses_lock(project):  # until both wait for it
        words = ("rollback", "local", "london", project.name, "--json", "--lock-wait", "2m")
        both = [project.start(*words) for _ in range(2)]
        for one in both:
            one.wait_for("waiting for")
    outcomes = sorted(one.done().expect(0).target["outcome"] for one in both)
    assert outcomes == ["restored", "unchanged"]
    assert serves(project, "good")
    assert len(project.revisions) == 3


def test_a_region_that_is_down_is_named_with_the_command_for_the_others(project: Project) -> None:
    greet(project, "one", "london,seoul").expect(0)
    greet(project, "two", "london,seoul").expect(0)
    break_region(project, "seoul")
    before = project.cluster.snapshot()
    (error,) = rollback(project, region="london,seoul").expect(5).document["errors"]
    assert f"deploy rollback local london {project.name} --json" in error["hint"]
    assert project.cluster.snapshot() == before

    shown = project.run("history", "local", "london,seoul", project.name, "--json").expect(5)
    regions = {one["region"]: one for one in shown.document["regions"]}
    assert [one["revision"] for one in regions["london"]["revisions"]] == [2, 1]
    assert (regions["seoul"]["ok"], regions["seoul"]["errors"][0]["exitCode"]) == (False, 5)
    people = project.run("history", "local", "london,seoul", project.name).expect(5)
    assert "seoul: could not be read" in people.stdout
    assert "local.seoul" in people.stderr


def break_region(project: Project, region: str) -> None:
    """Nothing answers where its cluster is said to be."""
    kubeconfig = project.root / ".sandbox/kubeconfig"
    text = kubeconfig.read_text()
    server = f"{ADDRESSES[region].ingress.partition(':')[0]}:6443"
    assert server in text
    kubeconfig.write_text(text.replace(server, CLOSED))


def test_somebody_elses_revision_must_be_named(project: Project, tmp_path: Path) -> None:
    """What Helm alone has made before us, and what it makes beside us."""
    chart = tmp_path / "chart"
    (chart / "templates").mkdir(parents=True)
    (chart / "Chart.yaml").write_text("apiVersion: v2\nname: theirs\nversion: 0.1.0\n")
    config = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": project.name}, "data": {"by": "them"}}
    (chart / "templates/config.yaml").write_text(json.dumps(config))

    def helm(*arguments: str) -> None:
        access = ["--kubeconfig", str(ACCESS / "kubeconfig"), "--kube-context", "london", "-n", project.cluster.name]
        subprocess.run([str(require("helm")), *arguments, *access], check=True, capture_output=True)

    helm("install", project.name, str(chart))
    greet(project, "ours").expect(0)
    assert [(one["revision"], one["outcome"], one["action"]) for one in history(project)] == [
        (2, "good", "deploy"),
        (1, "not ours", "helm"),
    ]
    (error,) = rollback(project).expect(2).document["errors"]
    assert "--to" in error["hint"]
    done = rollback(project, "--to", "1").expect(0)
    assert done.target["outcome"] == "restored"
    assert project.cluster.get("ConfigMap", project.name)
    assert project.cluster.get("Deployment", project.name) is None
    newest = history(project)[0]
    assert (newest["outcome"], newest["action"], newest["deployment"]) == ("good", "rollback", deployment_of(done))

    helm("rollback", project.name, "2")
    newest = history(project)[0]
    assert (newest["outcome"], newest["action"], newest["restores"]) == ("not ours", "helm rollback", "revision 2")
    assert newest["who"] is None
    assert rollback(project, "--to", "2").expect(0).target["outcome"] == "restored"
    assert serves(project, "ours")
