"""One trace: a span for the command, below it one for each target and for each phase.

Attributes are those of OpenTelemetry's semantic conventions (deployment, cicd, container, k8s), and `deployer.*`.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExportResult
from opentelemetry.trace import Span, SpanKind, StatusCode, Tracer, set_span_in_context
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from deployer import __version__
from deployer.deadline import call_within
from deployer.errors import DeployError
from deployer.events import Event, LockAwaited, PhaseFinished, PhaseStarted, WarningRaised
from deployer.model import SUCCESSES, DeploymentResult, Target, TargetResult

LAST_WORDS = 2.0
"""Seconds for sending what is left at the end."""

_SERVICE = "deployer"
_BUILDING = ("build", "copy", "artefacts", "download")

Mask = Callable[[str], str]


class Traces:
    """A sink of events that makes spans of them. Never raises; `end` must be called."""

    def __init__(self, command: str, deployment: str, stage: str, mask: Mask, environ: Mapping[str, str]) -> None:
        _silence()
        self._mask = mask
        self._exporter = _Exporter()
        name = {} if environ.get("OTEL_SERVICE_NAME") else {"service.name": _SERVICE}
        resource = Resource.create({**name, "service.version": __version__})
        self._provider = TracerProvider(resource=resource, shutdown_on_exit=False)
        self._provider.add_span_processor(BatchSpanProcessor(self._exporter))
        self._tracer: Tracer = self._provider.get_tracer(_SERVICE, __version__)
        self._lock = threading.RLock()
        self._targets: dict[Target, Span] = {}
        self._phases: dict[tuple[Target | None, str], list[Span]] = {}
        carrier = {key.lower(): environ[key] for key in ("TRACEPARENT", "TRACESTATE") if environ.get(key)}
        self._root = self._tracer.start_span(
            command,
            TraceContextTextMapPropagator().extract(carrier),
            SpanKind.SERVER,  # as the conventions have it for the run of a pipeline
            {
                "cicd.pipeline.name": command,
                "cicd.pipeline.run.id": deployment,
                "deployment.id": deployment,
                "deployment.environment.name": stage,
            },
        )

    def emit(self, event: Event) -> None:
        """Begin or end the span that the event is about, or tell it there."""
        with self._lock:
            match event:
                case PhaseStarted(phase, target):
                    span = self._child(phase, self._parent(target), _about(target, phase))
                    self._phases.setdefault((target, phase), []).append(span)
                case PhaseFinished(phase, _, target, detail, failed):
                    if running := self._phases.get((target, phase)):
                        self._end_phase(running.pop(), detail, failed=failed)
                case WarningRaised(text, target):
                    self._parent(target).add_event("warning", {"message": self._mask(text)})
                case LockAwaited(target, state):
                    holder = self._mask(str(state.holder)) if state.holder else ""
                    self._parent(target).add_event("lock awaited", {"deployer.lock.holder": holder})

    def end(self, result: DeploymentResult | None, error: BaseException | None) -> str | None:
        """End every span, and send what is left, for at most two seconds; None, or a warning. Never raises."""
        try:
            with self._lock:
                self._conclude(result, error)
            call_within(LAST_WORDS, self._provider.shutdown)
        except TimeoutError:
            return f"the collector of traces did not take them within {LAST_WORDS:g} s"
        except Exception as failure:  # noqa: BLE001 -- no failure of traces may fail a deployment
            return f"the traces were not sent: {type(failure).__name__}"
        if self._exporter.failed:
            return "the traces were not sent: the collector at OTEL_EXPORTER_OTLP_ENDPOINT refused or did not answer"
        return None

    def _conclude(self, result: DeploymentResult | None, error: BaseException | None) -> None:
        for running in self._phases.values():
            while running:
                self._end_phase(running.pop(), "cut short", failed=True)
        for one in result.targets if result else ():
            self._tell(self._parent(one.target), one)
        for span in self._targets.values():
            span.end()
        if result is not None:
            self._tell_all(result)
        if error is not None:
            self._fail(self._root, error)
        self._root.end()

    def _tell_all(self, result: DeploymentResult) -> None:
        root, failed = self._root, bool(result.failed or result.stopped_by)
        apps = sorted({one.target.application for one in result.targets})
        root.update_name(f"{result.action} {' '.join(apps)}".strip())
        root.set_attributes(
            {
                "cicd.pipeline.name": " ".join((result.action, *apps)),
                "cicd.pipeline.result": "cancellation" if result.stopped_by else "failure" if failed else "success",
                "deployment.name": " ".join(apps),
                "deployment.status": "failed" if failed else "succeeded",
                "deployer.action": result.action,
                "deployer.who": self._mask(result.who),
            }
        )
        if result.git_commit:
            root.set_attribute("vcs.ref.head.revision", result.git_commit)
        if failed:
            why = f"stopped by {result.stopped_by}" if result.stopped_by else "not every region did as asked"
            root.set_status(StatusCode.ERROR, why)

    def _tell(self, span: Span, result: TargetResult) -> None:
        well = result.outcome in SUCCESSES and result.error is None
        attributes: dict[str, Any] = {
            "deployer.outcome": result.outcome,
            "deployment.status": "succeeded" if well else "failed",
            "service.version": result.version,
            "container.image.name": f"{result.image.registry}/{result.image.repository}" if result.image else None,
            "container.image.tags": [result.image.tag] if result.image else None,
            "container.image.repo_digests": [result.image.pinned] if result.image and result.image.digest else None,
            "deployer.revision": result.revision,
        }
        span.set_attributes({key: value for key, value in attributes.items() if value is not None})
        if result.error is not None:
            self._fail(span, result.error)
        elif not well:
            span.set_status(StatusCode.ERROR, result.outcome)

    def _fail(self, span: Span, error: BaseException) -> None:
        """Record an error, masked and without its traceback, which shows values."""
        leaves: Sequence[BaseException] = list(error.leaves()) if isinstance(error, DeployError) else [error]
        for leaf in leaves:
            foreign = not isinstance(leaf, DeployError)
            message = type(leaf).__name__ if foreign else self._mask(str(leaf))
            span.add_event("exception", {"exception.type": type(leaf).__name__, "exception.message": message})
        what = leaves[0].what if isinstance(leaves[0], DeployError) else type(leaves[0]).__name__
        span.set_attribute("error.type", type(leaves[0]).__name__)
        span.set_status(StatusCode.ERROR, self._mask(what))

    def _parent(self, target: Target | None) -> Span:
        if target is None:
            return self._root
        if target not in self._targets:
            name = f"{target.region} {target.application}".strip()
            self._targets[target] = self._child(name, self._root, _about(target))
        return self._targets[target]

    def _child(self, name: str, parent: Span, attributes: Mapping[str, str]) -> Span:
        return self._tracer.start_span(name, set_span_in_context(parent), attributes=attributes)

    def _end_phase(self, span: Span, detail: str, *, failed: bool) -> None:
        if detail:
            span.set_attribute("deployer.detail", self._mask(detail))
        span.set_attribute("cicd.pipeline.task.run.result", "failure" if failed else "success")
        if failed:
            span.set_status(StatusCode.ERROR, self._mask(detail) or None)
        span.end()


class _Exporter(OTLPSpanExporter):
    """Remembers whether the last of what was sent arrived."""

    failed = False

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        self.failed = True  # until it has come through
        outcome = super().export(spans)
        self.failed = outcome is not SpanExportResult.SUCCESS
        return outcome


def _about(target: Target | None, phase: str | None = None) -> dict[str, str]:
    attributes: dict[str, str] = {}
    if target is not None:
        attributes |= {
            "deployment.environment.name": target.stage,
            "deployer.region": target.region,
            "deployer.application": target.application,
        }
    if phase is not None:
        attributes["cicd.pipeline.task.name"] = phase
        attributes["cicd.pipeline.task.type"] = "build" if phase.startswith(_BUILDING) else "deploy"
    return attributes


def _silence() -> None:
    """What OpenTelemetry logs about a collector that is down would stand between our lines."""
    logger = logging.getLogger("opentelemetry")
    logger.propagate = False
    if not logger.handlers:
        logger.addHandler(logging.NullHandler())
