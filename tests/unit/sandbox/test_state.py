"""The sandbox' state as a command sees it that only wants to know whether it can be used."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from deployer.sandbox import procfs
from deployer.sandbox.layout import Layout
from deployer.sandbox.processes import Record
from deployer.sandbox.state import read_marker, state, write_marker


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    return Layout(tmp_path / "state", tmp_path / "run")


@pytest.fixture
def record() -> Record:
    """Of a process that runs: this one."""
    return Record("this", os.getpid(), procfs.start_time(os.getpid()) or 0, procfs.boot_id(), "")


def test_never_started(layout: Layout) -> None:
    assert state(layout) == "never started"


def test_up_while_all_its_processes_live(layout: Layout, record: Record) -> None:
    write_marker(layout, "up", [record])
    assert state(layout) == "up"


def test_broken_when_one_has_ended(layout: Layout, record: Record) -> None:
    write_marker(layout, "up", [record, replace(record, name="other", pid=2**22 - 1)])
    assert state(layout) == "broken"


def test_broken_when_a_pid_is_somebody_elses(layout: Layout, record: Record) -> None:
    write_marker(layout, "up", [replace(record, start_time=1)])
    assert state(layout) == "broken"


def test_broken_when_it_did_not_come_up_wholly(layout: Layout) -> None:
    write_marker(layout, "up")
    assert state(layout) == "broken"


def test_broken_after_a_reboot(layout: Layout, record: Record, monkeypatch: pytest.MonkeyPatch) -> None:
    write_marker(layout, "up", [record])
    monkeypatch.setattr(procfs, "boot_id", lambda: "another boot")
    assert state(layout) == "broken"


def test_down(layout: Layout, record: Record) -> None:
    write_marker(layout, "up", [record])
    write_marker(layout, "down")
    assert state(layout) == "down"


@pytest.mark.parametrize(
    "content", [b"", b"null", b"[]", b"{}", b'{"wanted": "up", "boot": "", "processes": 3}', b"\xff"]
)
def test_a_damaged_marker_means_broken(layout: Layout, content: bytes) -> None:
    layout.state.mkdir()
    layout.marker.write_bytes(content)
    marker = read_marker(layout)
    assert marker is not None
    assert state(layout) == "broken"
