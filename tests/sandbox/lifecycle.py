"""Keeps the sandbox up while any worker of a test session uses it; where it cannot run, all tests fail."""

from __future__ import annotations

import sys

import pytest

from deployer.events import Event, PhaseFinished
from deployer.sandbox.sandbox import down, state, up
from tests.sandbox.surroundings import CHECKOUT

_BEFORE = pytest.StashKey[str]()


class Progress:
    """Tells on standard error what takes long: on a machine without the tools that is half an hour."""

    def emit(self, event: Event) -> None:
        if isinstance(event, PhaseFinished) and event.seconds > 5:
            print(f"{event.phase}: {event.seconds:.0f} s", file=sys.__stderr__, flush=True)


def pytest_sessionstart(session: pytest.Session) -> None:
    """Bring the sandbox up, once for all workers."""
    if not hasattr(session.config, "workerinput"):
        session.config.stash[_BEFORE] = state()
        up(Progress(), CHECKOUT)


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Where the sandbox was down before, it goes down afterwards."""
    if session.config.stash.get(_BEFORE, "up") in ("never started", "down"):
        down(Progress())
