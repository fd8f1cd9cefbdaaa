"""Names a process so that another one on its machine can tell whether it still lives."""

from __future__ import annotations

import os
import socket
from pathlib import Path

from deployer.model import Holder

_PROC = Path("/proc")


def this_machine() -> str:
    """The machine's host name."""
    return socket.gethostname()


def this_process() -> str:
    """`BOOT-ID/PID-NAMESPACE/PID/START-TIME` of this process; empty where the system does not tell (no Linux)."""
    surroundings, pid = _surroundings(), os.getpid()
    started = _start_time(pid) if surroundings else None
    return f"{surroundings}/{pid}/{started}" if surroundings and started else ""


def is_alive(holder: Holder) -> bool | None:
    """Whether the holder's process lives; None where that cannot be told from here.

    Machines that are copies of each other may have the same boot id, hence the host name; containers have process ids
    of their own, hence the namespace.
    """
    try:
        boot, namespace, number, started = holder.process.split("/")
        pid = int(number)
    except ValueError:
        return None
    if holder.machine != this_machine() or f"{boot}/{namespace}" != _surroundings() or pid <= 0:
        return None
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # somebody else's, and perhaps hidden from us in /proc
        pass
    except (OSError, OverflowError):
        return None
    fields = _stat(pid)
    if fields is None:
        return None
    return fields[0] not in "ZX" and fields[19] == started


def _surroundings() -> str | None:
    """Boot id and pid namespace; None where /proc is missing, or shows the processes of another namespace."""
    try:
        if (_PROC / "self").readlink().name != str(os.getpid()):
            return None
        boot = (_PROC / "sys/kernel/random/boot_id").read_text().strip()
        return f"{boot}/{(_PROC / 'self/ns/pid').readlink()}"
    except OSError:
        return None


def _start_time(pid: int) -> str | None:
    fields = _stat(pid)
    return fields[19] if fields else None


def _stat(pid: int) -> list[str] | None:
    """The fields of /proc/PID/stat from the third on (proc(5)): 0 is the state, 19 the start in ticks since boot."""
    try:
        text = (_PROC / str(pid) / "stat").read_text(errors="replace")
    except OSError:
        return None
    return text[text.rindex(")") + 2 :].split()  # the name before it may hold anything
