"""Following a rollout over time, with a clock that only the test moves."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from threading import Event
from typing import Any

import pytest

from deployer.errors import UnreachableError
from deployer.events import RolloutProgress
from deployer.execute.watch import HookWatch, WatchResult, observe, watch
from deployer.model import Json, ObjectKey, RolloutSettings, Target
from deployer.plan.manifests import PreparedManifests
from tests.fakes import FakeCluster, RecordingSink
from tests.unit.plan.readiness import NEW, crash_loop, deployment, event, pod, running, workload

TARGET = Target("prod", "london", "web")
POLICY = RolloutSettings(timeout=60)
WEB = ObjectKey("apps/v1", "Deployment", "default", "web")
DONE = {"replicas": 2, "updatedReplicas": 2, "readyReplicas": 2, "availableReplicas": 2}


def manifest(key: ObjectKey, **annotations: str) -> Json:
    metadata = {"name": key.name, "annotations": annotations}
    return {"apiVersion": key.api_version, "kind": key.kind, "metadata": metadata}


@dataclass
class Cluster(FakeCluster):
    """Counts what it is asked, and knows events and what a Deployment owns."""

    told: list[Json] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)

    def get(self, key: ObjectKey) -> Json | None:
        self.asked.append(f"get {key}")
        return super().get(key)

    def list(
        self, api_version: str, kind: str, namespace: str | None, labels: Mapping[str, str] | None = None
    ) -> Sequence[Json]:
        self.asked.append(f"list {kind} {dict(labels or {})}")
        return self.pods if kind == "Pod" else [NEW] if kind == "ReplicaSet" else []

    def events(self, namespace: str, uids: Sequence[str]) -> Sequence[Json]:
        self.asked.append(f"events {' '.join(uids)}")
        return [one for one in self.told if one["involvedObject"]["uid"] in uids]


@dataclass
class Time:
    """A clock, and the changes that happen at its seconds while a watch sleeps."""

    changes: dict[int, Callable[[], Any]] = field(default_factory=dict)
    now: float = 0.0

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds
        if change := self.changes.get(int(self.now)):
            change()


def watched(cluster: FakeCluster, time: Time, *keys: ObjectKey, **options: Any) -> tuple[WatchResult, RecordingSink]:
    sink = RecordingSink()
    stop = options.pop("stop", Event())
    policy = options.pop("policy", POLICY)
    manifests = options.pop("manifests", [manifest(key) for key in keys or (WEB,)])
    result = watch(
        cluster, manifests, "default", policy, sink, TARGET, stop=stop, clock=time, sleep=time.sleep, **options
    )
    return result, sink


def test_until_everything_is_ready() -> None:
    cluster = Cluster({WEB: deployment(2, replicas=2, updatedReplicas=1)}, pods=[pod("new-1", running())])
    time = Time({3: lambda: cluster.objects.update({WEB: deployment(2, **DONE)})})
    result, sink = watched(cluster, time)
    assert (result.ended, result.ready, result.reason, result.seconds) == ("ready", True, "", 3.0)
    assert [event.workloads[0].verdict for event in sink.events if isinstance(event, RolloutProgress)] == [
        "progressing",
        "ready",
    ]


def test_ready_at_once_takes_one_question() -> None:
    cluster = Cluster({WEB: deployment(2, **DONE)})
    assert watched(cluster, Time())[0].ready
    assert cluster.asked == ["get Deployment/web"]


def test_a_failure_ends_the_watch() -> None:
    cluster = Cluster({WEB: deployment(2, updatedReplicas=1)})
    time = Time({5: lambda: cluster.pods.append(pod("new-1", crash_loop(2)))})
    result, _ = watched(cluster, time)
    assert (result.ended, result.seconds) == ("failed", 5.0)
    assert result.reason == "Deployment/web: container main exited with code 1, 3 times"


def test_too_long() -> None:
    cluster = Cluster({WEB: deployment(2, updatedReplicas=1)}, pods=[pod("new-1", running())])
    result, sink = watched(cluster, Time())
    assert (result.ended, result.seconds) == ("timeout", 60.0)
    assert result.reason == "not ready after 60 s: Deployment/web: container main runs and is not ready yet"
    assert len(sink.events) == 1


def test_told_to_stop() -> None:
    stop = Event()
    cluster = Cluster({WEB: deployment(2, updatedReplicas=1)})
    result, _ = watched(cluster, Time({4: stop.set}), stop=stop)
    assert (result.ended, result.seconds) == ("stopped", 4.0)


def test_one_failure_among_many_names_the_culprit() -> None:
    job = ObjectKey("batch/v1", "Job", "default", "web")
    failed = workload("Job", conditions=[{"type": "Failed", "status": "True", "message": "too late"}])
    cluster = Cluster({WEB: deployment(2, updatedReplicas=1), job: failed})
    result, _ = watched(cluster, Time(), WEB, job)
    assert result.reason == "Job/web: too late"


def test_reasons_read_as_sentences() -> None:
    claim = ObjectKey("v1", "PersistentVolumeClaim", "default", "data")
    cluster = Cluster({claim: workload("PersistentVolumeClaim", phase="Lost")})
    assert watched(cluster, Time(), claim)[0].reason == "PersistentVolumeClaim/data has lost its volume"


def test_objects_that_only_have_to_be_there_are_asked_for_once() -> None:
    secret = ObjectKey("v1", "ConfigMap", "default", "settings")
    cluster = Cluster({secret: workload("ConfigMap"), WEB: deployment(2, updatedReplicas=1)})
    watched(cluster, Time({3: lambda: cluster.objects.update({WEB: deployment(2, **DONE)})}), secret, WEB)
    assert cluster.asked.count("get ConfigMap/settings") == 1
    assert cluster.asked.count("get Deployment/web") == 4


def test_hooks_are_no_part_of_the_rollout() -> None:
    job = ObjectKey("batch/v1", "Job", "default", "hook")
    hook = manifest(job, **{"helm.sh/hook": "pre-upgrade"})
    result, _ = watched(Cluster(), Time(), manifests=[hook])
    assert (result.ended, result.workloads) == ("ready", ())


def test_pods_are_asked_for_by_the_selector() -> None:
    live = deployment(2, updatedReplicas=1)
    live["spec"]["selector"] = {"matchLabels": {"app": "web", "tier": "front"}}
    cluster = Cluster({WEB: live})
    watched(cluster, Time(), policy=RolloutSettings(timeout=0))
    assert "list Pod {'app': 'web', 'tier': 'front'}" in cluster.asked
    live["spec"]["selector"] = {"matchExpressions": [{"key": "app", "operator": "Exists"}]}
    cluster.asked.clear()
    watched(cluster, Time(), policy=RolloutSettings(timeout=0))
    assert "list Pod {'app': 'web'}" in cluster.asked


def test_events_are_asked_for_when_nothing_moves() -> None:
    missing = event("FailedMount", 'secret "absent" not found', involvedObject={"uid": "new-1-uid"})
    cluster = Cluster({WEB: deployment(2, updatedReplicas=1)}, pods=[pod("new-1")], told=[missing])
    result, _ = watched(cluster, Time())
    assert result.reason == 'Deployment/web: a volume cannot be mounted: secret "absent" not found'
    # Seen at the first question about events, 2 s after the start, and believed 5 s later.
    assert result.seconds == 7.0
    assert cluster.asked.count("events web-uid new-1-uid") == 3


def test_a_silent_api_server_is_asked_again() -> None:
    cluster = Cluster({WEB: deployment(2, updatedReplicas=1)})
    time = Time()

    def react(_: FakeCluster) -> None:
        if 2 <= time.now < 30:
            raise UnreachableError("no answer")
        if time.now >= 30:
            cluster.objects[WEB] = deployment(2, **DONE)

    cluster.react = react
    assert watched(cluster, time)[0].ready


def test_but_not_for_ever() -> None:
    cluster, time = Cluster(), Time()

    def react(_: FakeCluster) -> None:
        raise UnreachableError("no answer")

    cluster.react = react
    with pytest.raises(UnreachableError):
        watched(cluster, time)
    assert time.now == 30.0


def test_a_blocking_pod_is_removed() -> None:
    key = ObjectKey("apps/v1", "StatefulSet", "default", "web")
    status = {"replicas": 1, "updatedReplicas": 0, "currentRevision": "a", "updateRevision": "b"}
    cluster = Cluster({key: workload("StatefulSet", {"selector": {"matchLabels": {"a": "b"}}}, **status)})
    cluster.pods = [pod("web-0", crash_loop(2), labels={"controller-revision-hash": "a"})]
    assert watched(cluster, Time(), key)[0].ended == "failed"
    removed: list[ObjectKey] = []
    result, _ = watched(cluster, Time(), key, policy=RolloutSettings(timeout=0), remove=removed.append)
    assert removed == [ObjectKey("v1", "Pod", "default", "web-0")]
    assert result.ended == "timeout"


def prepared(*keys: ObjectKey) -> PreparedManifests:
    return PreparedManifests("default", tuple(manifest(key) for key in keys), ())


def test_observe_looks_once() -> None:
    cluster = Cluster({WEB: deployment(2, updatedReplicas=1)}, pods=[pod("new-1", running())])
    states = observe(cluster, prepared(WEB), POLICY)
    assert [(str(state.key), state.verdict) for state in states] == [("Deployment/web", "progressing")]
    assert not any(question.startswith("events") for question in cluster.asked)


def test_observe_believes_what_was_just_read() -> None:
    cluster = Cluster()
    assert observe(cluster, prepared(WEB), POLICY, {WEB: deployment(2, **DONE)})[0].verdict == "ready"
    assert observe(cluster, prepared(WEB), POLICY, {WEB: None})[0].verdict == "progressing"
    assert cluster.asked == []


def test_a_claim_that_waits_for_its_pod_is_complete_at_once() -> None:
    key = ObjectKey("v1", "PersistentVolumeClaim", "default", "data")
    told = [event("WaitForFirstConsumer", "waiting", "Normal", involvedObject={"uid": "web-uid"})]
    cluster = Cluster({key: workload("PersistentVolumeClaim", phase="Pending")}, told=told)
    assert observe(cluster, prepared(key), POLICY)[0].verdict == "ready"


HOOK = ObjectKey("batch/v1", "Job", "default", "migrate")
HOOKS = [manifest(HOOK, **{"helm.sh/hook": "pre-upgrade"})]


def job(uid: str, **status: Any) -> Json:
    live = workload("Job", {"selector": {"matchLabels": {"job-name": "migrate"}}}, **status)
    live["metadata"]["uid"] = uid
    return live


def test_a_hook_that_will_not_heal_is_told_while_helm_waits() -> None:
    cluster, time, sink = Cluster(), Time(), RecordingSink()
    time.changes = {
        2: lambda: cluster.objects.update({HOOK: job("new", active=1)}),
        4: lambda: cluster.pods.append(
            pod("migrate-x", {"name": "main", "state": {"waiting": {"reason": "InvalidImageName"}}})
        ),
    }
    failed = HookWatch(cluster, HOOKS, "default", POLICY).run(sink, TARGET, stop=Event(), clock=time, sleep=time.sleep)
    assert failed is not None
    assert str(failed.key) == "Job/migrate"
    assert "is not valid" in failed.reason
    assert time.now == 4.0


def test_a_hook_over_which_helm_failed_at_once_is_found_by_a_last_look() -> None:
    cluster = Cluster()
    hooks = HookWatch(cluster, HOOKS, "default", POLICY)
    assert hooks.last_look() is None
    cluster.objects[HOOK] = job("new", conditions=[{"type": "Failed", "status": "True", "reason": "DeadlineExceeded"}])
    failed = hooks.last_look()
    assert failed is not None
    assert str(failed.key) == "Job/migrate"


def test_a_hook_of_an_earlier_run_does_not_count() -> None:
    failed = job("old", conditions=[{"type": "Failed", "status": "True"}])
    cluster, time, stop = Cluster({HOOK: failed}), Time(), Event()
    time.changes = {3: stop.set}
    assert HookWatch(cluster, HOOKS, "default", POLICY).run(
        RecordingSink(), TARGET, stop=stop, clock=time, sleep=time.sleep
    ) is None  # fmt: skip
    assert time.now == 3.0


def test_an_api_server_that_is_silent_is_helms_business() -> None:
    cluster, time, stop = Cluster(), Time(), Event()
    hooks = HookWatch(cluster, HOOKS, "default", POLICY)

    def react(_: FakeCluster) -> None:
        raise UnreachableError("no answer")

    cluster.react = react
    time.changes = {50: stop.set}
    assert hooks.run(RecordingSink(), TARGET, stop=stop, clock=time, sleep=time.sleep) is None


def test_without_hooks_nothing_is_watched() -> None:
    cluster = Cluster()
    hooks = HookWatch(cluster, [manifest(WEB)], "default", POLICY)
    assert hooks.run(RecordingSink(), TARGET, stop=Event()) is None
    assert cluster.asked == []
