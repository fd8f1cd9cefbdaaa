"""Asks every part of the sandbox how it is."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from deployer.sandbox import docker_engine, network, processes, procfs
from deployer.sandbox.layout import Layout, current
from deployer.sandbox.parts import DOCKER, Part, all_parts
from deployer.sandbox.state import State, read_marker, state


@dataclass(frozen=True)
class PartStatus:
    """One part. `reason` says what is wrong when it is not healthy; `memory` is in bytes.

    `pid` is None for a part that does not run, and for a Docker engine that is the machine's own.
    """

    name: str
    kind: str
    region: str | None
    address: str
    running: bool
    pid: int | None
    healthy: bool
    memory: int = 0
    reason: str = ""


@dataclass(frozen=True)
class SandboxStatus:
    """All parts; `state` is `broken` also when one runs but is not well. `memory`: of all processes, pods included."""

    state: State
    directory: str
    parts: tuple[PartStatus, ...]
    memory: int


def status() -> SandboxStatus:
    """Every part's state, asked all at once. Changes nothing and needs no privilege."""
    layout = current()
    parts = all_parts(layout)
    with ThreadPoolExecutor(len(parts)) as pool:
        found = tuple(pool.map(lambda part: _part_status(layout, part), parts))
    overall = state(layout)
    if overall == "up" and not all(part.healthy for part in found):
        overall = "broken"
    memory = sum(procfs.resident_memory(process.pid) for process in procfs.marked(layout.state))
    return SandboxStatus(overall, str(layout.state), found, memory)


def _part_status(layout: Layout, part: Part) -> PartStatus:
    record = processes.read(layout, part.name)
    running = processes.is_alive(record)
    pid = record.pid if running and record else None
    if part.name == DOCKER and not running:
        running = docker_engine.uses_foreign_engine(layout)
    reason = _reason(layout, part, running)
    return PartStatus(
        part.name,
        part.kind,
        part.region.name if part.region else None,
        part.address,
        running,
        pid,
        healthy=not reason,
        memory=procfs.resident_memory(pid) if pid else 0,
        reason=reason,
    )


def _reason(layout: Layout, part: Part, running: bool) -> str:
    if not running:
        marker = read_marker(layout)
        if marker is None or marker.wanted == "down":
            return "it was not started"
        last = processes.log_tail(layout, part.name, 1)
        return "it has ended" + (f"; the last line of its log: {last[0][:160]}" if last else "")
    if part.region and part.name.startswith("kubelet") and not network.has_bridge(part.region.bridge):
        return f"its bridge {part.region.bridge} has gone"
    return part.health() or ""
