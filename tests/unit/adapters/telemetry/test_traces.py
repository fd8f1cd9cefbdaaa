from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest

from deployer.adapters.telemetry import asked_for, begin
from deployer.adapters.telemetry.traces import Traces
from deployer.errors import DeploymentFailed
from deployer.events import PhaseFinished, PhaseStarted, WarningRaised
from deployer.model import DeploymentResult, Image, Target, TargetResult
from tests.collector import Collector, collecting

LONDON, SEOUL = Target("prod", "london", "myapp"), Target("prod", "seoul", "myapp")
IMAGE = Image("registry.test", "team/myapp", "1-abc", "sha256:12")
PASSWORD = "correct-horse-battery"
PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


@pytest.fixture
def collector(monkeypatch: pytest.MonkeyPatch) -> Iterator[Collector]:
    for name in [name for name in os.environ if name.startswith(("OTEL_", "TRACE"))]:
        monkeypatch.delenv(name)
    with collecting() as collector:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url)
        yield collector


def mask(text: str) -> str:
    return text.replace(PASSWORD, "***")


def started() -> Traces:
    traces = begin("deploy", "20261121-1", "prod", mask, os.environ)
    assert isinstance(traces, Traces), traces
    return traces


def result(*targets: TargetResult) -> DeploymentResult:
    return DeploymentResult("20261121-1", "prod", "anna@laptop", "c0ffee", 1.5, targets)


def test_a_deployment_that_succeeds(collector: Collector, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRACEPARENT", PARENT)
    monkeypatch.setenv("OTEL_RESOURCE_ATTRIBUTES", "team=shop")
    traces = started()
    for event in (
        PhaseStarted("build image"),
        PhaseFinished("build image", 1.0, detail="sha256:12"),
        PhaseStarted("upgrade", LONDON),
        PhaseFinished("upgrade", 0.5, LONDON),
    ):
        traces.emit(event)
    assert traces.end(result(TargetResult(LONDON, "deployed", "1", IMAGE, 3)), None) is None
    root, london = collector.named("deploy myapp"), collector.named("london myapp")
    assert {span.trace for span in collector.spans} == {PARENT.split("-")[1]}
    assert root.parent == PARENT.split("-")[2]
    assert collector.named("build image").parent == london.parent == root.id
    assert collector.named("upgrade").parent == london.id
    assert not any(span.failed for span in collector.spans)
    assert root.resource["service.name"] == "deployer"
    assert root.resource["team"] == "shop"
    assert (
        root.attributes.items()
        >= {
            "deployment.id": "20261121-1",
            "deployment.environment.name": "prod",
            "deployment.status": "succeeded",
            "cicd.pipeline.result": "success",
            "vcs.ref.head.revision": "c0ffee",
        }.items()
    )
    assert london.attributes["container.image.tags"] == ["1-abc"]
    assert (london.attributes["deployer.outcome"], london.attributes["deployer.revision"]) == ("deployed", 3)
    assert collector.named("build image").attributes["deployer.detail"] == "sha256:12"
    assert collector.named("build image").attributes["cicd.pipeline.task.type"] == "build"


def test_a_failure_is_told_without_secrets(collector: Collector) -> None:
    traces = started()
    traces.emit(PhaseStarted("watch", SEOUL))
    traces.emit(WarningRaised(f"slow {PASSWORD}", SEOUL))
    traces.emit(PhaseFinished("watch", 1.0, SEOUL, f"crashed: {PASSWORD}", failed=True))
    traces.emit(PhaseStarted("undo", SEOUL))
    error = DeploymentFailed(f"it crashed with {PASSWORD}", where="seoul", why=PASSWORD)
    assert traces.end(result(TargetResult(SEOUL, "rolled back", error=error)), None) is None
    assert all(span.failed for span in collector.spans)
    (warning, exception) = collector.named("seoul myapp").events
    assert warning == ("warning", {"message": "slow ***"})
    assert exception[1]["exception.type"] == "DeploymentFailed"
    assert exception[1]["exception.message"] == "seoul: it crashed with ***: ***"
    assert collector.named("undo").attributes["deployer.detail"] == "cut short"
    assert PASSWORD.encode() not in b"".join(collector.bodies)


def test_an_error_before_anything_began_and_one_that_is_a_defect(collector: Collector) -> None:
    assert started().end(None, ValueError(PASSWORD)) is None
    root = collector.named("deploy")
    assert root.failed
    assert root.events == (("exception", {"exception.type": "ValueError", "exception.message": "ValueError"}),)


def test_a_collector_that_does_not_answer_costs_two_seconds_at_most(collector: Collector) -> None:
    collector.let_go.clear()
    traces = started()
    begun = time.monotonic()
    assert "within 2 s" in (traces.end(result(), None) or "")
    assert time.monotonic() - begun < 3


@pytest.mark.parametrize("status", [400, 403])
def test_a_collector_that_refuses_is_a_warning(
    collector: Collector, status: int, capfd: pytest.CaptureFixture[str]
) -> None:
    collector.status = status
    assert "refused or did not answer" in (started().end(result(), None) or "")
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize(
    ("environ", "asked"),
    [
        ({}, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": ""}, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://x"}, True),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://x"}, True),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://x", "OTEL_SDK_DISABLED": "true"}, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://x", "OTEL_TRACES_EXPORTER": "none"}, False),
    ],
)
def test_when_traces_are_asked_for(environ: dict[str, str], asked: bool) -> None:
    assert asked_for(environ) is asked


def test_a_protocol_that_is_not_ours_is_a_warning() -> None:
    warning = begin("deploy", "1", "prod", mask, {"OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"})
    assert "grpc is not supported" in str(warning)


def test_without_the_extra_there_is_a_warning() -> None:
    code = (
        "import sys; sys.modules['opentelemetry'] = None\n"
        "from deployer.adapters.telemetry import begin\n"
        "print(begin('deploy', '1', 'prod', str, {}))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "OpenTelemetry is not installed" in done.stdout


def test_nothing_is_imported_before_traces_are_asked_for() -> None:
    code = "import sys; import deployer.adapters.telemetry; print([m for m in sys.modules if m == 'opentelemetry'])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
