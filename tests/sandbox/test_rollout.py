"""Manifests and rollouts on a real API server, with its controllers and kubelet."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from threading import Event
from typing import Any

import pytest

from deployer.adapters.kubernetes import KubernetesCluster
from deployer.adapters.kubernetes.connection import Connection
from deployer.adapters.kubernetes.kubeconfig import read_access
from deployer.events import Silence
from deployer.execute.evidence import collect
from deployer.execute.watch import WatchResult, watch
from deployer.model import Json, ObjectKey, RolloutSettings, Target
from deployer.plan.manifests import object_key
from tests.sandbox import region
from tests.unit.plan.manifests.test_golden import NAMES, prepare_golden

IMAGE = "127.0.31.254:5000/base/busybox:1"
COLLECTIONS = {
    "Deployment": "apis/apps/v1:deployments",
    "StatefulSet": "apis/apps/v1:statefulsets",
    "DaemonSet": "apis/apps/v1:daemonsets",
    "Job": "apis/batch/v1:jobs",
}


@pytest.fixture(scope="module")
def namespace() -> Iterator[str]:
    with region.namespace() as name:
        yield name


@pytest.fixture
def cluster(namespace: str) -> Iterator[KubernetesCluster]:
    made = region.cluster(namespace)
    yield made
    made.close()


def workload(kind: str, name: str, pods: Json | None = None, spec: Json | None = None, **container: Any) -> Json:
    """An object of one container that sleeps, unless `container` says otherwise."""
    inner = {"name": "main", "image": IMAGE, "command": ["sh", "-c", "exec sleep 1000"], **container}
    template: Json = {"spec": {"terminationGracePeriodSeconds": 0, "containers": [inner], **(pods or {})}}
    content: Json = {"template": template, **(spec or {})}
    if kind != "Job":
        template["metadata"] = {"labels": {"app": name}}
        content["selector"] = {"matchLabels": {"app": name}}
    version = "batch/v1" if kind == "Job" else "apps/v1"
    return {"apiVersion": version, "kind": kind, "metadata": {"name": name}, "spec": content}


def rollout(cluster: KubernetesCluster, namespace: str, manifest: Json, **options: Any) -> WatchResult:
    """Watch until it ends by itself."""
    target = Target("local", region.CONTEXT, "test")
    policy = RolloutSettings(timeout=options.pop("timeout", 60))
    return watch(cluster, [manifest], namespace, policy, Silence(), target, stop=Event(), **options)


def made(cluster: KubernetesCluster, namespace: str, manifest: Json, **options: Any) -> WatchResult:
    region.create(namespace, manifest, COLLECTIONS[manifest["kind"]])
    return rollout(cluster, namespace, manifest, **options)


@pytest.mark.parametrize("name", NAMES)
def test_the_api_server_takes_what_was_prepared(cluster: KubernetesCluster, name: str) -> None:
    for manifest in prepare_golden(name).members:
        if manifest["apiVersion"] == "example.com/v1":
            continue
        if manifest["kind"] in ("CertificateSigningRequest", "IngressClass"):
            continue  # one needs a real request, the other exists under this name
        previewed = cluster.preview(manifest, None)
        assert (previewed["apiVersion"], previewed["kind"]) == (manifest["apiVersion"], manifest["kind"])


@pytest.mark.parametrize("kind", ["Deployment", "StatefulSet", "DaemonSet"])
def test_becomes_ready(cluster: KubernetesCluster, namespace: str, kind: str) -> None:
    result = made(cluster, namespace, workload(kind, f"good-{kind.lower()}"))
    assert (result.ended, result.reason) == ("ready", "")


MISSING = {"volumes": [{"name": "v", "secret": {"secretName": "absent"}}]}


@pytest.mark.parametrize(
    ("name", "pods", "container", "reason"),
    [
        ("image", {}, {"image": "127.0.31.254:5000/base/absent:1"}, "cannot be pulled: the registry does not have it"),
        ("image-name", {}, {"image": "UPPER/Case:1"}, "is not valid"),
        ("registry", {}, {"image": "127.0.31.254:5999/base/busybox:1"}, "the registry refuses connections"),
        ("secret", {}, {"envFrom": [{"secretRef": {"name": "absent"}}]}, 'cannot start: secret "absent" not found'),
        ("settings", {}, {"envFrom": [{"configMapRef": {"name": "absent"}}]}, 'configmap "absent" not found'),
        ("volume", MISSING, {"volumeMounts": [{"name": "v", "mountPath": "/v"}]}, 'secret "absent" not found'),
        ("command", {}, {"command": ["absent"]}, "its command absent does not exist in the image"),
        ("crash", {}, {"command": ["sh", "-c", "echo dying; exit 3"]}, "container main exited with code 3, 3 times"),
        ("late", {}, {"command": ["sh", "-c", "sleep 2; exit 3"]}, "container main exited with code 3, 3 times"),
        ("account", {"serviceAccountName": "absent"}, {}, "error looking up service account"),
    ],
)
def test_what_will_not_heal_ends_early(
    cluster: KubernetesCluster, namespace: str, name: str, pods: Json, container: Json, reason: str
) -> None:
    result = made(cluster, namespace, workload("Deployment", f"bad-{name}", pods, **container))
    assert result.ended == "failed"
    assert reason in result.reason


def test_unschedulable_is_shown_and_waited_for(cluster: KubernetesCluster, namespace: str) -> None:
    manifest = workload("Deployment", "huge", resources={"requests": {"cpu": "1000"}})
    result = made(cluster, namespace, manifest, timeout=20)
    assert (result.ended, result.workloads[0].verdict) == ("timeout", "waiting")
    assert "Insufficient cpu" in result.reason


def test_jobs(cluster: KubernetesCluster, namespace: str) -> None:
    never: Json = {"restartPolicy": "Never"}
    assert made(cluster, namespace, workload("Job", "job-good", never, command=["true"])).ready
    failing = workload("Job", "job-bad", never, {"backoffLimit": 0}, command=["sh", "-c", "echo oh; exit 4"])
    result = made(cluster, namespace, failing)
    assert result.reason.endswith("container main exited with code 4")
    evidence = collect(cluster, namespace, result.workloads)
    assert evidence.containers[0].log == ("oh",)

    def tells_why() -> bool:  # the controller tells of it after it has decided
        return any("BackoffLimitExceeded" in line for line in collect(cluster, namespace, result.workloads).events)

    region.eventually(tells_why)


def test_evidence_of_a_crash(cluster: KubernetesCluster, namespace: str) -> None:
    manifest = workload("Deployment", "evidence", command=["sh", "-c", "seq 1 50; exit 3"])
    result = made(cluster, namespace, manifest)
    evidence = collect(cluster, namespace, result.workloads)
    assert evidence.containers[0].log == tuple(str(number) for number in range(31, 51))
    assert "exited with code 3" in evidence.containers[0].state
    assert any(line.startswith("Warning BackOff") for line in evidence.events)


def test_a_stateful_set_comes_back_from_a_broken_revision(cluster: KubernetesCluster, namespace: str) -> None:
    good = workload("StatefulSet", "stuck", spec={"replicas": 1})
    assert made(cluster, namespace, good).ready
    broken = copy.deepcopy(good)
    broken["spec"]["template"]["spec"]["containers"][0]["image"] = "127.0.31.254:5000/base/absent:1"
    connection = Connection(read_access(region.KUBECONFIG, region.CONTEXT), timeout=30)
    key = object_key(good, namespace)
    path = f"/apis/apps/v1/namespaces/{namespace}/statefulsets/{key.name}"
    merge = "application/merge-patch+json"
    connection.request("PATCH", path, body={"spec": broken["spec"]}, content_type=merge)
    assert rollout(cluster, namespace, good).ended == "failed"
    connection.request("PATCH", path, body={"spec": good["spec"]}, content_type=merge)
    assert "holds the update up" in rollout(cluster, namespace, good).reason

    def remove(pod: ObjectKey) -> None:
        connection.request("DELETE", f"/api/v1/namespaces/{namespace}/pods/{pod.name}")

    assert rollout(cluster, namespace, good, remove=remove).ready
    connection.close()
