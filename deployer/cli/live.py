"""The live view of a deployment on a terminal: phases with their times, downloads, and each pod on its way."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, Self

from rich.console import Console, Group
from rich.live import Live
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from deployer.cli.display import place, size, workload_line
from deployer.events import (
    DownloadProgress,
    Event,
    OutputLine,
    PhaseFinished,
    PhaseStarted,
    RolloutProgress,
    WarningRaised,
)
from deployer.model import Target, WorkloadState
from deployer.report.words import duration, worth_a_line

_PAUSE = 0.1
"""Seconds between two redraws."""

_POD_STYLES = {"ready": "green", "progressing": "yellow", "waiting": "yellow", "failed": "red"}


@dataclass
class _PhaseView:
    name: str
    began: float
    seconds: float | None = None
    detail: str = ""
    failed: bool = False


@dataclass
class _TargetView:
    phases: list[_PhaseView] = field(default_factory=list)
    workloads: tuple[WorkloadState, ...] = ()


class LiveDisplay:
    """A sink that redraws its part of the terminal; what scrolls (build output, warnings) goes above it."""

    def __init__(self, *, verbose: bool = False) -> None:
        self._console = Console(stderr=True, highlight=False)
        self._verbose = verbose
        self._lock = threading.Lock()
        self._targets: dict[Target | None, _TargetView] = {}
        self._downloads: dict[str, DownloadProgress] = {}
        self._spinner = Spinner("dots", style="cyan")
        # Rich refreshes and prints in threads of their own, and then miscounts the lines that it has to redraw: here
        # both happen under one lock.
        self._live = self._new_live()
        self._screen = threading.Lock()
        self._ended = threading.Event()
        self._refresher = threading.Thread(target=self._refresh, daemon=True)

    def __enter__(self) -> Self:
        self._live.start()
        self._refresher.start()
        return self

    def __exit__(self, *_: Any) -> None:
        self._ended.set()
        self._refresher.join()
        with self._lock:
            self._downloads.clear()
        with self._screen, suppress(OSError, ValueError):  # the terminal may have gone
            self._live.stop()

    def _new_live(self) -> Live:
        return Live(get_renderable=self._render, console=self._console, auto_refresh=False)

    def _refresh(self) -> None:
        while not self._ended.wait(_PAUSE):
            with self._screen, suppress(OSError, ValueError):
                if self._live.is_started:
                    self._live.refresh()

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Take our part of the terminal away for the length of a block."""
        with self._screen:
            self._live.transient = True
            self._live.stop()
        try:
            yield
        finally:
            with self._screen:
                self._live = self._new_live()  # the old one would redraw over the lines that it remembers
                self._live.start()

    def emit(self, event: Event) -> None:
        """Take the event into the next redraw; print at once what scrolls."""
        match event:
            case OutputLine(source, line, target):
                self._print(target, f"{source}: {line}", "dim")
            case WarningRaised(text, target, hint):
                self._print(target, f"warning: {text}" + (f" ({hint})" if hint else ""), "yellow")
            case _:
                with self._lock:
                    self._take(event)

    def _print(self, target: Target | None, line: str, style: str) -> None:
        prefix = f"[{place(target)}] " if target else ""
        with self._screen:
            self._console.print(Text(prefix + line, style=style, overflow="fold"))

    def _take(self, event: Event) -> None:
        match event:
            case PhaseStarted(phase, target):
                self._view(target).phases.append(_PhaseView(phase, time.monotonic()))
            case PhaseFinished(phase, seconds, target, detail, failed):
                for view in reversed(self._view(target).phases):
                    if view.name == phase:
                        view.seconds, view.detail, view.failed = seconds, detail, failed
                        break
            case RolloutProgress(target, workloads):
                self._view(target).workloads = workloads
            case DownloadProgress(source, done, total):
                if done == total:
                    self._downloads.pop(source, None)
                else:
                    self._downloads[source] = event

    def _view(self, target: Target | None) -> _TargetView:
        return self._targets.setdefault(target, _TargetView())

    def _render(self) -> Group:
        with self._lock:
            rows: list[Any] = []
            for target, view in self._targets.items():
                if target is not None:
                    rows.append(Text(f"{target.application} → {target.stage} {target.region}", style="bold"))
                rows.append(self._phases(view))
                if view.phases and view.phases[-1].name in ("rollout", "rollback"):
                    rows.extend(_workloads(view.workloads))
            rows.extend(_download(download) for download in self._downloads.values())
            return Group(*rows)

    def _phases(self, view: _TargetView) -> Table:
        table = Table.grid(padding=(0, 1))
        now = time.monotonic()
        for phase in view.phases:
            running = phase.seconds is None
            mark: Any = (
                self._spinner if running else Text("✘", style="red") if phase.failed else Text("✔", style="green")
            )
            seconds = now - phase.began if phase.seconds is None else phase.seconds
            table.add_row(
                " ", mark, Text(phase.name), Text(duration(seconds), style="dim"), Text(phase.detail, style="dim")
            )
        return table


def _workloads(workloads: tuple[WorkloadState, ...]) -> list[Text]:
    lines = []
    for workload in workloads:
        if not worth_a_line(workload):
            continue
        lines.append(Text(f"     {workload_line(workload)}", style=_POD_STYLES[workload.verdict]))
        for pod in workload.pods:
            restarts = f", {pod.restarts} restarts" if pod.restarts else ""
            reason = f": {pod.reason}" if pod.reason and not pod.ready else ""
            lines.append(Text(f"       {pod.name}  {pod.state}{restarts}{reason}", style=_POD_STYLES[pod.verdict]))
    return lines


def _download(download: DownloadProgress) -> Text:
    if not download.total:
        return Text(f"     {download.source}  {size(download.done)}", style="dim")
    filled = int(24 * download.done / download.total)
    bar = "━" * filled + "╺" + "─" * (23 - filled) if filled < 24 else "━" * 24
    return Text(f"     {download.source}  {bar}  {size(download.done)} of {size(download.total)}", style="dim")
