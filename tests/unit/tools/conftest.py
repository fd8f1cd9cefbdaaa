"""A machine of the tests' own: an empty PATH and cache, where programs are small shell scripts."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from deployer.events import Event
from deployer.tools import resolve

AddProgram = Callable[[str, str], Path]


class Recorder:
    """A sink that keeps what it hears."""

    def __init__(self) -> None:
        self.events: list[Event] = []

    def emit(self, event: Event) -> None:
        self.events.append(event)


@pytest.fixture
def recorder() -> Recorder:
    return Recorder()


@pytest.fixture(autouse=True)
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The directory that is all of PATH."""
    programs = tmp_path / "bin"
    programs.mkdir()
    monkeypatch.setenv("PATH", str(programs))
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(resolve, "_SYSTEM_DIRECTORIES", ())
    return programs


@pytest.fixture
def add_program(machine: Path) -> AddProgram:
    """Put a shell script on PATH. The script finds the system's programs itself."""

    def add(name: str, script: str) -> Path:
        path = machine / name
        path.write_text(f"#!/bin/sh\nPATH=/usr/bin:/bin\n{script}\n")
        path.chmod(0o755)
        return path

    return add
