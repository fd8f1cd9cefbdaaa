"""Daemons of the sandbox, tried with real small processes."""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from deployer.errors import DeploymentFailed
from deployer.sandbox import processes, procfs
from deployer.sandbox.layout import Layout
from deployer.sandbox.processes import Daemon, Machine

_SERVE = "import pathlib, signal, sys; pathlib.Path(sys.argv[1]).touch(); signal.pause()"


class Place:
    """A machine of its own, as far as its daemons can tell."""

    def __init__(self, directory: Path) -> None:
        self.layout = Layout(directory / "state", directory / "run")
        self.layout.processes.mkdir(parents=True)
        self.layout.logs.mkdir()
        self.machine = Machine(self.layout, {})
        self.flag = directory / "flag"
        self.name = "part"

    def daemon(self, *arguments: str) -> Daemon:
        """It is healthy once the file `flag` exists."""
        command: list[str | Path] = [sys.executable, "-c", _SERVE, self.flag, *arguments]
        return Daemon(self.name, command, lambda: None if self.flag.exists() else "no flag")

    @property
    def record(self) -> processes.Record:
        found = processes.read(self.layout, self.name)
        assert found is not None
        return found


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    made = Place(tmp_path)
    yield made
    processes.stop(made.layout, processes.names(made.layout), grace=0)
    procfs.end([process.pid for process in procfs.marked(made.layout.state)], grace=0)


def test_starts_waits_for_health_and_stops(place: Place) -> None:
    assert processes.ensure(place.machine, place.daemon())
    assert place.flag.exists()
    record = place.record
    assert processes.is_alive(record)
    assert processes.stop(place.layout, [place.name]) == [place.name]
    assert not processes.is_alive(record)
    assert processes.names(place.layout) == []


def test_leaves_alone_what_runs_as_described(place: Place) -> None:
    processes.ensure(place.machine, place.daemon())
    record = place.record
    assert not processes.ensure(place.machine, place.daemon())
    assert place.record == record


def test_starts_anew_what_is_described_otherwise(place: Place) -> None:
    processes.ensure(place.machine, place.daemon())
    before = place.record
    assert processes.ensure(place.machine, place.daemon("another"))
    assert place.record.pid != before.pid
    assert not processes.is_alive(before)


def test_starts_anew_when_a_file_that_it_reads_has_changed(place: Place) -> None:
    processes.ensure(place.machine, replace(place.daemon(), configuration=("a",)))
    assert processes.ensure(place.machine, replace(place.daemon(), configuration=("b",)))


def test_starts_anew_what_was_killed(place: Place) -> None:
    processes.ensure(place.machine, place.daemon())
    killed = place.record
    os.kill(killed.pid, signal.SIGKILL)
    procfs.end([killed.pid], grace=0)
    assert processes.ensure(place.machine, place.daemon())
    assert place.record.pid != killed.pid


def test_starts_anew_what_runs_but_is_not_well(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "_PATIENCE", 0.05)
    processes.ensure(place.machine, place.daemon())
    before = place.record
    place.flag.unlink()
    assert processes.ensure(place.machine, place.daemon())
    assert place.record.pid != before.pid


def test_replaces_a_process_whose_record_was_lost(place: Place) -> None:
    processes.ensure(place.machine, place.daemon())
    lost = place.record
    (place.layout.processes / f"{place.name}.json").unlink()
    assert processes.ensure(place.machine, place.daemon())
    assert not processes.is_alive(lost)


@pytest.mark.parametrize("change", [{"start_time": 1}, {"boot": "another"}])
def test_a_record_whose_pid_is_somebody_elses_is_not_alive_and_that_process_lives_on(
    place: Place, change: dict[str, object]
) -> None:
    processes.ensure(place.machine, place.daemon())
    stale = processes.Record(**{**asdict(place.record), **change})
    (place.layout.processes / "other.json").write_text(json.dumps(asdict(replace(stale, name="other"))))
    assert not processes.is_alive(stale)
    assert processes.stop(place.layout, ["other"]) == []
    assert processes.is_alive(place.record)


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"pid": 1}', b"\xff\xfe", b"null"])
def test_a_damaged_record_counts_as_none(place: Place, content: bytes) -> None:
    (place.layout.processes / f"{place.name}.json").write_bytes(content)
    assert processes.read(place.layout, place.name) is None
    assert processes.ensure(place.machine, place.daemon())


def test_says_why_a_daemon_ended_at_once(place: Place) -> None:
    command = [sys.executable, "-c", "print('port taken'); raise SystemExit(1)"]
    with pytest.raises(DeploymentFailed) as caught:
        processes.ensure(place.machine, Daemon(place.name, command, lambda: "not there"))
    assert "ended at once" in caught.value.what
    assert caught.value.why == "port taken"
    assert caught.value.where == str(place.layout.log(place.name))


def test_says_why_a_daemon_never_becomes_well(place: Place) -> None:
    daemon = replace(place.daemon(), health=lambda: "it sulks")
    with pytest.raises(DeploymentFailed, match="it sulks"):
        processes.ensure(place.machine, daemon, timeout=0.1)


def test_waits_for_nothing_once_cancelled(place: Place) -> None:
    cancelled = threading.Event()
    cancelled.set()
    machine = Machine(place.layout, {}, cancelled)
    with pytest.raises(DeploymentFailed):
        processes.ensure(machine, replace(place.daemon(), health=lambda: "not yet"), timeout=3600)


def test_a_daemon_has_nothing_of_our_environment(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "hunter2")
    processes.ensure(place.machine, replace(place.daemon(), environment={"EXTRA": "1"}))
    environment = Path(f"/proc/{place.record.pid}/environ").read_bytes()
    assert b"hunter2" not in environment
    assert b"EXTRA=1" in environment


def test_a_new_start_keeps_the_log_of_the_one_before(place: Place) -> None:
    for word in ("first", "second", "third"):
        command = [sys.executable, "-c", f"print('{word}')"]
        with pytest.raises(DeploymentFailed):
            processes.ensure(place.machine, Daemon(place.name, command, lambda: "ended"))
    log = place.layout.log(place.name)
    assert log.read_text() == "third\n"
    assert log.with_suffix(".log.1").read_text() == "second\n"


def test_survivors_outlive_a_new_start(place: Place) -> None:
    """As containerd's shims do: they hold the pods."""
    spawn = (
        "import ctypes, os, pathlib, signal, sys\n"
        "if os.fork() == 0:\n"
        "    ctypes.CDLL(None).prctl(15, b'shim-of-mine')\n"
        "    pathlib.Path(sys.argv[1]).touch()\n"
        "signal.pause()\n"
    )
    command: list[str | Path] = [sys.executable, "-c", spawn, place.flag]
    daemon = Daemon(place.name, command, lambda: None if place.flag.exists() else "no", survivors="shim")
    processes.ensure(place.machine, daemon)
    shims = {process.pid for process in procfs.marked(place.layout.state) if process.program == "shim-of-mine"}
    assert len(shims) == 1
    os.kill(place.record.pid, signal.SIGKILL)
    procfs.end([place.record.pid], grace=0)
    processes.ensure(place.machine, daemon)
    assert shims <= {process.pid for process in procfs.marked(place.layout.state) if process.program == "shim-of-mine"}


def test_end_kills_what_ignores_the_request() -> None:
    reader, writer = os.pipe()
    stubborn = (
        "import os, signal, sys; signal.signal(15, signal.SIG_IGN); os.write(int(sys.argv[1]), b'x'); signal.pause()"
    )
    pid = os.posix_spawn(
        sys.executable,
        [sys.executable, "-c", stubborn, str(writer)],
        {},
        file_actions=[(os.POSIX_SPAWN_DUP2, writer, writer)],
    )
    os.set_inheritable(writer, False)
    assert os.read(reader, 1) == b"x"
    os.close(reader)
    os.close(writer)
    procfs.end([pid], grace=0.05)
    assert procfs.start_time(pid) is None


def test_end_does_not_mind_what_has_ended() -> None:
    procfs.end([2**22 - 1], grace=1.0)


def test_start_time_of_nobody() -> None:
    assert procfs.start_time(2**22 - 1) is None
    assert procfs.start_time(os.getpid())
