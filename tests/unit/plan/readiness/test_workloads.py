"""What "done" means for each kind that keeps pods running, and what it says when it will not be."""

from __future__ import annotations

from typing import Any

import pytest

from deployer.model import Json
from deployer.plan.readiness import Judge, Observed, Sightings, blocking_pods
from tests.unit.plan.readiness import (
    NEW,
    OLD,
    POLICY,
    Court,
    assessed,
    crash_loop,
    deployment,
    event,
    pod,
    replica_set,
    running,
    waiting,
    workload,
)

DONE = {"replicas": 2, "updatedReplicas": 2, "readyReplicas": 2, "availableReplicas": 2}


def stale(live: Json) -> Json:
    live["metadata"]["generation"] = 4
    return live


def test_a_deployment_is_done() -> None:
    found = assessed(deployment(2, **DONE))
    assert (found.verdict, found.desired, found.updated, found.ready) == ("ready", 2, 2, 2)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"updatedReplicas": 1}, "pods are being made and become ready"),
        ({"availableReplicas": 1}, "pods are being made and become ready"),
        ({"replicas": 3}, "old pods are ending"),
    ],
)
def test_a_deployment_on_its_way(changes: Json, reason: str) -> None:
    found = assessed(deployment(2, **{**DONE, **changes}))
    assert (found.verdict, found.reason) == ("progressing", reason)


def test_a_status_of_the_spec_before_says_nothing() -> None:
    failing = pod("new-1", crash_loop(9), owner="new-uid")
    found = assessed(stale(deployment(2, **DONE)), failing, owned=[NEW])
    assert (found.verdict, found.updated, found.reason) == (
        "progressing",
        0,
        "the controller has not seen the change yet",
    )
    assert found.pods == ()


def test_scaled_to_nothing() -> None:
    assert assessed(deployment(0)).verdict == "ready"
    assert assessed(deployment(0, replicas=1)).verdict == "progressing"


def test_replicas_default_to_one() -> None:
    live = deployment(2, replicas=1, updatedReplicas=1, availableReplicas=1)
    assert assessed(live).verdict == "progressing"
    del live["spec"]["replicas"]
    assert assessed(live).verdict == "ready"


def test_the_newest_replica_set_is_the_one_with_the_template() -> None:
    # After a rollback the older set has the template again; its revision number follows a moment later.
    rolled_back = replica_set("back", 1, {"metadata": {"labels": {"app": "web", "pod-template-hash": "back"}}})
    newer = replica_set("newer", 2)
    bad = pod("newer-1", crash_loop(9), owner="newer-uid")
    good = pod("back-1", running(ready=True), owner="back-uid", ready=True)
    found = assessed(deployment(updatedReplicas=1), bad, good, owned=[newer, rolled_back])
    assert [one.name for one in found.pods] == ["back-1"]


def test_without_a_matching_template_the_revision_decides() -> None:
    found = assessed(
        deployment(updatedReplicas=1),
        pod("a", owner="first-uid"),
        pod("b", owner="second-uid"),
        owned=[replica_set("second", 10), replica_set("first", 9)],
    )
    assert [one.name for one in found.pods] == ["b"]


def test_replica_sets_of_others_do_not_count() -> None:
    foreign = {**NEW, "metadata": {**NEW["metadata"], "ownerReferences": [{"uid": "other", "controller": True}]}}
    assert assessed(deployment(updatedReplicas=1), pod("new-1"), owned=[foreign]).pods == ()


def deadline(**changes: Any) -> Json:
    conditions = [{"type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded"}]
    return deployment(2, updatedReplicas=1, replicas=2, conditions=conditions, **changes)


def test_a_missed_deadline_fails_unless_it_is_of_the_rollout_before() -> None:
    court = Court()
    assert court.assess(deadline(), now=0).verdict == "progressing"
    assert court.assess(deadline(), now=4.9).verdict == "progressing"
    found = court.assess(deadline(), pod("new-1", running()), owned=[NEW], now=5)
    assert found.verdict == "failed"
    assert found.reason == "made no progress for 600 s: container main runs and is not ready yet"


def test_paused() -> None:
    live = deployment(2, updatedReplicas=0, replicas=2)
    live["spec"]["paused"] = True
    assert assessed(live).verdict == "failed"
    assert "paused" in assessed(live).reason
    done = deployment(2, **DONE)
    done["spec"]["paused"] = True
    assert assessed(done).verdict == "ready"


QUOTA = 'pods "new-x" is forbidden: exceeded quota: q, requested: pods=1, used: pods=1, limited: pods=1'


@pytest.mark.parametrize(
    ("message", "patience"),
    [
        (QUOTA, 300),
        ('pods "new-x" is forbidden: violates PodSecurity "restricted:latest"', 15),
        ('pods "new-x" is forbidden: error looking up service account default/x: serviceaccount "x" not found', 15),
    ],
)
def test_pods_that_may_not_be_made(message: str, patience: float) -> None:
    refusal = [{"type": "ReplicaFailure", "status": "True", "reason": "FailedCreate", "message": message}]
    court, live = Court(), deployment(2, updatedReplicas=1, replicas=1, conditions=refusal)
    found = court.assess(live, now=0)
    assert (found.verdict, found.reason) == ("waiting", f"pods cannot be made: {message}")
    assert court.assess(live, now=patience - 0.1).verdict == "waiting"
    assert court.assess(live, now=patience).verdict == "failed"


def test_missing_and_leaving_objects() -> None:
    assert (assessed(None).verdict, assessed(None).reason) == ("progressing", "does not exist yet")
    live = deployment(2, **DONE)
    live["metadata"]["deletionTimestamp"] = "2024-01-01T00:00:00Z"
    assert (assessed(live).verdict, assessed(live).reason) == ("progressing", "is being deleted")


def stateful_set(spec: Json | None = None, **status: Any) -> Json:
    revisions = {"currentRevision": "web-1", "updateRevision": "web-2"}
    return workload("StatefulSet", {"replicas": 3, **(spec or {})}, **{"replicas": 3, **revisions, **status})


@pytest.mark.parametrize(
    ("spec", "status", "verdict"),
    [
        ({}, {"updatedReplicas": 3, "availableReplicas": 3}, "ready"),
        ({}, {"updatedReplicas": 2, "availableReplicas": 3}, "progressing"),
        ({}, {"updatedReplicas": 3, "availableReplicas": 2}, "progressing"),
        ({}, {"updatedReplicas": 3, "readyReplicas": 3}, "ready"),
        ({}, {"updatedReplicas": 2, "replicas": 2, "availableReplicas": 3}, "progressing"),
        ({}, {"updateRevision": "web-1", "availableReplicas": 3}, "ready"),
        (
            {"updateStrategy": {"rollingUpdate": {"partition": 2}}},
            {"updatedReplicas": 1, "availableReplicas": 3},
            "ready",
        ),
        (
            {"updateStrategy": {"rollingUpdate": {"partition": 1}}},
            {"updatedReplicas": 1, "availableReplicas": 3},
            "progressing",
        ),
        (
            {"updateStrategy": {"rollingUpdate": {"partition": 9}}},
            {"updatedReplicas": 0, "availableReplicas": 3},
            "ready",
        ),
        ({"updateStrategy": {"type": "OnDelete"}}, {"updatedReplicas": 0, "availableReplicas": 3}, "ready"),
        ({"updateStrategy": {"type": "OnDelete"}}, {"updatedReplicas": 0, "availableReplicas": 2}, "progressing"),
    ],
)
def test_a_stateful_set(spec: Json, status: Json, verdict: str) -> None:
    assert assessed(stateful_set(spec, **status)).verdict == verdict


def test_what_a_stateful_set_leaves_alone_is_noted() -> None:
    partitioned = {"updateStrategy": {"rollingUpdate": {"partition": 2}}}
    assert "below number 2" in assessed(stateful_set(partitioned, updatedReplicas=1, availableReplicas=3)).reason
    on_delete = {"updateStrategy": {"type": "OnDelete"}}
    assert "OnDelete" in assessed(stateful_set(on_delete, updatedReplicas=0, availableReplicas=3)).reason


def test_only_pods_of_the_newest_revision_of_a_stateful_set_decide() -> None:
    newest = pod("web-2", waiting("ContainerCreating"), labels={"controller-revision-hash": "web-2"})
    older = pod("web-0", running(), labels={"controller-revision-hash": "web-1"})
    found = assessed(stateful_set(updatedReplicas=1), newest, older)
    assert [one.name for one in found.pods] == ["web-2"]
    broken = pod("web-2", crash_loop(2), labels={"controller-revision-hash": "web-2"})
    assert assessed(stateful_set(updatedReplicas=1), broken, older).verdict == "failed"


@pytest.mark.parametrize(
    ("spec", "hash_", "names"),
    [
        ({}, "web-1", ["web-1"]),
        ({}, "web-2", []),
        ({"podManagementPolicy": "Parallel"}, "web-1", []),
        ({"updateStrategy": {"type": "OnDelete"}}, "web-1", []),
        ({"updateStrategy": {"rollingUpdate": {"partition": 2}}}, "web-1", []),
        ({"updateStrategy": {"rollingUpdate": {"partition": 1}}}, "web-1", ["web-1"]),
    ],
)
def test_a_broken_pod_of_an_earlier_revision_blocks_the_update(spec: Json, hash_: str, names: list[str]) -> None:
    live = stateful_set(spec, updatedReplicas=2, availableReplicas=2)
    broken = pod("web-1", crash_loop(2), labels={"controller-revision-hash": hash_})
    slow = pod("web-2", running(), labels={"controller-revision-hash": "web-1"})
    judge = Judge(POLICY, 0, Sightings())
    assert [one.name for one in blocking_pods(live, Observed(live, [broken, slow]), judge)] == names
    if names:
        found = assessed(live, broken, slow)
        assert found.verdict == "failed"
        assert found.reason == "pod web-1 of an earlier revision is broken and holds the update up until it is deleted"


def test_a_stateful_set_that_may_not_make_pods() -> None:
    refused = event("FailedCreate", QUOTA)
    found = assessed(stateful_set(replicas=0), events={"web-uid": [refused]})
    assert (found.verdict, found.reason) == ("waiting", f"pods cannot be made: {QUOTA}")
    pods = [pod(f"web-{index}", labels={"controller-revision-hash": "web-2"}) for index in range(3)]
    assert assessed(stateful_set(), *pods, events={"web-uid": [refused]}).verdict == "progressing"


@pytest.mark.parametrize(
    ("spec", "status", "verdict"),
    [
        ({}, {"desiredNumberScheduled": 2, "updatedNumberScheduled": 2, "numberAvailable": 2}, "ready"),
        ({}, {"desiredNumberScheduled": 2, "updatedNumberScheduled": 1, "numberAvailable": 2}, "progressing"),
        ({}, {"desiredNumberScheduled": 2, "updatedNumberScheduled": 2, "numberAvailable": 1}, "progressing"),
        ({}, {"desiredNumberScheduled": 0}, "ready"),
        ({"updateStrategy": {"type": "OnDelete"}}, {"desiredNumberScheduled": 1, "numberAvailable": 1}, "ready"),
    ],
)
def test_a_daemon_set(spec: Json, status: Json, verdict: str) -> None:
    assert assessed(workload("DaemonSet", spec, **status)).verdict == verdict


def test_only_pods_of_the_newest_revision_of_a_daemon_set_decide() -> None:
    def revision(number: int, hash_: str) -> Json:
        owner = [{"uid": "web-uid", "controller": True}]
        return {
            "revision": number,
            "metadata": {"labels": {"controller-revision-hash": hash_}, "ownerReferences": owner},
        }

    live = workload("DaemonSet", desiredNumberScheduled=2)
    new = pod("new", labels={"controller-revision-hash": "bbb"})
    old = pod("old", crash_loop(9), labels={"controller-revision-hash": "aaa"})
    found = assessed(live, new, old, owned=[revision(2, "bbb"), revision(1, "aaa")])
    assert [one.name for one in found.pods] == ["new"]
    assert found.verdict == "progressing"


def test_a_replica_set_and_a_replication_controller() -> None:
    for kind in ("ReplicaSet", "ReplicationController"):
        assert assessed(workload(kind, {"replicas": 1}, replicas=1, availableReplicas=1)).verdict == "ready"
        broken = pod("web-1", crash_loop(2), owner="web-uid")
        assert assessed(workload(kind, {"replicas": 1}, replicas=1), broken).verdict == "failed"


@pytest.mark.parametrize(
    ("phase", "ready", "verdict"),
    [
        ("Running", True, "ready"),
        ("Running", False, "progressing"),
        ("Succeeded", False, "ready"),
        ("Failed", False, "failed"),
    ],
)
def test_a_pod_on_its_own(phase: str, ready: bool, verdict: str) -> None:
    one = pod("web", running(ready=ready), ready=ready, phase=phase)
    assert assessed({"apiVersion": "v1", "kind": "Pod", **one}).verdict == verdict


def test_old_sets_are_not_the_newest() -> None:
    found = assessed(deployment(updatedReplicas=1), pod("old-1", crash_loop(9), owner="old-uid"), owned=[OLD, NEW])
    assert found.verdict == "progressing"
