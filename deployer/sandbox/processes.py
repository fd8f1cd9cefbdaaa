"""Starts the sandbox's daemons detached, remembers each by a record, and ends exactly those."""

from __future__ import annotations

import hashlib
import json
import os
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from deployer.errors import DeploymentFailed
from deployer.sandbox import files, procfs
from deployer.sandbox.layout import Layout

Health = Callable[[], str | None]
"""None when a part is well, else why not."""

_PATIENCE = 20.0
"""Seconds that a running part has to become healthy before it is started anew."""


@dataclass(frozen=True, slots=True)
class Record:
    """A started process. Pid, start time (clock ticks since boot) and boot id together name it for ever."""

    name: str
    pid: int
    start_time: int
    boot: str
    fingerprint: str

    @property
    def identity(self) -> str:
        """The process' name in one text."""
        return f"{self.boot}/{self.pid}/{self.start_time}"


@dataclass(frozen=True)
class Machine:
    """Where the daemons run, and with what: tool name → executable. Once `cancelled` is set, nothing is waited for."""

    layout: Layout
    programs: Mapping[str, Path]
    cancelled: threading.Event = field(default_factory=threading.Event)


@dataclass(frozen=True, slots=True)
class Daemon:
    """A process to run. A change of the command, the environment or the `configuration` texts makes it start anew.

    `survivors` begins the names of its children that live on when it is started anew.
    """

    name: str
    command: Sequence[str | Path]
    health: Health
    environment: Mapping[str, str] = field(default_factory=dict)
    configuration: tuple[str, ...] = ()
    survivors: str | None = None

    @property
    def fingerprint(self) -> str:
        """Changes with everything that decides how the process runs."""
        parts = [*map(str, self.command), *(f"{k}={v}" for k, v in self.environment.items()), *self.configuration]
        return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:16]


def read(layout: Layout, name: str) -> Record | None:
    """The record of the process called `name`; None when it is missing or damaged."""
    try:
        return Record(**json.loads((layout.processes / f"{name}.json").read_bytes()))
    except (OSError, ValueError, TypeError):
        return None


def names(layout: Layout) -> list[str]:
    """The names of all recorded processes."""
    try:
        return sorted(file.stem for file in layout.processes.iterdir() if file.suffix == ".json")
    except FileNotFoundError:
        return []


def is_alive(record: Record | None, boot: str | None = None) -> bool:
    """Whether exactly that process still runs."""
    return (
        record is not None
        and record.boot == (boot or procfs.boot_id())
        and procfs.start_time(record.pid) == record.start_time
    )


def ensure(machine: Machine, daemon: Daemon, *, timeout: float = 60.0) -> bool:
    """Have the daemon running as described, and healthy; True when it was started now.

    Raises DeploymentFailed with the end of its log when it ends, or is not healthy within `timeout` seconds.
    """
    layout = machine.layout
    record = read(layout, daemon.name)
    if record is not None and is_alive(record):
        if record.fingerprint == daemon.fingerprint and _becomes_healthy(machine, daemon, _PATIENCE):
            return False
        stop(layout, [daemon.name], grace=3.0)
    _end_strays(layout, daemon)
    _start(layout, daemon)
    if not _becomes_healthy(machine, daemon, timeout):
        alive = is_alive(read(layout, daemon.name))
        state = f"is not well after {timeout:.0f} s ({daemon.health()})" if alive else "ended at once"
        raise DeploymentFailed(
            f"{daemon.name} of the sandbox {state}",
            where=str(layout.log(daemon.name)),
            why="\n".join(log_tail(layout, daemon.name)) or "its log is empty",
            hint="`deploy sandbox up` tries again, `deploy sandbox reset` begins afresh",
        )
    return True


def stop(layout: Layout, these: Iterable[str], *, grace: float = 10.0) -> list[str]:
    """End recorded processes, gently for `grace` seconds, then by force; the names of those that were running."""
    records = {name: read(layout, name) for name in these}
    running = [record for record in records.values() if record is not None and is_alive(record)]
    procfs.end([record.pid for record in running], grace=grace)
    for name in records:
        (layout.processes / f"{name}.json").unlink(missing_ok=True)
    return [record.name for record in running]


def log_tail(layout: Layout, name: str, lines: int = 5) -> list[str]:
    """The last lines of a process' log."""
    try:
        with layout.log(name).open("rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - 8192))
            return [line[:400] for line in file.read().decode(errors="replace").splitlines()[-lines:]]
    except OSError:
        return []


def _becomes_healthy(machine: Machine, daemon: Daemon, timeout: float) -> bool:
    deadline = time.monotonic() + timeout
    pause = 0.02
    while daemon.health() is not None:
        if time.monotonic() > deadline or not is_alive(read(machine.layout, daemon.name)):
            return False
        if machine.cancelled.wait(pause):
            return False
        pause = min(pause * 1.3, 0.25)
    return True


def _end_strays(layout: Layout, daemon: Daemon) -> None:
    """End what an earlier start of this daemon left: itself, were its record lost, and its children."""
    strays = [
        process.pid
        for process in procfs.marked(layout.state)
        if process.part == daemon.name and not (daemon.survivors and process.program.startswith(daemon.survivors))
    ]
    procfs.end(strays, grace=0)


def _start(layout: Layout, daemon: Daemon) -> None:
    log = layout.log(daemon.name)
    if log.exists():
        log.replace(log.with_suffix(".log.1"))
    environment = {
        # Nothing of the caller's environment, which may hold credentials.
        "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        "HOME": str(layout.state),
        "LANG": "C.UTF-8",
        **procfs.mark(layout.state, daemon.name),
        **daemon.environment,
    }
    pid = _spawn([str(part) for part in daemon.command], environment, log)
    record = Record(daemon.name, pid, procfs.start_time(pid) or 0, procfs.boot_id(), daemon.fingerprint)
    files.write(layout.processes / f"{daemon.name}.json", json.dumps(asdict(record)))


def _spawn(command: list[str], environment: dict[str, str], log: Path) -> int:
    """The pid of a new session leader in `/` whose output goes to `log`. It lives on after us."""
    descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        return os.posix_spawn(
            "/bin/sh",
            ["/bin/sh", "-c", 'cd / && umask 022 && exec "$@"', "sh", *command],
            environment,
            file_actions=[
                (os.POSIX_SPAWN_OPEN, 0, "/dev/null", os.O_RDONLY, 0),
                (os.POSIX_SPAWN_DUP2, descriptor, 1),
                (os.POSIX_SPAWN_DUP2, descriptor, 2),
            ],
            setsid=True,
        )
    finally:
        os.close(descriptor)
