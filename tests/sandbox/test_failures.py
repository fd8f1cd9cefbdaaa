"""What goes wrong: in the cluster, around it, and in what was asked for."""

from __future__ import annotations

import calendar
import json
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml

from deployer.tools import require
from tests.sandbox.helpers import (
    ACCESS,
    Json,
    Namespace,
    Project,
    artefacts,
    ask,
    eventually,
    messages,
    namespaces,
    s3,
    unique,
    with_image,
)

CLOSED = "127.0.0.1:9"
"""Nothing listens there."""

Put = Callable[[str, Mapping[str, str]], str]
Change = Callable[[Project], Any]


@pytest.fixture(scope="module")
def clusters() -> Iterator[dict[str, Namespace]]:
    with namespaces("london") as made:
        yield made


@pytest.fixture(scope="module")
def put() -> Iterator[Put]:
    with artefacts(unique("tests")) as made:
        yield made


@pytest.fixture
def project(tmp_path: Path, clusters: dict[str, Namespace]) -> Project:
    """An app that is not deployed yet."""
    return Project(tmp_path, clusters)


@pytest.fixture(scope="module")
def good_project(tmp_path_factory: pytest.TempPathFactory, clusters: dict[str, Namespace]) -> Project:
    return Project(tmp_path_factory.mktemp("good"), clusters)


@pytest.fixture
def good(good_project: Project) -> Iterator[Project]:
    """An app that runs well; what a test changes in its files is taken back."""
    good_project.deploy().expect(0)
    before = json.dumps([good_project.stage, good_project.regions, good_project.values, good_project.app])
    yield good_project
    project = good_project
    project.stage, project.regions, project.values, project.app = json.loads(before)


# --- rollouts --------------------------------------------------------------------------------------------------------


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


def crash_of_init(project: Project) -> None:
    init = {"name": "prepare", "image": "{{ BaseImage }}", "command": ["sh", "-c", "echo unprepared; exit 4"]}
    project.deployment["spec"]["template"]["spec"]["initContainers"] = [init]


def never_ready(project: Project) -> None:
    project.container["readinessProbe"]["httpGet"]["path"] = "/absent"
    project.stage["Rollout"]["Timeout"] = 6


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
        (crash_of_init, "container prepare exited with code 4", "unprepared"),
        (never_ready, "not ready after", "HTTP probe failed with statuscode: 404"),
        (no_room, "Insufficient cpu", "FailedScheduling"),
    ],
)
def test_a_rollout_that_fails_is_explained_and_rolled_back(
    good: Project, change: Change, reason: str, evidence: str
) -> None:
    before = good.revisions[-1]
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
    assert ask(good.host)[0] == 200
    assert ask(good.host)[1] != good.values["GREETING"] + "\n"

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
    before = good.revisions[-1]
    good.values["GREETING"] = unique("never")
    good.stage["HealthCheck"] |= {"Path": "/absent", "Timeout": 3}
    target = good.deploy("--json").expect(1).target
    assert target["outcome"] == "rolled back"
    (error,) = target["errors"]
    assert error["what"] == f"{good.host} does not answer well from outside"
    assert error["where"] == f"http://{good.host}/absent"
    assert "404" in error["why"]
    assert good.revisions[-1].manifest == before.manifest
    assert ask(good.host)[1] != good.values["GREETING"] + "\n"


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
    assert not [key for key in project.cluster.snapshot() if f"/{project.name}" in key and not key.startswith("Pod/")]
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


# --- what others did -------------------------------------------------------------------------------------------------


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
    assert ask(good.host)[0] == 200
    assert good.deploy("--json").expect(0).target["outcome"] == "unchanged"


def test_a_failing_pod_of_a_good_revision_is_not_called_unchanged(good: Project) -> None:
    """Somebody broke the pods: the same command says that they are not ready, and mends what a revision can mend."""
    for pod in good.cluster.pods():
        good.cluster.delete("Pod", pod["metadata"]["name"])
    assert good.deploy("--json").expect(0).target["outcome"] in ("deployed", "unchanged")
    assert ask(good.host)[0] == 200


@contextmanager
def foreign_release(project: Project) -> Iterator[Callable[..., Any]]:
    """Somebody else's chart, installed under the app's name."""
    chart = project.directory / "foreign"
    (chart / "templates").mkdir(parents=True)
    (chart / "Chart.yaml").write_text("apiVersion: v2\nname: foreign\nversion: 1.0.0\n")
    settings = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": f"{project.name}-foreign"}}
    (chart / "templates/settings.yaml").write_text(yaml.safe_dump(settings))

    def helm(*arguments: str) -> None:
        access = ["--kubeconfig", str(ACCESS / "kubeconfig"), "--kube-context", "london"]
        where = ["--namespace", project.cluster.name]
        command = [str(require("helm")), *arguments, *access, *where]
        subprocess.run(command, check=True, capture_output=True, env={"HOME": str(project.home), "PATH": "/usr/bin"})

    helm("install", project.name, str(chart))
    yield helm


def test_somebody_elses_release_survives_a_failure(project: Project) -> None:
    with foreign_release(project):
        no_command(project)
        target = project.deploy("--json").expect(1).target
        assert target["outcome"] == "rolled back"
        assert project.revisions[-1].status == "deployed"
        assert project.cluster.get("ConfigMap", f"{project.name}-foreign")
        assert project.cluster.get("Deployment", project.name) is None


def test_somebody_elses_object_is_not_taken(project: Project) -> None:
    ports = [{"port": 80}]
    project.cluster.create("Service", {"metadata": {"name": project.name}, "spec": {"ports": ports}})
    before = project.cluster.snapshot()
    done = project.deploy("--json")
    assert done.code in (1, 2), done.output
    assert f'Service "{project.name}"' in done.stderr + done.stdout or f"Service/{project.name}" in done.stdout
    assert "Traceback" not in done.stderr
    assert project.cluster.snapshot() == before


def test_two_deployments_at_once(good: Project) -> None:
    good.values["GREETING"] = unique("both")
    good.write()
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
        assert ask(good.host)[1] == good.values["GREETING"] + "\n"
        assert good.deploy("--json").expect(0).target["outcome"] == "unchanged"


# --- Slack -----------------------------------------------------------------------------------------------------------


@contextmanager
def silent_server() -> Iterator[str]:
    """Takes connections and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        kept: list[socket.socket] = []

        def accept() -> None:
            while True:
                try:
                    kept.append(server.accept()[0])
                except OSError:
                    return

        thread = threading.Thread(target=accept, daemon=True)
        thread.start()
        yield f"127.0.0.1:{server.getsockname()[1]}"
        server.shutdown(socket.SHUT_RDWR)
        thread.join(5)
        for each in kept:
            each.close()


@pytest.mark.parametrize("slack", ["down", "silent", "refusing"])
def test_slack_costs_a_warning_and_no_more(good: Project, slack: str) -> None:
    good.values["GREETING"] = unique("slack")
    with silent_server() as silent:
        address = {"down": f"http://{CLOSED}/", "silent": f"http://{silent}/"}.get(slack)
        if address:
            good.stage["Slack"]["ApiUrl"] = address
        else:
            del good.stage["Slack"]["Channel"]
        good.write()
        running = good.start("local", "london", good.name, "--json")
        done = running.done().expect(0)
    ended = time.time()
    assert done.target["outcome"] == "deployed"
    assert done.stderr.count("warning: ") == 1, done.stderr
    assert "warning: Slack was not told" in done.stderr
    if slack == "silent":  # it was being asked since before the release was changed
        assert ended - running.time_of("outside check done") < 5 + 2


# --- what is wrong beforehand ----------------------------------------------------------------------------------------


def deploy_refused(project: Project, code: int, *options: str, **more: Any) -> list[Json]:
    """The errors of a deployment that is refused without a trace in the cluster."""
    before, told = project.cluster.snapshot(), len(project.channel_messages)
    done = project.deploy("--json", *options, **more).expect(code)
    assert project.cluster.snapshot() == before
    document = done.document
    errors: list[Json] = document.get("errors") or [each for one in document["targets"] for each in one["errors"]]
    assert errors
    assert all(error["what"] in done.stderr for error in errors)
    for message in project.channel_messages[told:]:
        assert message["text"].startswith(":x:")
    return errors


def services_at(project: Project, **endpoints: str) -> None:
    """Point single AWS services somewhere else."""
    lines = [(ACCESS / "aws-config").read_text(), "services = own", "[services own]"]
    for service, endpoint in endpoints.items():
        lines += [f"{service} =", f"  endpoint_url = http://{endpoint}"]
    (project.root / "own-aws-config").write_text("\n".join(lines) + "\n")
    project.stage["AwsConfigFile"] = "own-aws-config"


@pytest.fixture
def with_artefact(good: Project, put: Put) -> Project:
    """An app that runs, and is now to get an image from an artefact."""
    with_image(good, put("site.tgz", {"page": unique("page")}))
    return good


def test_an_artefact_that_is_missing(with_artefact: Project) -> None:
    download = with_artefact.app["Docker"]["Download"][0]
    download["src"] = download["src"].replace("site.tgz", "absent.tgz")
    (error,) = deploy_refused(with_artefact, 2)
    assert download["src"] in f"{error['what']} {error['where']} {error['why']}"
    assert with_artefact.name in error["where"]


def test_an_artefact_that_is_another_one(with_artefact: Project) -> None:
    with_artefact.app["Docker"]["Download"][0]["sha256"] = "0" * 64
    (error,) = deploy_refused(with_artefact, 2)
    assert "0" * 64 in f"{error['what']} {error['why']}"


def test_kms_that_does_not_answer(good: Project) -> None:
    services_at(good, kms=CLOSED)
    errors = deploy_refused(good, 5)
    assert "KMS could not be reached" in errors[0]["what"]
    assert "secrets_local.yml" in errors[0]["where"]


@pytest.mark.parametrize("service", ["s3", "sts", "ecr"])
def test_an_aws_service_that_does_not_answer(with_artefact: Project, service: str) -> None:
    services_at(with_artefact, **{service: CLOSED})
    errors = deploy_refused(with_artefact, 5)
    assert any(service in f"{error['what']} {error['where']} {error['why']}".lower() for error in errors), errors


def test_a_registry_that_does_not_answer(with_artefact: Project) -> None:
    with_artefact.regions["london"]["AwsEcrPrefix"] = f"{CLOSED}/123456789012"
    errors = deploy_refused(with_artefact, 5)
    assert any(CLOSED in f"{error['what']} {error['where']} {error['why']}" for error in errors), errors


def test_an_account_that_is_another_one(with_artefact: Project) -> None:
    with_artefact.regions["london"]["AwsEcrPrefix"] = "127.0.31.1:5000/999999999999"
    errors = deploy_refused(with_artefact, 2)
    assert any("999999999999" in f"{error['what']} {error['why']}" for error in errors), errors
    assert any("123456789012" in f"{error['what']} {error['why']}" for error in errors), errors


def test_a_cluster_that_does_not_answer(good: Project) -> None:
    kubeconfig = yaml.safe_load((ACCESS / "kubeconfig").read_text())
    for cluster in kubeconfig["clusters"]:
        cluster["cluster"]["server"] = f"https://{CLOSED}"
    (good.root / "kubeconfig").write_text(yaml.safe_dump(kubeconfig))
    good.regions["london"]["Cluster"]["Kubeconfig"] = "kubeconfig"
    (error,) = deploy_refused(good, 5)
    assert "the cluster does not answer" in error["what"]


def test_with_one_region_down_nothing_is_begun_in_the_others(tmp_path: Path) -> None:
    with namespaces("london", "seoul") as clusters:
        project = Project(tmp_path, clusters)
        kubeconfig = yaml.safe_load((ACCESS / "kubeconfig").read_text())
        for cluster in kubeconfig["clusters"]:
            cluster["cluster"]["server"] = f"https://{CLOSED}"
        (project.root / "kubeconfig").write_text(yaml.safe_dump(kubeconfig))
        project.regions["seoul"]["Cluster"]["Kubeconfig"] = "kubeconfig"
        (error,) = deploy_refused(project, 5, region="all")
        assert "seoul" in f"{error['what']} {error['where']}"
        assert f"deploy local london {project.name}" in error["hint"]


def test_docker_that_does_not_answer(with_artefact: Project) -> None:
    (error,) = deploy_refused(with_artefact, 5, env={"DOCKER_HOST": f"tcp://{CLOSED}"})
    assert "docker" in f"{error['what']} {error['why']} {error['hint']}".lower()


@contextmanager
def small_disk(directory: Path, kilobytes: int) -> Iterator[None]:
    directory.mkdir(exist_ok=True)
    options = ["-t", "tmpfs", "-o", f"size={kilobytes}k", "tmpfs", str(directory)]
    subprocess.run(["mount", *options], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", str(directory)], check=True)


def test_a_disk_that_is_full(with_artefact: Project) -> None:
    key = with_artefact.app["Docker"]["Download"][0]["src"].split("/", 3)[3]
    s3().put_object(Bucket="my-artifacts", Key=key, Body=b"x" * 1_000_000)
    small = with_artefact.directory / "small"
    with small_disk(small, 256):
        (small / "deployer").mkdir()
        (small / "deployer/tools").symlink_to((with_artefact.cache / "deployer/tools").resolve())
        (error,) = deploy_refused(with_artefact, 1, env={"XDG_CACHE_HOME": str(small)})
        assert error["what"] == "there is no space left for artefacts"
        assert str(small) in error["where"]


def test_temporary_files_without_room(good: Project) -> None:
    """Helm and others go on without what they would have kept there; what cannot go on says why."""
    good.values["GREETING"] = unique("tight")
    with small_disk(good.directory / "tight", 16):
        (good.directory / "tight/filled").write_bytes(b"x" * 12_000)
        done = good.deploy("--json", env={"TMPDIR": str(good.directory / "tight")})
        assert done.code in (0, 1), done.output
        if done.code == 1:
            (error,) = done.document.get("errors") or done.target["errors"]
            assert "space" in f"{error['what']} {error['why']}"
        assert "Traceback" not in done.stderr
    assert good.deploy("--json").expect(0).target["outcome"] in ("deployed", "unchanged")


def test_a_manifest_that_is_refused(good: Project) -> None:
    good.deployment["spec"]["template"]["spec"]["restartPolicy"] = "Never"
    good.app["Helm"][1]["spec"]["ports"][0]["port"] = 70000
    errors = deploy_refused(good, 2)
    assert len(errors) == 2
    text = (good.root / f"apps/{good.name}.yml").read_text().splitlines()
    for error, word in zip(errors, ("restartPolicy", "port"), strict=True):
        file, line, *_ = error["where"].split(":")
        assert file == f"apps/{good.name}.yml"
        assert text[int(line) - 1].strip()
        assert word in f"{error['what']} {error['why']}"


def test_a_manifest_without_a_kind(good: Project) -> None:
    del good.app["Helm"][1]["kind"]
    (error,) = deploy_refused(good, 2)
    assert "kind" in error["what"]
    assert error["where"].startswith(f"apps/{good.name}.yml:")


def test_a_file_that_cannot_be_decrypted(good: Project) -> None:
    good.write()
    file = good.root / "group_vars/secrets_local.yml"
    text = file.read_text()
    try:
        file.write_text(text.replace("mac: ENC[AES256_GCM,data:", "mac: ENC[AES256_GCM,data:AA"))
        (error,) = deploy_refused(good, 2)
        assert "secrets_local.yml" in error["where"]
    finally:
        file.write_text(text)
