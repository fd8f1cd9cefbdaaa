"""The sandbox itself: what it offers, that it repairs itself, and that it leaves nothing behind."""

from __future__ import annotations

import base64
import io
import json
import os
import signal
import socket
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from deployer.errors import DeployError
from deployer.events import Silence
from deployer.sandbox import cgroups, cluster, health, network, processes, procfs, slack
from deployer.sandbox.layout import (
    AWS_ENDPOINT,
    BASE_IMAGE,
    BUCKET,
    CGROUP,
    KMS_ALIAS,
    REGIONS,
    RUN_DIRECTORY,
    SLACK_ENDPOINT,
    Layout,
    Region,
    current,
)
from deployer.sandbox.registry import PASSWORD, USER
from deployer.sandbox.sandbox import down, reset, state, status, up
from deployer.tools import require
from tests.sandbox.region import eventually
from tests.sandbox.surroundings import CHECKOUT as REPOSITORY

JSON = {"Content-Type": "application/json"}

each_region = pytest.mark.parametrize("region", REGIONS, ids=lambda region: region.name)


@pytest.fixture(scope="module", autouse=True)
def well_for_others() -> Iterator[None]:
    """Whatever happens here, the other modules' tests find the sandbox well."""
    yield
    up(Silence(), REPOSITORY)


@pytest.fixture
def layout() -> Layout:
    return current()


def assert_all_well() -> None:
    found = status()
    assert [(part.name, part.reason) for part in found.parts if not part.healthy] == []
    assert (found.state, state()) == ("up", "up")


def records(layout: Layout) -> dict[str, processes.Record | None]:
    return {name: processes.read(layout, name) for name in processes.names(layout)}


def ask_ingress(region: Region, host: str) -> tuple[int, str]:
    status, body = health.ask(f"http://{region.ingress}/", headers={"Host": host}, timeout=5)
    return status, body.decode()


# --- what it offers --------------------------------------------------------------------------------------------------


def test_every_part_is_well(layout: Layout) -> None:
    assert_all_well()
    assert len(status().parts) == 6 + 3 * 7


def test_up_again_changes_nothing(layout: Layout) -> None:
    before = records(layout)
    result = up(Silence(), REPOSITORY)
    assert (result.started, result.written) == ((), ())
    assert records(layout) == before


def test_up_outside_of_a_repository_works_too(layout: Layout) -> None:
    assert up(Silence(), None).written == ()


@pytest.fixture
def site(layout: Layout, region: Region) -> Iterator[str]:
    """A pod with a readiness probe, its image out of the region's own registry, behind two Ingresses; its name."""
    name = "sandbox-test"
    labels = {"app": name}
    container = {
        "name": "main",
        "image": f"{region.registry}/base/busybox:1",
        "imagePullPolicy": "Always",
        "command": ["sh", "-c", f"mkdir /www; echo {region.name} > /www/index.html; echo serving; httpd -f -h /www"],
        "readinessProbe": {"httpGet": {"path": "/", "port": 80}, "periodSeconds": 1},
    }
    backend = {"path": "/", "pathType": "Prefix", "backend": {"service": {"name": name, "port": {"number": 80}}}}

    def ingress(kind: str, annotations: dict[str, str], **spec: str) -> dict[str, Any]:
        rules = [{"host": f"{kind}.test", "http": {"paths": [backend]}}]
        return {"metadata": {"name": f"{name}-{kind}", "annotations": annotations}, "spec": {**spec, "rules": rules}}

    made = {
        "/api/v1/namespaces/default/pods": [
            {"metadata": {"name": name, "labels": labels}, "spec": {"containers": [container]}}
        ],
        "/api/v1/namespaces/default/services": [
            {"metadata": {"name": name}, "spec": {"selector": labels, "ports": [{"port": 80}]}}
        ],
        "/apis/networking.k8s.io/v1/namespaces/default/ingresses": [
            ingress("annotated", {"kubernetes.io/ingress.class": "nginx"}),
            ingress("named", {}, ingressClassName="nginx"),
        ],
    }
    places = [(path, body) for path, bodies in made.items() for body in bodies]
    try:
        for path, body in places:
            answered, answer = cluster.request(layout, region, "POST", path, body)
            assert answered == 201, answer
        yield name
    finally:
        for path, body in places:
            cluster.request(layout, region, "DELETE", f"{path}/{body['metadata']['name']}?gracePeriodSeconds=0")


@each_region
def test_a_pod_is_served_through_the_regions_ingress(layout: Layout, region: Region, site: str) -> None:
    for host in ("annotated.test", "named.test"):
        eventually(lambda host=host: ask_ingress(region, host) == (200, f"{region.name}\n"))  # type: ignore[misc]
    ingress = f"/apis/networking.k8s.io/v1/namespaces/default/ingresses/{site}-named"
    (entry,) = eventually(
        lambda: cluster.request(layout, region, "GET", ingress)[1]["status"]["loadBalancer"].get("ingress")
    )
    assert entry["hostname"].endswith(f".{region.aws_region}.elb.amazonaws.com")
    _, log = cluster.request(layout, region, "GET", f"/api/v1/namespaces/default/pods/{site}/log")
    assert log == b"serving\n"
    assert ask_ingress(region, "nobody.test")[0] == 404


@each_region
def test_the_registry_wants_a_login(region: Region) -> None:
    url = f"http://{region.registry}/v2/base/busybox/manifests/1"
    login = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
    assert health.ask(url)[0] == 401
    assert health.ask(url, headers={"Authorization": f"Basic {login}"})[0] == 200


def client(service: str, region: Region) -> Any:
    import boto3

    session: Any = boto3.Session("sandbox", "sandbox")
    return session.client(service, region_name=region.aws_region, endpoint_url=AWS_ENDPOINT)


@each_region
def test_the_aws_endpoint_has_what_a_region_needs(region: Region) -> None:
    assert client("kms", region).describe_key(KeyId=KMS_ALIAS)["KeyMetadata"]["Enabled"]
    assert client("eks", region).describe_cluster(name=region.cluster)["cluster"]["status"] == "ACTIVE"
    (balancer,) = client("elbv2", region).describe_load_balancers(Names=[region.load_balancer])["LoadBalancers"]
    assert region.aws_region in balancer["DNSName"]
    token = client("ecr", region).get_authorization_token()["authorizationData"][0]["authorizationToken"]
    assert base64.b64decode(token).decode() == f"{USER}:{PASSWORD}"


def test_the_aws_endpoint_has_artefacts_and_a_zone() -> None:
    listed = client("s3", REGIONS[0]).list_objects_v2(Bucket=BUCKET)["Contents"]
    assert {"myapp/myapp-0.0.1.tar.gz", "myapp/myapp-0.0.2.tar.gz", "myapp/myapp-develop.tar.gz"} <= {
        entry["Key"] for entry in listed
    }
    zones = client("route53", REGIONS[0]).list_hosted_zones()["HostedZones"]
    assert [zone["Name"] for zone in zones] == ["deploy.test."]


def test_images_can_be_built_upon_the_base_image() -> None:
    import docker

    engine = docker.from_env()
    dockerfile = f"FROM {BASE_IMAGE}\nRUN echo built > /built && test -s /built\n"
    image, _ = engine.images.build(fileobj=io.BytesIO(dockerfile.encode()), tag="sandbox-test:1", forcerm=True)
    engine.images.remove(str(image.id), force=True)
    engine.close()


def test_slack_shows_what_it_received() -> None:
    body = json.dumps({"text": "from a test"}).encode()
    health.ask(f"{SLACK_ENDPOINT}/services/x", method="POST", body=body, headers=JSON)
    assert slack.messages()[-1]["text"] == "from a test"


def decrypted(file: str) -> Any:
    environment = {
        **os.environ,
        "AWS_PROFILE": "local",
        "AWS_CONFIG_FILE": str(REPOSITORY / ".sandbox" / "aws-config"),
    }
    command: list[str | Path] = [require("sops"), "decrypt", "--output-type", "json", REPOSITORY / "group_vars" / file]
    return json.loads(subprocess.run(command, env=environment, check=True, capture_output=True).stdout)


@each_region
def test_the_regions_secrets_can_be_decrypted(region: Region) -> None:
    values = decrypted(f"secrets_local.{region.name}.yml")["Values"]
    assert values["notmyapp"]["DATABASE_URL"] == "psql://much@wow:7654"
    assert set(values["myapp"]) == {"Replicas", "VERSION", "VALUE1", "VALUE2"}
    text = (REPOSITORY / "group_vars" / f"secrets_local.{region.name}.yml").read_text()
    assert "much@wow" not in text


def test_the_stages_secrets_can_be_decrypted() -> None:
    secrets = decrypted("secrets_local.yml")
    assert len(secrets["FingerprintKey"]) == 64
    assert secrets["Slack"]["Token"].startswith("xoxb-")


def test_a_secrets_file_that_was_lost_or_damaged_is_made_anew() -> None:
    file = REPOSITORY / "group_vars" / "secrets_local.seoul.yml"
    file.write_text(file.read_text().replace("ENC[AES256_GCM,data:", "ENC[AES256_GCM,data:AAAA", 1))
    assert up(Silence(), REPOSITORY).written == ("group_vars/secrets_local.seoul.yml",)
    assert decrypted("secrets_local.seoul.yml")["Values"]["myapp"]["VALUE1"] == "Hello"


def test_only_root_reads_its_keys(layout: Layout) -> None:
    assert stat.S_IMODE(layout.state.stat().st_mode) == 0o700
    assert stat.S_IMODE((REPOSITORY / ".sandbox" / "kubeconfig").stat().st_mode) == 0o600
    for process in procfs.marked(layout.state):
        arguments = Path(f"/proc/{process.pid}/cmdline").read_bytes()
        for token in layout.keys.glob("*.token"):
            assert token.read_bytes() not in arguments


# --- that it repairs itself ------------------------------------------------------------------------------------------

KILLED = (
    *("slack", "registry-public", "registry-london", "ingress-virginia", "scheduler-seoul", "kubelet-london"),
    *("controller-manager-london", "containerd-virginia", "docker", "api-server-seoul", "etcd", "dns", "aws"),
)


def kill(layout: Layout, name: str) -> processes.Record:
    record = processes.read(layout, name)
    assert record is not None
    os.kill(record.pid, signal.SIGKILL)
    procfs.end([record.pid], grace=0)
    return record


@pytest.mark.parametrize("name", KILLED)
def test_repairs_what_was_killed_and_leaves_the_rest_alone(layout: Layout, name: str) -> None:
    if name not in processes.names(layout):
        pytest.skip("images are built with this machine's own engine")
    before = records(layout)
    kill(layout, name)
    assert state() == "broken"
    found = status()
    assert found.state == "broken"
    assert name in [part.name for part in found.parts if not part.healthy]
    assert up(Silence(), REPOSITORY).started == (name,)
    assert_all_well()
    after = records(layout)
    assert {changed for changed in after if after[changed] != before[changed]} == {name}


def test_repairs_a_part_that_hangs(layout: Layout) -> None:
    record = processes.read(layout, "slack")
    assert record is not None
    os.kill(record.pid, signal.SIGSTOP)
    assert state() == "up"
    assert status().state == "broken"
    assert up(Silence(), REPOSITORY).started == ("slack",)
    assert_all_well()


def test_repairs_a_part_whose_record_was_lost(layout: Layout) -> None:
    lost = processes.read(layout, "registry-seoul")
    assert lost is not None
    (layout.processes / "registry-seoul.json").unlink()
    assert up(Silence(), REPOSITORY).started == ("registry-seoul",)
    assert not processes.is_alive(lost)
    assert_all_well()


@pytest.mark.parametrize("region", REGIONS[:1], ids=lambda region: region.name)
def test_repairs_a_bridge_that_was_removed(layout: Layout, region: Region, site: str) -> None:
    eventually(lambda: ask_ingress(region, "named.test")[0] == 200)
    subprocess.run(["ip", "link", "delete", region.bridge], check=True)
    assert status().state == "broken"
    up(Silence(), REPOSITORY)
    assert_all_well()
    eventually(lambda: ask_ingress(region, "named.test")[0] == 200)


@pytest.mark.parametrize("region", REGIONS[:1], ids=lambda region: region.name)
def test_comes_up_after_a_power_cut(layout: Layout, region: Region, site: str) -> None:
    """Everything dies at once; mounts, control groups and sockets stay as they would not, which is worse."""
    eventually(lambda: ask_ingress(region, "named.test")[0] == 200)
    pods = cgroups.members(CGROUP)
    assert pods
    procfs.end([process.pid for process in procfs.marked(layout.state)] + sorted(pods), grace=0)
    (layout.run / "boot").write_text("an earlier boot")
    assert state() == "broken"
    up(Silence(), REPOSITORY)
    assert_all_well()
    eventually(lambda: ask_ingress(region, "named.test")[0] == 200)


@pytest.mark.parametrize("region", REGIONS[:1], ids=lambda region: region.name)
def test_comes_up_after_all_its_daemons_died(layout: Layout, region: Region, site: str) -> None:
    """Their pods live on, with nobody to look after them."""
    eventually(lambda: ask_ingress(region, "named.test")[0] == 200)
    procfs.end([process.pid for process in procfs.marked(layout.state)], grace=0)
    up(Silence(), REPOSITORY)
    assert_all_well()
    eventually(lambda: ask_ingress(region, "named.test")[0] == 200)


# --- that it leaves nothing behind -----------------------------------------------------------------------------------


PLACES = (
    "/var/lib/cni",
    "/var/lib/kubelet",
    "/var/log/containers",
    "/run/containerd",
    "/run/docker",
    "/opt/containerd",
)


def machine() -> dict[str, object]:
    """What the sandbox changes on a machine."""
    rules = subprocess.run(["iptables-save"], capture_output=True, text=True, check=True).stdout
    groups = [path.name for hierarchy in cgroups.hierarchies() for path in hierarchy.iterdir() if path.is_dir()]
    return {
        "interfaces": {path.name for path in Path("/sys/class/net").iterdir()},
        "mounts": {line.split()[1] for line in Path("/proc/self/mounts").read_text().splitlines()},
        "rules": [line for line in rules.splitlines() if line.startswith("-A")],
        "groups": {name for name in groups if name in (CGROUP, "docker", "kubepods")},
        "forwarding": Path("/proc/sys/net/ipv4/ip_forward").read_text(),
        "sockets": {path for pattern in ("*.sock", "*/*.sock") for path in Path("/run").glob(pattern)},
        "places": {place for place in PLACES if Path(place).exists()},
    }


def put_note(layout: Layout, region: Region) -> None:
    body = {"metadata": {"name": "sandbox-note"}, "data": {"region": region.name}}
    answered, _ = cluster.request(layout, region, "POST", "/api/v1/namespaces/default/configmaps", body)
    assert answered in (201, 409)


def note(layout: Layout, region: Region) -> int:
    return cluster.request(layout, region, "GET", "/api/v1/namespaces/default/configmaps/sandbox-note")[0]


@pytest.fixture
def up_again() -> Iterator[None]:
    """The tests that follow find the sandbox up."""
    yield
    up(Silence(), REPOSITORY)


@pytest.mark.usefixtures("up_again")
def test_goes_down_without_a_trace_and_comes_back_as_it_was(layout: Layout) -> None:
    for region in REGIONS:
        put_note(layout, region)
    running = {process.pid for process in procfs.marked(layout.state)} | cgroups.members(CGROUP)
    bystander = subprocess.Popen(["sleep", "600"], executable="/bin/sleep", env={"PATH": "/bin"})
    down(Silence())
    assert (state(), status().state) == ("down", "down")
    assert [pid for pid in running if procfs.start_time(pid) is not None] == []
    assert not RUN_DIRECTORY.exists()
    assert bystander.poll() is None
    bare = machine()
    assert not [name for name in network.BRIDGES if network.has_bridge(name)]
    assert not cgroups.exists()
    assert down(Silence()).ended == ()

    up(Silence(), REPOSITORY)
    assert_all_well()
    for region in REGIONS:
        assert note(layout, region) == 200
        assert cluster.request(layout, region, "DELETE", "/api/v1/namespaces/default/configmaps/sandbox-note")[0] == 200

    down(Silence())
    assert machine() == bare
    assert bystander.poll() is None
    bystander.kill()
    bystander.wait()


@pytest.mark.usefixtures("up_again")
def test_a_taken_port_stops_it_before_anything_is_started(layout: Layout) -> None:
    down(Silence())
    with socket.create_server(("127.0.31.2", 8080)), pytest.raises(DeployError) as caught:
        up(Silence(), REPOSITORY)
    assert "port 8080 on 127.0.31.2 is taken" in str(caught.value)
    assert f"(pid {os.getpid()})" in str(caught.value)
    assert list(procfs.marked(layout.state)) == []
    assert not RUN_DIRECTORY.exists()
    assert state() == "down"


def deploy_sandbox(*arguments: str) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "deployer", "sandbox", *arguments]
    return subprocess.Popen(command, cwd=REPOSITORY, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


@pytest.mark.usefixtures("up_again")
def test_two_at_once_make_one_sandbox(layout: Layout) -> None:
    down(Silence())
    both = [deploy_sandbox("up", "--json"), deploy_sandbox("up", "--json")]
    results = [(process.communicate(timeout=300), process.returncode) for process in both]
    assert [code for _, code in results] == [0, 0], [error for (_, error), _ in results]
    started = [json.loads(output)["started"] for (output, _), _ in results]
    assert sorted(map(len, started)) == [0, len(processes.names(layout))]
    assert_all_well()


@pytest.mark.usefixtures("up_again")
def test_an_interrupted_start_is_taken_up_again(layout: Layout) -> None:
    down(Silence())
    starting = deploy_sandbox("up")
    eventually(lambda: processes.read(layout, "etcd"))
    starting.send_signal(signal.SIGINT)
    _, error = starting.communicate(timeout=120)
    assert starting.returncode == 128 + signal.SIGINT, error
    assert b"Traceback" not in error
    assert state() == "broken"
    up(Silence(), REPOSITORY)
    assert_all_well()


def test_a_stop_that_was_killed_is_taken_up_again(layout: Layout) -> None:
    stopping = deploy_sandbox("down")
    eventually(lambda: state() == "down")
    stopping.kill()
    stopping.communicate(timeout=60)
    up(Silence(), REPOSITORY)
    assert_all_well()


def test_reset_forgets_what_the_clusters_held(layout: Layout) -> None:
    put_note(layout, REGIONS[0])
    reset(Silence(), REPOSITORY)
    assert_all_well()
    assert note(layout, REGIONS[0]) == 404


def test_the_command_line_tells_how_it_is(layout: Layout) -> None:
    kill(layout, "slack")
    shown = deploy_sandbox("status")
    output, error = shown.communicate(timeout=60)
    assert (shown.returncode, error) == (1, b"")
    assert b"The sandbox is broken." in output
    assert b"slack: it has ended" in output
    assert b"`deploy sandbox up` repairs it." in output
    repaired = deploy_sandbox("up")
    output, _ = repaired.communicate(timeout=60)
    assert repaired.returncode == 0
    assert b"1 processes started" in output
    document = deploy_sandbox("status", "--json")
    output, _ = document.communicate(timeout=60)
    assert json.loads(output)["state"] == "up"
    assert document.returncode == 0


def test_the_slack_command_shows_messages() -> None:
    health.ask(f"{SLACK_ENDPOINT}/messages", method="DELETE")
    body = json.dumps({"text": "seen"}).encode()
    health.ask(f"{SLACK_ENDPOINT}/services/x", method="POST", body=body, headers=JSON)
    shown = deploy_sandbox("slack")
    output, _ = shown.communicate(timeout=60)
    assert b"seen" in output
    assert b"1 message;" in output
