"""Brings the sandbox up for all tests here: they fail, and are not skipped, where it cannot run."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from deployer.events import Event, PhaseFinished
from deployer.sandbox.sandbox import down, state, up

REPOSITORY = Path(__file__).parents[2]


class Progress:
    """Tells on standard error what takes long: on a machine without the tools that is half an hour."""

    def emit(self, event: Event) -> None:
        if isinstance(event, PhaseFinished) and event.seconds > 5:
            print(f"{event.phase}: {event.seconds:.0f} s", file=sys.__stderr__, flush=True)


@pytest.fixture(scope="session", autouse=True)
def sandbox() -> Iterator[Path]:
    """The repository that the sandbox gives access to itself. Where it was down before, it goes down afterwards."""
    before = state()
    up(Progress(), REPOSITORY)
    yield REPOSITORY
    if before in ("never started", "down"):
        down(Progress())
