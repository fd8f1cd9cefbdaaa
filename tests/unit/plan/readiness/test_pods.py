"""Pods: where they are scheduled, what events tell of them, which of them count, what they are called."""

from __future__ import annotations

import pytest

from deployer.model import Json
from deployer.plan.readiness.pods import live_pods, pod_word
from tests.unit.plan.readiness import (
    NEW,
    Court,
    assessed,
    crash_loop,
    deployment,
    event,
    pod,
    running,
    terminated,
    waiting,
)

NO_NODE = {
    "type": "PodScheduled",
    "status": "False",
    "reason": "Unschedulable",
    "message": "0/1 nodes are available: 1 Insufficient cpu. preemption: 0/1 nodes are available: 1 No victims found.",
}


def test_an_unschedulable_pod_is_shown_at_once_and_fails_after_its_grace() -> None:
    court, live, one = Court(), deployment(updatedReplicas=1), pod(conditions=[NO_NODE])
    found = court.assess(live, one, owned=[NEW], now=10)
    assert (found.verdict, found.reason) == (
        "waiting",
        "the pod cannot be scheduled: 0/1 nodes are available: 1 Insufficient cpu",
    )
    assert court.assess(live, one, owned=[NEW], now=309.9).verdict == "waiting"
    assert court.assess(live, one, owned=[NEW], now=310).verdict == "failed"


def test_a_deadline_of_the_deployment_does_not_cut_the_grace_short() -> None:
    late = [{"type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded"}]
    court, live = Court(), deployment(updatedReplicas=1, conditions=late)
    assert court.assess(live, pod(conditions=[NO_NODE]), owned=[NEW]).verdict == "waiting"
    assert court.assess(live, pod(conditions=[NO_NODE]), owned=[NEW], now=60).verdict == "waiting"


def test_scheduling_gates() -> None:
    gated = {**NO_NODE, "reason": "SchedulingGated"}
    court = Court()
    for now in (0, 1000):
        found = court.assess(deployment(updatedReplicas=1), pod(conditions=[gated]), owned=[NEW], now=now)
        assert found.verdict == "waiting"


@pytest.mark.parametrize("what", ['secret "absent" not found', 'configmap "absent" not found'])
def test_a_volumes_missing_secret_is_told_by_events(what: str) -> None:
    failed = event("FailedMount", f'MountVolume.SetUp failed for volume "v" : {what}')
    court, live, one = Court(), deployment(updatedReplicas=1), pod("web-1", waiting("ContainerCreating"))
    first = court.assess(live, one, owned=[NEW], events={"web-1-uid": [failed]})
    assert (first.verdict, first.reason) == ("progressing", f"a volume cannot be mounted: {what}")
    assert court.assess(live, one, owned=[NEW], events={"web-1-uid": [failed]}, now=5).verdict == "failed"
    assert court.assess(live, one, owned=[NEW], now=9).verdict == "progressing"


def test_other_troubles_with_volumes_may_pass() -> None:
    failed = event("FailedAttachVolume", "Multi-Attach error for volume")
    court, live, one = Court(), deployment(updatedReplicas=1), pod("web-1", waiting("ContainerCreating"))
    for now in (0, 500):
        found = court.assess(live, one, owned=[NEW], events={"web-1-uid": [failed]}, now=now)
        assert (found.verdict, found.reason) == (
            "progressing",
            "a volume cannot be mounted yet: Multi-Attach error for volume",
        )


def test_events_of_before_the_start_do_not_count_once_a_container_runs() -> None:
    failed = event("FailedMount", 'MountVolume.SetUp failed for volume "v" : secret "absent" not found')
    court, live, one = Court(), deployment(updatedReplicas=1), pod("web-1", running())
    for now in (0, 60):
        found = court.assess(live, one, owned=[NEW], events={"web-1-uid": [failed]}, now=now)
        assert "volume" not in found.reason
        assert found.verdict == "progressing"


@pytest.mark.parametrize(
    ("later", "conditions"),
    [
        ([event("Pulling", "Pulling image", "Normal")], []),
        ([], [{"type": "PodReadyToStartContainers", "status": "True"}]),
    ],
)
def test_a_volume_that_came_late_does_not_count_while_its_image_is_pulled(
    later: list[Json], conditions: list[Json]
) -> None:
    failed = event("FailedMount", 'MountVolume.SetUp failed for volume "v" : configmap "late" not found')
    one = pod("web-1", waiting("ContainerCreating"), conditions=conditions)
    court, live = Court(), deployment(updatedReplicas=1)
    for now in (0, 60):
        found = court.assess(live, one, owned=[NEW], events={"web-1-uid": [failed, *later]}, now=now)
        assert "volume" not in found.reason
        assert found.verdict == "progressing"


def test_a_pod_that_is_set_up_anew_needs_its_volumes_again() -> None:
    failed = event("FailedMount", 'MountVolume.SetUp failed for volume "v" : configmap "gone" not found')
    anew = [{"type": "PodReadyToStartContainers", "status": "False"}]
    one = pod("web-1", waiting("ContainerCreating"), conditions=anew)
    court, live = Court(), deployment(updatedReplicas=1)
    events = {"web-1-uid": [event("Pulled", "Pulled image", "Normal"), failed]}
    found = [court.assess(live, one, owned=[NEW], events=events, now=now).verdict for now in (0, 6)]
    assert found == ["progressing", "failed"]


def test_pods_that_do_not_count() -> None:
    evicted = pod("evicted", phase="Failed", reason="Evicted")
    leaving = pod("leaving", crash_loop(9), metadata={"deletionTimestamp": "2024-01-01T00:00:00Z"})
    old = pod("old", crash_loop(9), owner="old-uid")
    good = pod("good", running(ready=True), ready=True, phase="Running")
    found = assessed(deployment(updatedReplicas=1), evicted, leaving, old, good, owned=[NEW])
    assert [one.name for one in found.pods] == ["good"]
    assert found.verdict == "progressing"
    assert live_pods([evicted, leaving]) == []


@pytest.mark.parametrize(
    ("one", "word"),
    [
        (pod(), "Pending"),
        (pod("a", running(ready=True), phase="Running"), "Running"),
        (pod("a", waiting("ImagePullBackOff")), "ImagePullBackOff"),
        (pod("a", crash_loop(1)), "CrashLoopBackOff"),
        (pod("a", terminated(1)), "Error"),
        (pod("a", terminated(0, "Completed"), phase="Succeeded"), "Completed"),
        (pod("a", terminated(0, "Completed"), running(ready=True), phase="Running"), "Running"),
        (pod("a", waiting("", state={"terminated": {"exitCode": 7}})), "ExitCode:7"),
        (pod("a", waiting("", state={"terminated": {"exitCode": 137, "signal": 9}})), "Signal:9"),
        (pod("a", running(), metadata={"deletionTimestamp": "x"}, phase="Running"), "Terminating"),
        (pod("a", phase="Failed", reason="Evicted"), "Evicted"),
        (
            pod("a", waiting("PodInitializing"), spec={"initContainers": [{}, {}]}, initContainerStatuses=[
                terminated(0, "Completed"), running(),
            ]),
            "Init:1/2",
        ),
        (
            pod("a", running(ready=True), phase="Running", spec={
                "initContainers": [{"name": "main", "restartPolicy": "Always"}],
            }, initContainerStatuses=[running(started=True)]),
            "Running",
        ),
    ],
)  # fmt: skip
def test_one_word_as_kubectl_says_it(one: Json, word: str) -> None:
    assert pod_word(one) == word
