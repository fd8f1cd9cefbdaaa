"""Containers without a readiness probe: ready for Kubernetes once they start, for us once they have gone on running."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from deployer.events import RolloutProgress
from deployer.execute.watch import observe
from deployer.model import Json, ObjectKey, RolloutSettings
from deployer.plan.manifests import PreparedManifests
from tests.unit.execute.test_watch import DONE, WEB, Cluster, Time, manifest, watched
from tests.unit.plan.readiness import crash_loop, deployment, pod, running, workload

POLICY = RolloutSettings(timeout=60, stable=5)
PROBED = {"name": "main", "readinessProbe": {"httpGet": {"path": "/"}}}
BARE = {"name": "main"}


def live(*containers: Json, **spec: Any) -> Json:
    found = deployment(2, **DONE)
    found["spec"]["template"]["spec"] = {"containers": list(containers)}
    found["spec"] |= spec
    return found


def began(seconds: float) -> str:
    """A start time as Kubernetes writes it, so many seconds ago."""
    return (datetime.now(UTC) - timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%SZ")


def runs(seconds: float = 1, name: str = "main", **changes: Any) -> Json:
    return running(True, name=name, state={"running": {"startedAt": began(seconds)}}, **changes)


def seconds_until_ready(cluster: Cluster, policy: RolloutSettings = POLICY, key: ObjectKey = WEB) -> float:
    time = Time()
    result, _ = watched(cluster, time, key, policy=policy)
    assert result.ended == "ready"
    return time.now


@pytest.mark.parametrize(
    ("containers", "spec", "ran", "seconds"),
    [
        ([BARE], {}, 1, 5),
        ([BARE], {}, -20, 5),  # the cluster's clock is ahead
        ([BARE], {}, 90, 0),  # one that was not changed
        ([PROBED], {}, 1, 0),
        ([PROBED, {"name": "sidecar"}], {}, 1, 5),
        ([BARE], {"minReadySeconds": 1}, 1, 0),  # Kubernetes waits itself
    ],
)
def test_only_time_tells_of_a_container_without_a_readiness_probe(
    containers: list[Json], spec: Json, ran: float, seconds: float
) -> None:
    statuses = [runs(ran, name=container["name"]) for container in containers]
    cluster = Cluster({WEB: live(*containers, **spec)}, [pod("web-1", *statuses, ready=True, phase="Running")])
    assert seconds_until_ready(cluster) == seconds


def test_a_container_may_be_without_a_start_time() -> None:
    cluster = Cluster({WEB: live(BARE)}, [pod("web-1", running(True), ready=True, phase="Running")])
    assert seconds_until_ready(cluster) == 5


def test_it_is_switched_off_with_zero() -> None:
    cluster = Cluster({WEB: live(BARE)}, [pod("web-1", runs(), ready=True)])
    assert seconds_until_ready(cluster, replace(POLICY, stable=0)) == 0
    assert not any(asked.startswith("list") for asked in cluster.asked)


def test_probed_workloads_cost_no_further_question() -> None:
    cluster = Cluster({WEB: live(PROBED)}, [pod("web-1", runs(), ready=True)])
    seconds_until_ready(cluster)
    assert not any(asked.startswith("list") for asked in cluster.asked)


def test_what_runs_while_others_become_ready_is_not_waited_for_again() -> None:
    pods = [pod("web-1", runs(name="sidecar"), running(), phase="Running")]
    slow = live(PROBED, {"name": "sidecar"})
    slow["status"] |= {"availableReplicas": 0}
    cluster, time = Cluster({WEB: slow}, pods), Time()
    time.changes = {7: lambda: slow["status"].update(availableReplicas=2)}
    result, _ = watched(cluster, time, policy=POLICY)
    assert (result.ended, time.now) == ("ready", 7)


def crashes(cluster: Cluster, number: int) -> Callable[[], object]:
    return lambda: cluster.pods.__setitem__(slice(None), [pod("web-1", crash_loop(number))])


def restarts(cluster: Cluster, number: int) -> Callable[[], object]:
    again = pod("web-1", runs(restartCount=number), ready=True, phase="Running")
    return lambda: cluster.pods.__setitem__(slice(None), [again])


def test_a_restart_begins_anew() -> None:
    cluster, time = Cluster({WEB: live(BARE)}, [pod("web-1", runs(), ready=True)]), Time()
    time.changes = {3: restarts(cluster, 1)}
    result, _ = watched(cluster, time, policy=POLICY)
    assert (result.ended, time.now) == ("ready", 8)


def test_what_dies_after_a_moment_fails_and_is_never_called_ready() -> None:
    web = live(BARE)
    cluster, time = Cluster({WEB: web}, [pod("web-1", runs(), ready=True)]), Time()

    def dead() -> None:
        web["status"]["availableReplicas"] = 0
        crashes(cluster, 2)()

    def up() -> None:
        web["status"]["availableReplicas"] = 2
        restarts(cluster, 2)()

    time.changes = {2: lambda: (web["status"].update(availableReplicas=0), crashes(cluster, 1)()), 4: up, 7: dead}
    result, sink = watched(cluster, time, policy=POLICY)
    assert (result.ended, time.now) == ("failed", 7)
    assert "exited with code 1, 3 times" in result.reason
    first = next(event for event in sink.events if isinstance(event, RolloutProgress))
    assert (
        first.workloads[0].reason
        == "container main has no readiness probe, and counts as ready once it has run for 5 s"
    )


@pytest.mark.parametrize(
    ("status", "reason"),
    [
        (running(True, state={"terminated": {"exitCode": 3}}), "container main exited with code 3"),
        (running(True, state={"waiting": {"reason": "ContainerCreating"}}), "container main does not run"),
    ],
)
def test_a_status_that_lags_behind_its_container_is_not_believed(status: Json, reason: str) -> None:
    cluster, time = Cluster({WEB: live(BARE)}, [pod("web-1", status, ready=True)]), Time()
    result, _ = watched(cluster, time, policy=replace(POLICY, timeout=8))
    assert (result.ended, time.now) == ("timeout", 8)
    assert reason in result.reason


def test_a_bare_pod() -> None:
    key = ObjectKey("v1", "Pod", "default", "web")
    found = workload("Pod", {"containers": [BARE]}, conditions=[{"type": "Ready", "status": "True"}])
    found["status"]["containerStatuses"] = [runs()]
    cluster = Cluster({key: found})
    assert seconds_until_ready(cluster, key=key) == 5


def test_jobs_end_by_themselves() -> None:
    key = ObjectKey("batch/v1", "Job", "default", "web")
    done = [{"type": "Complete", "status": "True"}]
    cluster = Cluster({key: workload("Job", {"template": {"spec": {"containers": [BARE]}}}, conditions=done)})
    assert seconds_until_ready(cluster, key=key) == 0


def test_one_look_takes_what_kubernetes_says() -> None:
    """Whether nothing is to be done is asked once, of revisions that were watched when they were made."""
    cluster = Cluster({WEB: live(BARE)}, [pod("web-1", runs(), ready=True)])
    prepared = PreparedManifests("default", (manifest(WEB),), ("",))
    (state,) = observe(cluster, prepared, POLICY)
    assert state.verdict == "ready"
