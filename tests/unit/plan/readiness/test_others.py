"""Jobs, and what others have to provide: addresses and volumes."""

from __future__ import annotations

from typing import Any

import pytest

from deployer.model import Json
from tests.unit.plan.readiness import Court, assessed, crash_loop, event, pod, running, terminated, waiting, workload


def job(spec: Json | None = None, **status: Any) -> Json:
    return workload("Job", spec, **status)


def true(name: str, **changes: Any) -> list[Json]:
    return [{"type": name, "status": "True", **changes}]


@pytest.mark.parametrize(
    ("live", "verdict", "ready"),
    [
        (job(active=1), "progressing", 0),
        (job({"completions": 3}, active=1, succeeded=2), "progressing", 2),
        (job({"completions": 3}, succeeded=3, conditions=true("Complete")), "ready", 3),
        (job(succeeded=1, conditions=true("SuccessCriteriaMet")), "ready", 1),
        (job(conditions=true("Failed", message="Job was active longer than specified deadline")), "failed", 0),
        (job(conditions=true("FailureTarget", reason="BackoffLimitExceeded")), "failed", 0),
        (job({"suspend": True}), "ready", 0),
    ],
)
def test_a_job(live: Json, verdict: str, ready: int) -> None:
    found = assessed(live)
    assert (found.verdict, found.ready) == (verdict, ready)


def test_a_failed_job_tells_of_its_last_pod() -> None:
    conditions = true("Failed", reason="BackoffLimitExceeded", message="Job has reached the specified backoff limit")
    first = pod("web-a", terminated(1), phase="Failed", metadata={"creationTimestamp": "2024-01-01T00:00:00Z"})
    last = pod("web-b", terminated(4), phase="Failed", metadata={"creationTimestamp": "2024-01-01T00:01:00Z"})
    found = assessed(job(failed=2, conditions=conditions), first, last)
    assert found.reason == "Job has reached the specified backoff limit: container main exited with code 4"
    assert [(one.name, one.verdict) for one in found.pods] == [("web-b", "failed"), ("web-a", "failed")]


def test_how_often_a_jobs_pods_may_fail_is_its_own_business() -> None:
    failed = pod("web-a", terminated(1), phase="Failed")
    found = assessed(job(active=1, failed=4), failed, pod("web-b", crash_loop(9)))
    assert found.verdict == "progressing"


def test_a_job_whose_pods_cannot_start_fails() -> None:
    stuck = pod("web-a", waiting("ErrImagePull", "r/web:1: not found"))
    assert assessed(job(active=1), stuck).verdict == "failed"


def test_a_job_that_may_not_make_pods() -> None:
    refused = event("FailedCreate", "pods is forbidden: exceeded quota: q")
    assert assessed(job(), events={"web-uid": [refused]}).verdict == "waiting"
    assert assessed(job(active=1), pod("a", running()), events={"web-uid": [refused]}).verdict == "progressing"


def test_a_cron_job_only_has_to_be_there() -> None:
    assert assessed(workload("CronJob")).verdict == "ready"
    assert assessed(workload("CronJob", {"suspend": True})).reason == "is suspended"


def test_others_only_have_to_be_there() -> None:
    assert assessed(workload("ConfigMap")).verdict == "ready"
    foreign = {**workload("Deployment"), "apiVersion": "example.com/v1"}
    assert assessed(foreign).verdict == "ready"


ADDRESS = {"ingress": [{"hostname": "lb.example.com"}]}


def test_a_service() -> None:
    assert assessed(workload("Service", {"type": "ClusterIP"})).verdict == "ready"
    balanced = {"type": "LoadBalancer"}
    assert assessed(workload("Service", balanced, loadBalancer=ADDRESS)).verdict == "ready"
    warning = event("SyncLoadBalancerFailed", "no subnets found")
    found = assessed(workload("Service", balanced), events={"web-uid": [warning]})
    assert (found.verdict, found.reason) == ("progressing", "has no load balancer yet: no subnets found")


def test_an_ingress() -> None:
    assert assessed(workload("Ingress", loadBalancer=ADDRESS)).verdict == "ready"
    assert assessed(workload("Ingress", loadBalancer={"ingress": [{}]})).verdict == "progressing"
    found = assessed(workload("Ingress", {"ingressClassName": "nginx"}))
    assert found.reason == "no ingress controller of class nginx has given it an address yet"


def test_a_claim() -> None:
    assert assessed(workload("PersistentVolumeClaim", phase="Bound")).verdict == "ready"
    assert assessed(workload("PersistentVolumeClaim", phase="Lost")).verdict == "failed"
    pending = workload("PersistentVolumeClaim", phase="Pending")
    assert assessed(pending).verdict == "progressing"
    first = event("WaitForFirstConsumer", "waiting for first consumer to be created", "Normal")
    assert assessed(pending, events={"web-uid": [first]}).verdict == "ready"
    unbound = event("FailedBinding", "no persistent volumes available for this claim", "Normal")
    court = Court()
    found = court.assess(pending, events={"web-uid": [unbound]})
    assert (found.verdict, found.reason) == (
        "waiting",
        "has no volume yet: no persistent volumes available for this claim",
    )
    assert court.assess(pending, events={"web-uid": [unbound]}, now=300).verdict == "failed"
