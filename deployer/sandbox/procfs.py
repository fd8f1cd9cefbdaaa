"""Tells processes apart, and ends them, by what the kernel says about them."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from deployer.errors import DeploymentFailed

_MARK = "DEPLOYER_SANDBOX_PART"


def mark(state: Path, part: str) -> dict[str, str]:
    """The environment variable by which every process of the sandbox is known; its children inherit it."""
    return {_MARK: f"{state}//{part}"}


def boot_id() -> str:
    """The kernel's id of this boot."""
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()


def start_time(pid: int) -> int | None:
    """When the process was started, in clock ticks since boot; None when there is none or it is only a zombie."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    fields = stat[stat.rindex(")") + 2 :].split()  # proc(5); the name before it may hold anything
    return None if fields[0] in "ZX" else int(fields[19])


@dataclass(frozen=True, slots=True)
class Marked:
    """A running process that bears our mark: `part` started it, or an ancestor of it."""

    pid: int
    part: str
    program: str


def marked(state: Path) -> Iterator[Marked]:
    """All processes of the sandbox with this state directory, also those of which no record is left."""
    prefix = os.fsencode(f"{_MARK}={state}//")
    for entry in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            environment = (entry / "environ").read_bytes()
            if prefix not in environment or start_time(int(entry.name)) is None:
                continue
            found = [variable for variable in environment.split(b"\0") if variable.startswith(prefix)]
            if found:
                part = os.fsdecode(found[0][len(prefix) :])
                yield Marked(int(entry.name), part, (entry / "comm").read_text().strip())


def resident_memory(pid: int) -> int:
    """The process' own memory in bytes (its proportional share of what it shares), 0 when there is none."""
    with contextlib.suppress(OSError, ValueError):
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) * 1024
    return 0


def end(pids: Sequence[int], *, grace: float) -> None:
    """Ask processes to stop (SIGTERM), kill them after `grace` seconds, and return when they are gone."""
    with contextlib.ExitStack() as stack:
        handles: dict[int, int] = {}
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                handle = os.pidfd_open(pid)
                stack.callback(os.close, handle)
                handles[handle] = pid
        if grace > 0:
            _signal(handles, signal.SIGTERM)
            _wait_for_exit(handles, grace)
        _signal(handles, signal.SIGKILL)
        _wait_for_exit(handles, 10.0)
        if handles:
            pids = sorted(handles.values())
            raise DeploymentFailed(f"processes do not end: {pids}", hint="`ps` shows whether they hang in the kernel")


def _signal(handles: dict[int, int], number: signal.Signals) -> None:
    for handle in handles:
        with contextlib.suppress(ProcessLookupError):
            signal.pidfd_send_signal(handle, number)


def _wait_for_exit(handles: dict[int, int], patience: float) -> None:
    """Take those that ended within `patience` seconds out of `handles`. A pidfd becomes readable when it has."""
    deadline = time.monotonic() + patience
    poller = select.poll()
    for handle in handles:
        poller.register(handle, select.POLLIN)
    while handles and (left := deadline - time.monotonic()) > 0:
        for handle, _ in poller.poll(left * 1000):
            poller.unregister(handle)
            with contextlib.suppress(ChildProcessError):  # our own child would stay as a zombie while we live
                os.waitpid(handles[handle], os.WNOHANG)
            del handles[handle]
