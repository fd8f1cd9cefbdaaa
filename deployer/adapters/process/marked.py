"""Ends processes that left the group of the program that started them, found by a variable of their environment."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from pathlib import Path


def end_marked(name: str, value: str, grace: float) -> None:
    """End every process that inherited this environment variable: SIGTERM, and SIGKILL after `grace` seconds.

    Ansible runs each task in a session of its own, which no signal to its group reaches, and tells the tasks that it is
    stopped only when it knows of them: one that has just begun goes on by itself.
    """
    entry = os.fsencode(f"{name}={value}")
    deadline = time.monotonic() + grace
    asked: set[int] = set()
    while found := _marked(entry):
        over = time.monotonic() >= deadline
        for pid in found if over else found - asked:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL if over else signal.SIGTERM)
        if time.monotonic() >= deadline + grace:
            return  # not even SIGKILL ends one that waits for a disk
        asked |= found
        time.sleep(0.02)


def _marked(entry: bytes) -> set[int]:
    """The processes that live (a zombie's environment is empty); other users' cannot be read (proc_pid_environ(5))."""
    found = set()
    for place in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if entry in (place / "environ").read_bytes().split(b"\0"):
                found.add(int(place.name))
    return found
