"""What the live display knows of a target's phases, and how it draws them: a list for one target, a table for many."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from deployer.cli.display import workload_line
from deployer.events import LockAwaited, PhaseFinished, RolloutProgress
from deployer.model import Target, WorkloadState
from deployer.report.words import duration, worth_a_line

_POD_STYLES = {"ready": "green", "progressing": "yellow", "waiting": "yellow", "failed": "red"}
_MOVING = ("rollout", "rollback", "bake")
"""Phases in which the pods are worth looking at."""

_MOST_APPS = 6
"""Apps that all have a place on a terminal."""


@dataclass
class PhaseView:
    """A phase that began at `began` (monotonic); `seconds` is None while it runs."""

    name: str
    began: float
    seconds: float | None = None
    detail: str = ""
    failed: bool = False

    @property
    def time(self) -> str:
        """How long it took, or has taken by now."""
        return duration(time.monotonic() - self.began if self.seconds is None else self.seconds)

    def mark(self, spinner: Spinner) -> Any:
        """A spinner while it runs, then whether it went well."""
        if self.seconds is None:
            return spinner
        return Text("✘", style="red") if self.failed else Text("✔", style="green")


@dataclass
class TargetView:
    """One target's phases, and how far its pods are. `waits` says what it waits for before its first phase."""

    phases: list[PhaseView] = field(default_factory=list)
    workloads: tuple[WorkloadState, ...] = ()
    waits: str = ""

    def begin(self, name: str) -> None:
        """A phase begins."""
        self.waits = ""
        self.phases.append(PhaseView(name, time.monotonic()))

    def end(self, event: PhaseFinished) -> None:
        """The last phase of this name has ended."""
        for view in reversed(self.phases):
            if view.name == event.phase:
                view.seconds, view.detail, view.failed = event.seconds, event.detail, event.failed
                return

    def take(self, event: RolloutProgress | LockAwaited) -> None:
        """What happens within a phase, or before the first."""
        if isinstance(event, RolloutProgress):
            self.workloads = event.workloads
        else:
            self.waits = "waits for its lock"

    @property
    def busy(self) -> bool:
        """Whether a phase is under way."""
        return any(phase.seconds is None for phase in self.phases)

    def pods(self) -> list[Text]:
        """Workloads and pods that are not well, or on their way."""
        if not self.phases or self.phases[-1].name not in _MOVING:
            return []
        last = self.phases[-1]
        if last.seconds is not None and not last.failed:
            return []
        return _workload_lines(self.workloads)


def phase_list(view: TargetView, spinner: Spinner) -> Table:
    """One line for each phase."""
    table = Table.grid(padding=(0, 1))
    for phase in view.phases:
        table.add_row(
            " ",
            phase.mark(spinner),
            Text(phase.name),
            Text(phase.time, style="dim"),
            Text(phase.detail, style="dim"),
        )
    return table


def region_table(views: Mapping[Target, TargetView], spinner: Spinner) -> list[Any]:
    """Regions × phases, a table for each app and stage, and below it what is not well yet.

    Of many apps only those at which somebody is at work are shown.
    """
    parts: list[Any] = []
    apps: dict[tuple[str, str], dict[Target, TargetView]] = {}
    for target, view in views.items():
        apps.setdefault((target.application, target.stage), {})[target] = view
    shown = apps
    if len(apps) > _MOST_APPS:
        shown = {app: members for app, members in apps.items() if any(view.busy for view in members.values())}
        parts.append(
            Text(f"{len(apps) - len(shown)} of {len(apps)} apps are done, or wait for their turn", style="dim")
        )
    for application, members in shown.items():
        parts.append(Text(f"{application[0]} → {application[1]}", style="bold"))
        parts.append(_table(members, spinner))
        for target, view in members.items():
            parts += [Text(f"   {target.region}", style="bold"), *view.pods()] if view.pods() else []
    return parts


def _table(views: Mapping[Target, TargetView], spinner: Spinner) -> Table:
    names = list(dict.fromkeys(phase.name for view in views.values() for phase in view.phases))
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_row("", Text("region", style="dim"), *(Text(name, style="dim") for name in names))
    for target, view in views.items():
        cells: list[Any] = [_cell(view.phases, name, spinner) for name in names]
        if view.waits:
            cells[:1] = [Text(view.waits, style="yellow")]
        table.add_row("", Text(target.region), *cells)
    return table


def _cell(phases: Sequence[PhaseView], name: str, spinner: Spinner) -> Any:
    found = [phase for phase in phases if phase.name == name]
    if not found:
        return Text("")
    cell = Table.grid(padding=(0, 1, 0, 0))
    cell.add_row(found[-1].mark(spinner), Text(found[-1].time, style="dim"))
    return cell


def _workload_lines(workloads: tuple[WorkloadState, ...]) -> list[Text]:
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
