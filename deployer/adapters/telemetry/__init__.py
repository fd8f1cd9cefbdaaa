"""Traces of a command for OpenTelemetry, made from its events; nothing is imported unless the environment asks."""

from deployer.adapters.telemetry.asked import asked_for, begin

__all__ = ["asked_for", "begin"]
