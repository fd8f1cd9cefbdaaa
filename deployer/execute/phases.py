"""Phases of a deployment: announced when they begin, timed, and announced when they end."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from deployer.events import PhaseFinished, PhaseStarted, Sink
from deployer.model import PhaseTiming, Target


class Phase:
    """The phase that is running; `detail` is told when it ends.

    `failed` is for those that keep their errors instead of raising them.
    """

    def __init__(self) -> None:
        self.detail = ""
        self.failed = False


class Phases:
    """The phases of one target, or (with no target) of what all targets share."""

    def __init__(self, sink: Sink, target: Target | None = None) -> None:
        self._sink = sink
        self._target = target
        self.timings: list[PhaseTiming] = []

    @contextmanager
    def __call__(self, name: str) -> Iterator[Phase]:
        """Run the block as the phase `name`; its time is kept also when it fails."""
        phase = Phase()
        started = time.monotonic()
        failed = True
        self._sink.emit(PhaseStarted(name, self._target))
        try:
            yield phase
            failed = False
        finally:
            seconds = time.monotonic() - started
            self.timings.append(PhaseTiming(name, seconds))
            self._sink.emit(PhaseFinished(name, seconds, self._target, phase.detail, failed or phase.failed))
