"""What is kept of a failure, and that keeping it never gets in the way."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest

from deployer.errors import UnreachableError
from deployer.execute.evidence import collect, container_words, event_lines
from deployer.model import Json, ObjectKey, PodState, Verdict, WorkloadState
from tests.fakes import FakeCluster
from tests.unit.plan.readiness import crash_loop, deployment, event, pod, running, terminated, waiting

WEB = ObjectKey("apps/v1", "Deployment", "default", "web")


def pod_key(name: str) -> ObjectKey:
    return ObjectKey("v1", "Pod", "default", name)


def failed(*names: str, verdict: Verdict = "failed", key: ObjectKey = WEB) -> WorkloadState:
    pods = tuple(PodState(name, "Error", False, 2, verdict, "crashed") for name in names)
    return WorkloadState(key, 2, 1, 0, verdict, "crashed", pods)


@dataclass
class Cluster(FakeCluster):
    """Logs by pod, container and whether of the instance before."""

    log_of: dict[tuple[str, str, bool], tuple[str, ...]] = field(default_factory=dict)
    told: list[Json] = field(default_factory=list)
    uids: list[str] = field(default_factory=list)

    def events(self, namespace: str, uids: Sequence[str]) -> Sequence[Json]:
        self.uids.extend(uids)
        return self.told

    def log(self, namespace: str, pod: str, container: str, *, lines: int, previous: bool = False) -> tuple[str, ...]:
        return self.log_of.get((pod, container, previous), ())[-lines:]


def test_the_log_is_of_the_instance_that_crashed() -> None:
    cluster = Cluster({WEB: deployment(2), pod_key("web-1"): pod("web-1", crash_loop(2, 3))})
    cluster.log_of = {("web-1", "main", True): ("dying",), ("web-1", "main", False): ("starting",)}
    evidence = collect(cluster, "default", [failed("web-1")])
    assert [(one.pod, one.container, one.log) for one in evidence.containers] == [("web-1", "main", ("dying",))]
    assert evidence.workloads == (failed("web-1"),)


def test_the_log_of_a_container_that_has_just_ended_is_its_own() -> None:
    ended = {**terminated(3, restartCount=2), "lastState": {"terminated": {"exitCode": 3}}}
    cluster = Cluster({pod_key("web-1"): pod("web-1", ended)})
    cluster.log_of = {("web-1", "main", True): ("before",), ("web-1", "main", False): ("now",)}
    assert collect(cluster, "default", [failed("web-1")]).containers[0].log == ("now",)


def test_without_a_log_of_before_the_present_one_is_taken() -> None:
    cluster = Cluster({pod_key("web-1"): pod("web-1", crash_loop(1))})
    cluster.log_of = {("web-1", "main", False): ("starting",)}
    assert collect(cluster, "default", [failed("web-1")]).containers[0].log == ("starting",)


def test_at_most_twenty_lines_of_bounded_length() -> None:
    cluster = Cluster({pod_key("web-1"): pod("web-1", running())})
    cluster.log_of = {("web-1", "main", False): tuple("x" * 5000 for _ in range(100))}
    log = collect(cluster, "default", [failed("web-1")]).containers[0].log
    assert len(log) == 20
    assert {len(line) for line in log} == {1000}


def test_a_container_that_never_ran_is_not_asked_for_its_log() -> None:
    cluster = Cluster({pod_key("web-1"): pod("web-1", waiting("ImagePullBackOff", "no such image"))})
    cluster.log_of = {("web-1", "main", False): ("nonsense",)}
    found = collect(cluster, "default", [failed("web-1")]).containers[0]
    assert (found.state, found.log) == ("waiting (ImagePullBackOff: no such image)", ())


def test_containers_that_are_well_are_left_out() -> None:
    good = {**running(ready=True), "name": "sidecar"}
    setup = {**terminated(0, "Completed"), "name": "setup"}
    one = pod("web-1", good, crash_loop(2), initContainerStatuses=[setup])
    evidence = collect(Cluster({pod_key("web-1"): one}), "default", [failed("web-1")])
    assert [found.container for found in evidence.containers] == ["main"]


def test_a_few_pods_tell_enough() -> None:
    names = [f"web-{index}" for index in range(30)]
    cluster = Cluster({pod_key(name): pod(name, crash_loop(2)) for name in names})
    assert len(collect(cluster, "default", [failed(*names)]).containers) == 3


def test_ready_workloads_have_no_evidence() -> None:
    cluster = Cluster({WEB: deployment(2)})
    evidence = collect(cluster, "default", [WorkloadState(WEB, 1, 1, 1, "ready")])
    assert (evidence.events, evidence.containers, cluster.uids) == ((), (), [])


def test_events_are_asked_for_the_workload_its_replica_sets_and_pods() -> None:
    class Owning(Cluster):
        def list(self, *_: Any, **__: Any) -> Sequence[Json]:
            owner = {"ownerReferences": [{"uid": "web-uid", "controller": True}]}
            return [{"metadata": {"uid": "rs-uid", **owner}}, {"metadata": {"uid": "other"}}]

    cluster = Owning({WEB: deployment(2), pod_key("web-1"): pod("web-1", crash_loop(2))})
    collect(cluster, "default", [failed("web-1")])
    assert cluster.uids == ["web-1-uid", "web-uid", "rs-uid"]


def test_what_an_earlier_rollout_was_told_of_is_no_evidence_of_this_one() -> None:
    def replica_set(name: str, revision: str, made: str) -> Json:
        owner: Json = {"uid": "web-uid", "controller": True}
        metadata: Json = {"name": name, "uid": f"uid-{name}", "creationTimestamp": made, "ownerReferences": [owner]}
        metadata["annotations"] = {"deployment.kubernetes.io/revision": revision}
        return {"apiVersion": "apps/v1", "kind": "ReplicaSet", "metadata": metadata}

    def scaled(uid: str, message: str, when: str) -> Json:
        about = {"kind": "Deployment", "name": "web", "uid": uid}
        return {"type": "Normal", "message": message, "lastTimestamp": when, "involvedObject": about}

    class Owning(Cluster):
        def list(self, *_: Any, **__: Any) -> Sequence[Json]:
            older, newer = "2026-11-21T07:00:00Z", "2026-11-21T08:00:00Z"
            return [replica_set("web-1", "9", older), replica_set("web-2", "10", newer)]

    cluster = Owning({WEB: deployment(2)})
    cluster.told = [
        scaled("web-uid", "Scaled up web-1", "2026-11-21T07:00:01Z"),
        scaled("web-uid", "Scaled up web-2", "2026-11-21T08:00:00Z"),
    ]
    assert collect(cluster, "default", [failed("web-2")]).events == ("Normal  Deployment/web: Scaled up web-2",)
    assert "uid-web-2" in cluster.uids
    assert "uid-web-1" not in cluster.uids


@pytest.mark.parametrize("error", [UnreachableError("no answer"), RuntimeError("a defect"), KeyError("x")])
def test_nothing_that_goes_wrong_hides_the_failure(error: Exception) -> None:
    def react(_: FakeCluster) -> None:
        raise error

    cluster = Cluster({WEB: deployment(2)}, react=react)
    evidence = collect(cluster, "default", [failed("web-1")])
    assert (evidence.workloads, evidence.events, evidence.containers) == ((failed("web-1"),), (), ())


def test_collecting_ends_when_its_time_is_over() -> None:
    now = [0.0]

    def react(_: FakeCluster) -> None:
        now[0] += 6

    names = ("web-1", "web-2", "web-3")
    cluster = Cluster({pod_key(name): pod(name, crash_loop(2)) for name in names}, react=react)
    evidence = collect(cluster, "default", [failed(*names)], seconds=10, clock=lambda: now[0])
    assert [found.pod for found in evidence.containers] == ["web-1", "web-2"]
    assert now[0] == 12


def about(name: str, reason: str, message: str, when: str, kind: str = "Warning", **changes: Any) -> Json:
    subject = {"kind": "Pod", "name": name, "uid": f"{name}-uid"}
    return event(reason, message, kind, involvedObject=subject, lastTimestamp=when, **changes)


def test_events_are_told_once_with_their_count_warnings_first_newest_last() -> None:
    message = "Back-off restarting main in pod {0}_default({0}-uid)"
    lines = event_lines(
        [
            about("web-1", "Scheduled", "assigned", "2024-01-01T00:00:09Z", "Normal"),
            about("web-1", "BackOff", message.format("web-1"), "2024-01-01T00:00:05Z", count=4),
            about("web-2", "BackOff", message.format("web-2"), "2024-01-01T00:00:06Z"),
            about("web-1", "Failed", "Error: no", "2024-01-01T00:00:01Z"),
        ]
    )
    assert lines == (
        "Warning Failed Pod/web-1: Error: no",
        "Warning BackOff (5 times) Pod/web-1: Back-off restarting main in pod web-1_default(web-1-uid)",
        "Normal Scheduled Pod/web-1: assigned",
    )


def test_refusals_to_make_differently_named_pods_are_the_same() -> None:
    messages = [f'pods "web-6b4f-{suffix}" is forbidden' for suffix in ("aaaaa", "bbbbb")]
    messages.append(f"(combined from similar events): {messages[0]}")
    lines = event_lines([about("web-6b4f", "FailedCreate", message, "2024") for message in messages])
    assert lines == ('Warning FailedCreate (3 times) Pod/web-6b4f: pods "web-6b4f-aaaaa" is forbidden',)


def test_the_newest_of_many_events_are_kept() -> None:
    lines = event_lines(
        [about("web-1", "Odd", f"number {index}", f"2024-01-01T00:00:{index:02}Z") for index in range(40)]
    )
    assert len(lines) == 20
    assert lines[-1].endswith("number 39")
    assert lines[0].endswith("number 20")


def test_events_of_any_shape() -> None:
    new = {
        "type": "Warning",
        "reason": "R",
        "note": "text",
        "regarding": {"kind": "Job", "name": "j"},
        "series": {"count": 7},
    }
    assert event_lines([{}, new]) == ("Warning R (7 times) Job/j: text",)


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (running(), "running, not ready"),
        (
            crash_loop(1, 3),
            "waiting (CrashLoopBackOff: back-off 20s); before that it exited with code 3; restarted 1 time",
        ),
        (terminated(137, "OOMKilled"), "was killed because it used more memory than its limit (OOMKilled)"),
        (
            terminated(128, "StartError", end={"message": "no such file"}),
            "exited with code 128 (StartError): no such file",
        ),
        (terminated(0, end={"signal": 9}), "was ended by signal 9"),
        ({"name": "main"}, "not started"),
        ({"name": "main", "state": {"waiting": {"reason": ""}}}, "waiting (for its turn)"),
    ],
)
def test_a_containers_state_in_words(status: Json, words: str) -> None:
    assert container_words(status) == words
