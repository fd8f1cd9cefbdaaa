"""The live view of a deployment on a terminal: phases with their times, downloads, and each pod on its way."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, Self

from rich.console import Console, Group
from rich.live import Live
from rich.spinner import Spinner
from rich.text import Text

from deployer.cli.cleaning import cleaned
from deployer.cli.display import awaited_line, place, size, waves_line
from deployer.cli.views import TargetView, phase_list, region_table
from deployer.events import (
    DownloadProgress,
    Event,
    LockAwaited,
    OutputLine,
    PhaseFinished,
    PhaseStarted,
    RolloutProgress,
    WarningRaised,
    WavesPlanned,
)
from deployer.model import Target

_PAUSE = 0.1
"""Seconds between two redraws."""


class LiveDisplay:
    """A sink that redraws its part of the terminal; what scrolls (build output, warnings) goes above it."""

    def __init__(self, *, verbose: bool = False) -> None:
        self._console = Console(stderr=True, highlight=False)
        self._verbose = verbose
        self._lock = threading.Lock()
        self._targets: dict[Target | None, TargetView] = {}
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
        event = cleaned(event)
        match event:
            case OutputLine(source, line, target):
                self._print(target, f"{source}: {line}", "dim")
            case WarningRaised(text, target, hint):
                self._print(target, f"warning: {text}" + (f" ({hint})" if hint else ""), "yellow")
            case LockAwaited(target, state):
                self._print(target, awaited_line(state), "yellow")
                with self._lock:
                    self._take(event)
            case WavesPlanned(waves) if len(waves) > 1:
                self._print(None, waves_line(waves), "dim")
                with self._lock:
                    self._take(event)
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
                self._view(target).begin(phase)
            case PhaseFinished():
                self._view(event.target).end(event)
            case RolloutProgress() | LockAwaited():
                self._view(event.target).take(event)
            case WavesPlanned(waves):
                for number, wave in enumerate(waves):
                    for target in wave:
                        self._view(target).waits = "waits for its wave" if number else ""
            case DownloadProgress(source, done, total):
                if done == total:
                    self._downloads.pop(source, None)
                else:
                    self._downloads[source] = event

    def _view(self, target: Target | None) -> TargetView:
        return self._targets.setdefault(target, TargetView())

    def _render(self) -> Group:
        with self._lock:
            rows: list[Any] = []
            if None in self._targets:
                rows.append(phase_list(self._targets[None], self._spinner))
            views = {target: view for target, view in self._targets.items() if target is not None}
            if len(views) > 1:
                rows += region_table(views, self._spinner)
            for target, view in views.items() if len(views) == 1 else ():
                rows.append(Text(f"{target.application} → {target.stage} {target.region}", style="bold"))
                rows += [phase_list(view, self._spinner), *view.pods()]
            rows.extend(_download(download) for download in self._downloads.values())
            return Group(*rows)


def _download(download: DownloadProgress) -> Text:
    if not download.total:
        return Text(f"     {download.source}  {size(download.done)}", style="dim")
    filled = int(24 * download.done / download.total)
    bar = "━" * filled + "╺" + "─" * (23 - filled) if filled < 24 else "━" * 24
    return Text(f"     {download.source}  {bar}  {size(download.done)} of {size(download.total)}", style="dim")
