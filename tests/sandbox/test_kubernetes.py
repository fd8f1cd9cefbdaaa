"""Reading, previewing and watching objects on a real API server with its controllers."""

from __future__ import annotations

import copy
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from deployer.adapters.kubernetes import KubernetesCluster
from deployer.errors import ConfigurationError
from deployer.model import Json, ObjectKey
from deployer.plan.readiness.controllers import is_current
from tests.sandbox import region

IMAGE = "127.0.31.254:5000/base/busybox:1"


@pytest.fixture
def namespace() -> Iterator[str]:
    with region.namespace() as name:
        yield name


@pytest.fixture
def cluster(namespace: str) -> Iterator[KubernetesCluster]:
    made = region.cluster(namespace, mask=lambda text: text.replace("hunter2", "***"))
    yield made
    made.close()


def container(**fields: Any) -> Json:
    return {"name": "app", "image": IMAGE, "command": ["sh", "-c", "echo ready; exec sleep 1000"], **fields}


def pods(*containers: Json, **fields: Any) -> Json:
    spec = {"containers": list(containers) or [container()], "terminationGracePeriodSeconds": 0, **fields}
    return {"metadata": {"labels": {"app": "app"}}, "spec": spec}


def workload(kind: str, **spec: Any) -> Json:
    content = {"selector": {"matchLabels": {"app": "app"}}, "template": pods(), **spec}
    return {"apiVersion": "apps/v1", "kind": kind, "metadata": {"name": "app"}, "spec": content}


RICH = container(
    env=[
        {"name": "A", "value": "1"},
        {"name": "B", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
        {"name": "C", "valueFrom": {"configMapKeyRef": {"name": "settings", "key": "a"}}},
    ],
    ports=[
        {"containerPort": 80, "name": "http"},
        {"containerPort": 53, "name": "dns"},
        {"containerPort": 53, "name": "dns-udp", "protocol": "UDP"},
    ],
    resources={"limits": {"cpu": "0.5", "memory": "64Mi"}, "requests": {"cpu": "5m"}},
    readinessProbe={"exec": {"command": ["true"]}},
    volumeMounts=[{"name": "settings", "mountPath": "/settings"}],
)
CONFIG: Json = {
    "apiVersion": "v1",
    "kind": "ConfigMap",
    "metadata": {"name": "settings"},
    "data": {"a": "1", "b": "😀 \u2028 \x7f \ufeff ü"},
}
CLAIM_SPEC: Json = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
JOB_SPEC: Json = {"template": {"spec": {"restartPolicy": "Never", "containers": [container(command=["true"])]}}}

# One of every kind that releases consist of, each with what the API server and its controllers fill in.
OBJECTS: dict[str, tuple[str, Json]] = {
    "Deployment": (
        "apis/apps/v1:deployments",
        workload(
            "Deployment",
            replicas=1,
            template=pods(RICH, volumes=[{"name": "settings", "configMap": {"name": "settings"}}]),
        ),
    ),
    "StatefulSet": (
        "apis/apps/v1:statefulsets",
        workload(
            "StatefulSet",
            serviceName="app",
            replicas=0,
            volumeClaimTemplates=[{"metadata": {"name": "data"}, "spec": CLAIM_SPEC}],
        ),
    ),
    "DaemonSet": ("apis/apps/v1:daemonsets", workload("DaemonSet")),
    "Service": (
        "api/v1:services",
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": "app"},
            "spec": {
                "type": "NodePort",
                "selector": {"app": "app"},
                "ports": [
                    {"name": "https", "port": 443, "targetPort": 8443},
                    {"name": "quic", "port": 443, "protocol": "UDP"},
                ],
            },
        },
    ),
    "Ingress": (
        "apis/networking.k8s.io/v1:ingresses",
        {
            "apiVersion": "networking.k8s.io/v1",
            "kind": "Ingress",
            "metadata": {"name": "app"},
            "spec": {
                "ingressClassName": "nginx",
                "rules": [
                    {
                        "host": "preview.deploy.test",
                        "http": {
                            "paths": [
                                {
                                    "path": "/",
                                    "pathType": "Prefix",
                                    "backend": {"service": {"name": "app", "port": {"number": 80}}},
                                }
                            ]
                        },
                    }
                ],
            },
        },
    ),
    "ConfigMap": ("api/v1:configmaps", CONFIG),
    "Secret": (
        "api/v1:secrets",
        {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": "secret"},
            "stringData": {"a": "one"},
            "data": {"b": "dHdv"},
        },
    ),
    "Job": (
        "apis/batch/v1:jobs",
        {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "once"}, "spec": JOB_SPEC},
    ),
    "CronJob": (
        "apis/batch/v1:cronjobs",
        {
            "apiVersion": "batch/v1",
            "kind": "CronJob",
            "metadata": {"name": "often"},
            "spec": {"schedule": "0 0 1 1 *", "jobTemplate": {"spec": JOB_SPEC}},
        },
    ),
    "HorizontalPodAutoscaler": (
        "apis/autoscaling/v2:horizontalpodautoscalers",
        {
            "apiVersion": "autoscaling/v2",
            "kind": "HorizontalPodAutoscaler",
            "metadata": {"name": "app"},
            "spec": {
                "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "app"},
                "minReplicas": 1,
                "maxReplicas": 3,
                "metrics": [
                    {
                        "type": "Resource",
                        "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 50}},
                    }
                ],
            },
        },
    ),
    "PersistentVolumeClaim": (
        "api/v1:persistentvolumeclaims",
        {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": "data"}, "spec": CLAIM_SPEC},
    ),
}


def key(manifest: Json, namespace: str) -> ObjectKey:
    return ObjectKey(manifest["apiVersion"], manifest["kind"], namespace, manifest["metadata"]["name"])


def settled(cluster: KubernetesCluster, manifest: Json, namespace: str) -> Json:
    """The live object once its controller has seen its newest spec."""

    def live() -> Json | None:
        found = cluster.get(key(manifest, namespace))
        slow = manifest["kind"] in ("Deployment", "StatefulSet", "DaemonSet")
        return found if found and (not slow or is_current(found)) else None

    found: Json = region.eventually(live)
    return found


def previewed(cluster: KubernetesCluster, manifest: Json, namespace: str) -> tuple[Json, Json]:
    """The contents of an object's preview, and of itself while nobody else, such as a controller, changed it."""
    preview, live = region.previewed(cluster, manifest, lambda: settled(cluster, manifest, namespace))
    return content(preview), content(live)


def content(each: Json) -> Json:
    """What applying may change: not the status, nor who manages what."""
    hidden = {"managedFields", "resourceVersion", "generation"}
    metadata = {name: value for name, value in each["metadata"].items() if name not in hidden}
    return {name: value for name, value in each.items() if name != "status"} | {"metadata": metadata}


@pytest.mark.parametrize("kind", OBJECTS)
def test_the_preview_of_what_is_there_is_what_is_there(kind: str, cluster: KubernetesCluster, namespace: str) -> None:
    collection, manifest = OBJECTS[kind]
    new = cluster.preview(manifest, None)
    assert cluster.get(key(manifest, namespace)) is None  # nothing was made
    region.create(namespace, manifest, collection)
    preview, live = previewed(cluster, manifest, namespace)
    assert preview == live
    assert new["kind"] == kind


def test_the_preview_of_a_change_shows_it_and_nothing_else(cluster: KubernetesCluster, namespace: str) -> None:
    collection, manifest = OBJECTS["Deployment"]
    region.create(namespace, manifest, collection)
    live = settled(cluster, manifest, namespace)
    changed = copy.deepcopy(manifest)
    changed["spec"]["template"]["spec"]["containers"][0]["env"][0]["value"] = "2"
    expected = copy.deepcopy(content(live))
    expected["spec"]["template"]["spec"]["containers"][0]["env"][0]["value"] = "2"
    assert content(cluster.preview(changed, live)) == expected
    assert content(settled(cluster, manifest, namespace)) == content(live)


def test_what_others_set_is_no_drift_and_what_they_overwrote_is(cluster: KubernetesCluster, namespace: str) -> None:
    manifest = workload("Deployment")  # without replicas: those are the autoscaler's
    region.create(namespace, manifest, "apis/apps/v1:deployments")
    stamp = {"metadata": {"annotations": {"kubectl.kubernetes.io/restartedAt": "2026-01-01"}}}
    cluster.patch(key(manifest, namespace), {"spec": {"replicas": 0, "template": stamp}})
    preview, live = previewed(cluster, manifest, namespace)
    assert preview == live
    with_replicas = workload("Deployment", replicas=3)
    assert cluster.preview(with_replicas, settled(cluster, manifest, namespace))["spec"]["replicas"] == 3


@pytest.mark.parametrize(
    ("change", "words", "hint"),
    [
        ({"spec": {"replicaz": 1}}, "unknown field", "misspelt"),
        ({"spec": {"replicas": -1}}, "must be greater than or equal to 0", None),
        ({"spec": {"replicas": "many"}}, "int32", None),
        ({"apiVersion": "apps/v9"}, "does not know Deployment", "api-resources"),
        ({"kind": "Deploymint"}, "does not know Deploymint", "api-resources"),
        ({"metadata": {"name": "UPPER hunter2"}}, r"Invalid value: \"UPPER \*\*\*\"", None),
    ],
)
def test_what_the_server_refuses_is_a_configuration_error(
    change: Json, words: str, hint: str | None, cluster: KubernetesCluster
) -> None:
    manifest = workload("Deployment")
    for name, value in change.items():
        manifest[name] = manifest[name] | value if isinstance(value, dict) else value
    with pytest.raises(ConfigurationError, match=words) as raised:
        cluster.preview(manifest, None)
    assert (hint or "") in (raised.value.hint or "")


def test_an_immutable_field_is_refused_before_anything_changes(cluster: KubernetesCluster, namespace: str) -> None:
    manifest = workload("Deployment")
    region.create(namespace, manifest, "apis/apps/v1:deployments")
    other = {"app": "other"}
    changed = workload("Deployment", selector={"matchLabels": other})
    changed["spec"]["template"]["metadata"]["labels"] = other
    with pytest.raises(ConfigurationError, match="immutable") as raised:
        cluster.preview(changed, settled(cluster, manifest, namespace))
    assert "another name" in (raised.value.hint or "")


def test_a_quota_is_refused_before_anything_changes(cluster: KubernetesCluster, namespace: str) -> None:
    quota = {
        "apiVersion": "v1",
        "kind": "ResourceQuota",
        "metadata": {"name": "few"},
        "spec": {"hard": {"count/configmaps": "0"}},
    }
    region.create(namespace, quota, "api/v1:resourcequotas")

    def refused() -> str | None:
        try:
            cluster.preview(CONFIG, None)
        except ConfigurationError as error:
            return error.hint
        return None

    assert "quota" in region.eventually(refused)


def test_a_missing_namespace_is_named(cluster: KubernetesCluster) -> None:
    elsewhere = CONFIG | {"metadata": {"name": "settings", "namespace": "does-not-exist"}}
    with pytest.raises(ConfigurationError, match="does-not-exist") as raised:
        cluster.preview(elsewhere, None)
    assert "kubectl create namespace does-not-exist" in (raised.value.hint or "")


def test_a_hook_that_ran_before_may_be_changed(cluster: KubernetesCluster, namespace: str) -> None:
    collection, job = OBJECTS["Job"]
    hook = copy.deepcopy(job)
    hook["metadata"]["annotations"] = {"helm.sh/hook": "pre-upgrade"}
    region.create(namespace, hook, collection)
    hook["spec"]["template"]["spec"]["containers"][0]["image"] = "another:1"
    assert cluster.preview(hook, cluster.get(key(hook, namespace)))["spec"]
    hook["spec"]["template"]["spec"]["containers"] = []
    with pytest.raises(ConfigurationError, match="containers"):
        cluster.preview(hook, cluster.get(key(hook, namespace)))


def test_kinds_that_are_not_built_in(cluster: KubernetesCluster, namespace: str) -> None:
    leases = cluster.list("coordination.k8s.io/v1", "Lease", "kube-node-lease")
    assert leases
    found = ObjectKey("coordination.k8s.io/v1", "Lease", "kube-node-lease", leases[0]["metadata"]["name"])
    assert (cluster.get(found) or {})["kind"] == "Lease"
    assert cluster.list("example.test/v1", "Widget", namespace) == []
    assert cluster.get(ObjectKey("example.test/v1", "Widget", namespace, "a")) is None


def test_listing_by_labels(cluster: KubernetesCluster, namespace: str) -> None:
    for name in ("a", "b"):
        labelled = CONFIG | {"metadata": {"name": name, "labels": {"which": name}}}
        region.create(namespace, labelled, "api/v1:configmaps")
    (found,) = cluster.list("v1", "ConfigMap", namespace, {"which": "b"})
    assert (found["apiVersion"], found["kind"], found["metadata"]["name"]) == ("v1", "ConfigMap", "b")
    everywhere = cluster.list("v1", "ConfigMap", None, {"which": "b"})
    assert found["metadata"]["uid"] in {each["metadata"]["uid"] for each in everywhere}


def test_events_and_logs_of_a_pod(cluster: KubernetesCluster, namespace: str) -> None:
    script = "printf 'first\\nsecond hunter2\\n\\377\\033[31mthird\\n'; exit 3"
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "talker"},
        "spec": {
            "restartPolicy": "OnFailure",
            "terminationGracePeriodSeconds": 0,
            "containers": [container(command=["sh", "-c", script])],
        },
    }
    uid = region.create(namespace, pod, "api/v1:pods")["metadata"]["uid"]
    assert cluster.log(namespace, "talker", "other", lines=5) == ()
    assert cluster.log(namespace, "nobody", "app", lines=5) == ()
    told = ("second ***", "��[31mthird")
    region.eventually(lambda: cluster.log(namespace, "talker", "app", lines=2) == told)
    region.eventually(lambda: cluster.log(namespace, "talker", "app", lines=3, previous=True) == ("first", *told))
    events = region.eventually(lambda: cluster.events(namespace, [uid]))
    assert {event["involvedObject"]["uid"] for event in events} == {uid}
    many = [uid, *(f"00000000-0000-0000-0000-{number:012}" for number in range(20))]
    assert {event["metadata"]["uid"] for event in events} <= {
        event["metadata"]["uid"] for event in cluster.events(namespace, many)
    }
    assert cluster.events(namespace, []) == ()


def test_many_threads_share_one_cluster(cluster: KubernetesCluster, namespace: str) -> None:
    region.create(namespace, CONFIG, "api/v1:configmaps")
    failures: list[BaseException] = []

    def work() -> None:
        try:
            for _ in range(10):
                assert cluster.get(key(CONFIG, namespace))
        except BaseException as error:  # noqa: BLE001
            failures.append(error)

    threads = [threading.Thread(target=work) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []


def test_check_tells_the_version(cluster: KubernetesCluster) -> None:
    assert cluster.check().startswith("v1.")
