import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from deployer.adapters.leases import process, this_machine, this_process
from deployer.adapters.leases.process import is_alive
from deployer.model import Holder


@pytest.fixture
def child() -> Iterator[subprocess.Popen[bytes]]:
    started = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    yield started
    started.kill()
    started.communicate()


def holder(pid: int | str, started: str) -> Holder:
    surroundings = this_process().rsplit("/", 2)[0]
    return Holder("d-1", "anna", this_machine(), "", process=f"{surroundings}/{pid}/{started}")


def start_time(pid: int) -> str:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]


def test_this_process_is_alive() -> None:
    assert is_alive(Holder("d-1", "anna", this_machine(), "", process=this_process()))


def test_a_process_is_told_from_its_successor(child: subprocess.Popen[bytes]) -> None:
    started = start_time(child.pid)
    assert is_alive(holder(child.pid, started)) is True
    assert is_alive(holder(child.pid, str(int(started) - 1))) is False


def test_a_dead_process_and_a_zombie_are_dead(child: subprocess.Popen[bytes]) -> None:
    known = holder(child.pid, start_time(child.pid))
    child.kill()
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)  # ended, and not collected: a zombie
    assert is_alive(known) is False
    child.wait()
    assert is_alive(known) is False


def test_nothing_is_said_about_processes_elsewhere() -> None:
    dead = holder(2**22 + 1, "1")
    assert is_alive(dead) is False
    boot, namespace, pid, started = dead.process.split("/")
    assert is_alive(replace(dead, machine="elsewhere")) is None
    assert is_alive(replace(dead, process=f"another-boot/{namespace}/{pid}/{started}")) is None
    assert is_alive(replace(dead, process=f"{boot}/pid:[1]/{pid}/{started}")) is None


@pytest.mark.parametrize("text", ["", "x", "a/b/c/d", "////", "a/b/c/d/e"])
def test_nothing_is_said_about_what_cannot_be_read(text: str) -> None:
    assert is_alive(Holder("d-1", "anna", this_machine(), "", process=text)) is None


@pytest.mark.parametrize("pid", [0, -1, 2**64])
def test_nothing_is_said_about_impossible_processes(pid: int) -> None:
    assert is_alive(holder(pid, "1")) is None


def test_a_hidden_process_is_not_dead(child: subprocess.Popen[bytes], monkeypatch: pytest.MonkeyPatch) -> None:
    """With hidepid=2, /proc has no entry for what belongs to others."""
    known = holder(child.pid, start_time(child.pid))
    monkeypatch.setattr(process, "_stat", lambda pid: None)
    assert is_alive(known) is None


def test_where_proc_is_another_namespaces_there_is_no_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    known = holder(2**22 + 1, "1")
    (tmp_path / "self").symlink_to("1")
    monkeypatch.setattr(process, "_PROC", tmp_path)
    assert this_process() == ""
    assert is_alive(known) is None
