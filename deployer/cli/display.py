"""Shows a running deployment on standard error: live on a terminal, as plain lines everywhere else."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext, suppress
from types import TracebackType
from typing import Any, Protocol, Self

from deployer.cli.cleaning import cleaned
from deployer.cli.messages import wants_colour
from deployer.events import (
    DownloadProgress,
    Event,
    LockAwaited,
    OutputLine,
    PhaseFinished,
    PhaseStarted,
    RolloutProgress,
    Sink,
    WarningRaised,
    WavesPlanned,
)
from deployer.model import LockState, Target, WorkloadState
from deployer.report.words import duration, worth_a_line

_PLAIN_DOWNLOAD_SECONDS = 5.0
"""How often a download's progress is told where lines cannot be overwritten."""


class Display(Sink, Protocol):
    """A sink that is open while something runs."""

    def __enter__(self) -> Self: ...

    def paused(self) -> AbstractContextManager[None]:
        """Leave the terminal alone for the length of a block, in which somebody is asked something."""
        ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


def display(*, verbose: bool = False) -> Display:
    """The display that fits standard error."""
    if wants_colour():
        from deployer.cli.live import LiveDisplay

        return LiveDisplay(verbose=verbose)
    return PlainDisplay(verbose=verbose)


def place(target: Target | None) -> str:
    """How a line names what it is about: `london myapp`."""
    return f"{target.region} {target.application}" if target else ""


def workload_line(workload: WorkloadState) -> str:
    """`Deployment/myapp 1/2 ready, 2 updated: waiting for its readiness probe`."""
    updated = f", {workload.updated} updated" if workload.updated != workload.desired else ""
    reason = f": {workload.reason}" if workload.reason and workload.verdict != "ready" else ""
    return f"{workload.key} {workload.ready}/{workload.desired} ready{updated}{reason}"


def awaited_line(state: LockState) -> str:
    """Whom we wait for: `waiting for anna@laptop (deploy, since …, deployment …)`."""
    return f"waiting for {state.holder}" if state.holder else "waiting for a lock of another tool"


def waves_line(waves: Sequence[Sequence[Target]]) -> str:
    """`myapp goes to seoul first, then to london and virginia`."""
    regions = [" and ".join(target.region for target in wave) for wave in waves]
    return f"{waves[0][0].application} goes to {regions[0]} first, then to {', then to '.join(regions[1:])}"


def size(count: int) -> str:
    """`12.3 MB`, in powers of ten."""
    amount = float(count)
    for unit in ("B", "kB", "MB", "GB"):
        if amount < 1000:
            return f"{amount:.0f} {unit}" if unit == "B" else f"{amount:.1f} {unit}"
        amount /= 1000
    return f"{amount:.1f} TB"


class PlainDisplay:
    """One line per event worth a line: for pipes, Jenkins and terminals that cannot move the cursor."""

    def __init__(self, *, verbose: bool = False, stream: Any = None) -> None:
        self._verbose = verbose
        self._stream = stream or sys.stderr
        self._lock = threading.Lock()
        self._last: dict[Any, Any] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(OSError, ValueError):  # its reader has gone
            self._stream.flush()

    def paused(self) -> AbstractContextManager[None]:
        """Nothing to do: lines stay where they are."""
        return nullcontext()

    def emit(self, event: Event) -> None:
        """Write the lines that the event is worth."""
        for line in self._lines(cleaned(event)):
            with self._lock:
                self._stream.write(line + "\n")
                self._stream.flush()

    def _lines(self, event: Event) -> list[str]:
        match event:
            case PhaseStarted(phase, target):
                return [_line(target, f"{phase} …")] if self._verbose else []
            case PhaseFinished(phase, seconds, target, detail, failed):
                state = "failed" if failed else "done"
                return [_line(target, f"{phase} {state} in {duration(seconds)}" + (f": {detail}" if detail else ""))]
            case OutputLine(source, line, target):
                return [_line(target, f"{source}: {line}")]
            case WarningRaised(text, target, hint):
                return [_line(target, f"warning: {text}" + (f" ({hint})" if hint else ""))]
            case RolloutProgress(target, workloads):
                told = tuple(workload_line(workload) for workload in workloads if worth_a_line(workload))
                if self._last.get(target) == told:
                    return []
                self._last[target] = told
                return [_line(target, line) for line in told]
            case DownloadProgress(source, done, total):
                return self._download(source, done, total)
            case LockAwaited(target, state):
                return [_line(target, awaited_line(state))]
            case WavesPlanned(waves):
                return [waves_line(waves)] if len(waves) > 1 else []

    def _download(self, source: str, done: int, total: int | None) -> list[str]:
        now = time.monotonic()
        if done != total and now - self._last.get(source, now - _PLAIN_DOWNLOAD_SECONDS) < _PLAIN_DOWNLOAD_SECONDS:
            self._last.setdefault(source, now)
            return []
        self._last[source] = now
        return [f"{source}: {size(done)}" + (f" of {size(total)}" if total else "")]


def _line(target: Target | None, text: str) -> str:
    return f"[{place(target)}] {text}" if target else text
