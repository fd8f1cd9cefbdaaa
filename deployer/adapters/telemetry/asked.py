"""Whether the environment asks for traces, and the beginning of one.

See https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/ for the variables.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from deployer.adapters.telemetry.traces import Traces

_ENDPOINTS = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
_PROTOCOLS = ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL")
_OURS = "http/protobuf"


def asked_for(environ: Mapping[str, str]) -> bool:
    """Whether an endpoint is set, and nothing turns traces off."""
    if environ.get("OTEL_SDK_DISABLED", "").lower() == "true" or environ.get("OTEL_TRACES_EXPORTER", "otlp") == "none":
        return False
    return any(environ.get(name) for name in _ENDPOINTS)


def begin(
    command: str, deployment: str, stage: str, mask: Callable[[str], str], environ: Mapping[str, str]
) -> Traces | str:
    """A trace whose root span begins now; or, where there can be none, the warning that says why.

    `command` is what the span is called; TRACEPARENT and TRACESTATE name the span that it belongs to.
    """
    protocol = next((environ[name] for name in _PROTOCOLS if environ.get(name)), _OURS)
    if protocol != _OURS:
        return f"no traces are sent: the protocol {protocol} is not supported, only {_OURS}"
    try:
        from deployer.adapters.telemetry.traces import Traces
    except ImportError:
        return (
            "no traces are sent: OpenTelemetry is not installed (`pip install 'deployer[telemetry]'`, docs/events.md)"
        )
    try:
        return Traces(command, deployment, stage, mask, environ)
    except Exception as error:  # noqa: BLE001 -- no setting of traces may fail a deployment
        return f"no traces are sent: OpenTelemetry does not take its settings (OTEL_…: {type(error).__name__})"
