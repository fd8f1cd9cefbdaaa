"""Which states of a container heal, which do not, and when that is said."""

from __future__ import annotations

import pytest

from deployer.model import Json, PodState, RolloutSettings
from deployer.plan.readiness.images import pull_problem
from tests.unit.plan.readiness import (
    NEW,
    POLICY,
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

NOT_FOUND = (
    'rpc error: code = NotFound desc = failed to pull and unpack image "r.example.com:5000/web:1": failed to resolve '
    'reference "r.example.com:5000/web:1": r.example.com:5000/web:1: not found'
)
REFUSED = (
    'failed to pull and unpack image "127.0.0.1:5999/web:1": failed to resolve reference "127.0.0.1:5999/web:1": failed'
    ' to do request: Head "http://127.0.0.1:5999/v2/web/manifests/1": dial tcp 127.0.0.1:5999: connect: connection'
    " refused"
)
NO_COMMAND = (
    "failed to create containerd task: failed to create shim task: OCI runtime create failed: runc create failed:"
    ' unable to start container process: exec: "nosuch": executable file not found in $PATH: unknown'
)


def state(status: Json, court: Court | None = None, now: float = 0.0, **changes: object) -> PodState:
    """The pod's state within an unfinished Deployment; the Deployment must share its verdict."""
    one = pod("web-1", status, **changes)  # type: ignore[arg-type]
    workload = (court or Court()).assess(deployment(updatedReplicas=1), one, owned=[NEW], now=now)
    assert (workload.verdict, workload.reason) in {(p.verdict, p.reason) for p in workload.pods} | {
        ("progressing", "pods are being made and become ready")
    }
    return workload.pods[0]


@pytest.mark.parametrize(
    ("status", "reason"),
    [
        (waiting("ErrImagePull", NOT_FOUND), "cannot be pulled: the registry does not have it"),
        (waiting("ImagePullBackOff", f'Back-off pulling image "x": ErrImagePull: {NOT_FOUND}'), "does not have it"),
        (waiting("ImagePullBackOff", 'Back-off pulling image "example.com/web:1"'), "cannot be pulled"),
        (waiting("ErrImagePull", "unexpected status: 401 Unauthorized"), "the registry refuses access"),
        (waiting("ErrImagePull", "no match for platform in manifest: not found"), "the registry does not have it"),
        (
            waiting("InvalidImageName", "couldn't parse"),
            "the image name example.com/web:1 of container main is not valid",
        ),
        (waiting("ErrImageNeverPull"), "is not on the node, and imagePullPolicy is Never"),
        (waiting("RunContainerError", NO_COMMAND), "container main cannot start: its command nosuch does not exist"),
        (waiting("CreateContainerError", NO_COMMAND), "its command nosuch does not exist in the image"),
        (terminated(128, "StartError", end={"message": NO_COMMAND}), "its command nosuch does not exist in the image"),
        (crash_loop(1, 128, "StartError", message=NO_COMMAND), "its command nosuch does not exist in the image"),
        (crash_loop(2, 3), "container main exited with code 3, 3 times"),
        (terminated(3, restartCount=2), "container main exited with code 3, 3 times"),
        (crash_loop(2, 0, "Completed"), "container main exited with code 0, 3 times, but it should keep running"),
        (crash_loop(2, 137, "OOMKilled"), "used more memory than its limit (OOMKilled), 3 times"),
        (crash_loop(2, 139, signal=11), "container main was ended by signal 11, 3 times"),
    ],
)
def test_what_does_not_heal_fails_at_first_sight(status: Json, reason: str) -> None:
    found = state(status)
    assert found.verdict == "failed"
    assert reason in found.reason


@pytest.mark.parametrize(
    ("status", "reason"),
    [
        (waiting("ContainerCreating"), ""),
        (waiting("PodInitializing"), ""),
        (crash_loop(0, 1), "container main exited with code 1"),
        (crash_loop(1, 1), "container main exited with code 1, 2 times"),
        (terminated(1, restartCount=1), "container main exited with code 1, 2 times"),
        (running(restartCount=9), "container main runs and is not ready yet (restarted 9 times)"),
        (running(restartCount=1), "(restarted once)"),
    ],
)
def test_what_may_heal_is_waited_for(status: Json, reason: str) -> None:
    court = Court()
    for now in (0.0, 500.0):
        found = state(status, court, now)
        assert found.verdict == "progressing"
        assert reason in found.reason


@pytest.mark.parametrize(
    ("status", "patience", "reason"),
    [
        (waiting("ErrImagePull", REFUSED), 15, "the registry refuses connections"),
        (waiting("ImagePullBackOff", REFUSED), 15, "the registry refuses connections"),
        (waiting("ErrImagePull", "something new went wrong"), 15, "something new went wrong"),
        (waiting("ImageInspectError", "cannot say"), 15, "cannot say"),
        (
            waiting("CreateContainerConfigError", 'secret "absent" not found'),
            5,
            'cannot start: secret "absent" not found',
        ),
        (waiting("CreateContainerError", "context deadline exceeded"), 15, "cannot start: context deadline exceeded"),
        (waiting("PostStartHookError", "hook said no"), 15, "cannot start: hook said no"),
    ],
)
def test_what_may_pass_gets_its_time_and_no_more(status: Json, patience: float, reason: str) -> None:
    court = Court()
    assert state(status, court, 100.0).verdict == "progressing"
    assert state(status, court, 100.0 + patience - 0.1).verdict == "progressing"
    found = state(status, court, 100.0 + patience)
    assert found.verdict == "failed"
    assert reason in found.reason


def test_the_time_runs_across_the_kubelets_own_back_and_forth() -> None:
    court = Court()
    state(waiting("ErrImagePull", REFUSED), court, 0)
    state(waiting("ImagePullBackOff", REFUSED), court, 2)
    assert state(waiting("ErrImagePull", REFUSED), court, 16).verdict == "failed"


def test_the_kubelets_own_caches_may_be_late() -> None:
    status = waiting("CreateContainerConfigError", "failed to sync secret cache: timed out waiting for the condition")
    court = Court()
    assert [state(status, court, now).verdict for now in (0.0, 60.0)] == ["progressing", "progressing"]


def test_the_allowance_is_the_policys() -> None:
    court = Court(RolloutSettings(restart_allowance=5))
    assert state(crash_loop(4), court).verdict == "progressing"
    assert state(crash_loop(5), court).verdict == "failed"
    assert state(crash_loop(0), Court(RolloutSettings(restart_allowance=0))).verdict == "failed"


def test_a_ready_container_may_have_crashed_often_long_ago() -> None:
    found = state(running(ready=True, restartCount=50), ready=True, phase="Running")
    assert (found.verdict, found.restarts, found.ready) == ("ready", 50, True)


def test_init_containers_count_too() -> None:
    init = {"initContainers": [{"name": "setup"}]}
    failing = {**crash_loop(2), "name": "setup"}
    found = state(waiting("PodInitializing"), spec=init, initContainerStatuses=[failing])
    assert (found.verdict, found.reason) == ("failed", "container setup exited with code 1, 3 times")
    assert found.state == "Init:CrashLoopBackOff"
    done = {**terminated(0, "Completed"), "name": "setup", "restartCount": 9}
    found = state(waiting("ContainerCreating"), spec=init, initContainerStatuses=[done])
    assert (found.verdict, found.reason, found.state) == ("progressing", "", "ContainerCreating")


@pytest.mark.parametrize(
    ("status", "spec", "reason"),
    [
        (running(), {}, "container main runs and is not ready yet"),
        (running(), {"readinessProbe": {}}, "container main runs, but its readiness probe has not succeeded yet"),
        (running(started=False), {"startupProbe": {}, "readinessProbe": {}}, "its startup probe has not succeeded yet"),
        (
            running(started=True),
            {"startupProbe": {}, "readinessProbe": {}},
            "its readiness probe has not succeeded yet",
        ),
    ],
)
def test_a_failing_probe_is_progress_until_the_time_is_over(status: Json, spec: Json, reason: str) -> None:
    found = state(status, spec={"containers": [{"name": "main", **spec}]})
    assert found.verdict == "progressing"
    assert reason in found.reason


def test_a_probes_answer_is_told() -> None:
    said = "Readiness probe failed: HTTP probe failed with statuscode: 500"
    unhealthy = event("Unhealthy", said, involvedObject={"fieldPath": "spec.containers{main}"})
    one = pod("web-1", running())
    found = assessed(deployment(updatedReplicas=1), one, owned=[NEW], events={"web-1-uid": [unhealthy]})
    assert found.reason == f"container main runs, but: {said}"
    assert found.verdict == "progressing"


@pytest.mark.parametrize(
    ("message", "cause", "prospect"),
    [
        (NOT_FOUND, "the registry does not have it", "stays"),
        (REFUSED, "the registry refuses connections", "passes"),
        ('Head "https://r/v2/": dial tcp: lookup r on 10.0.0.2:53: no such host', "name does not resolve", "passes"),
        ("429 Too Many Requests", "asks to come back later", "passes"),
        ("net/http: TLS handshake timeout", "does not answer in time", "passes"),
        ("tls: failed to verify certificate: x509: unknown authority", "certificate is not trusted", "stays"),
        ("http: server gave HTTP response to HTTPS client", "speaks HTTP", "stays"),
        ("no basic auth credentials", "refuses access", "stays"),
        ("", "the node does not say why", "unknown"),
        (f"weird: {'x' * 500}", "xxx", "unknown"),
    ],
)
def test_causes_of_a_failed_pull(message: str, cause: str, prospect: str) -> None:
    found = pull_problem(message)
    assert cause in found[0]
    assert found[1] == prospect
    assert len(found[0]) <= 120


def test_names_and_digests_are_no_causes() -> None:
    # A digest with 401 in it, an image called timeout.
    message = 'failed to pull "r/timeout@sha256:401403": r/timeout:eof: not found'
    assert pull_problem(message) == ("the registry does not have it", "stays")


def test_policy_of_the_tests() -> None:
    assert POLICY.restart_allowance == RolloutSettings().restart_allowance
