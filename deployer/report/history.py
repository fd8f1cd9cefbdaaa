"""An app's history as lines for a terminal, and as a JSON document."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from textwrap import wrap
from typing import Any

from deployer.model.history import Deployed, HistoryEntry, RegionHistory, RevisionOutcome
from deployer.plan.history import by_deployment
from deployer.report.document import error_entry
from deployer.report.locks import lock_document
from deployer.report.words import age, printable, short_digest

_RUNS = "▶"
_COLOURS: dict[RevisionOutcome, str] = {
    "good": "\x1b[32m",
    "failed": "\x1b[31m",
    "interrupted": "\x1b[33m",
    "reverted": "\x1b[33m",
    "in progress": "\x1b[36m",
    "unverified": "\x1b[33m",
    "not ours": "\x1b[2m",
}
_WIDTH = 160
"""Columns for what is no terminal."""

_NARROWEST = 8
"""What is left of a column that is cut."""

_DIM, _RESET = "\x1b[2m", "\x1b[0m"


@dataclass(frozen=True)
class _Column:
    """`rank`: of columns for which there is no room the one with the highest goes first; 0 stays."""

    header: str
    cells: Sequence[str]
    rank: int = 0
    outcomes: Sequence[RevisionOutcome | None] = ()

    @property
    def width(self) -> int:
        return max(len(text) for text in (self.header, *self.cells))


def history_lines(
    regions: Sequence[RegionHistory], *, now: datetime, width: int | None = None, colour: bool = False
) -> Iterator[str]:
    """One table: a region's revisions, or the deployments of several regions with the revision that each got.

    `width` is that of the terminal: nothing is wider. Without one, columns are left out but nothing is cut.
    """
    read = [region for region in regions if region.error is None]
    if len(regions) > 1 and read:
        deployed = by_deployment(read)
        columns = _deployments(deployed, read, now)
        if sum(column.width + 2 for column in columns if column.rank == 0) <= (width or _WIDTH) + 2:
            yield from _table(columns, width, colour)
        else:
            for region in read:
                yield region.target.region
                yield from _table(_revisions(region.entries, now), width, colour)
                yield ""
    elif read and read[0].entries:
        yield from _table(_revisions(read[0].entries, now), width, colour)
    notes = [note for region in regions for note in _notes(region)]
    if notes:
        yield ""
        for note in notes:
            yield from (wrap(note, max(20, width), subsequent_indent="  ") if width else [note])


def _revisions(entries: Sequence[HistoryEntry], now: datetime) -> list[_Column]:
    def column(header: str, text: Callable[[HistoryEntry], str | None], rank: int = 0) -> _Column:
        return _Column(header, [printable(text(entry) or "-") for entry in entries], rank)

    return [
        _Column("REVISION", [f"{_RUNS if one.running else ' '} {one.revision}" for one in entries]),
        _Column("OUTCOME", [one.outcome for one in entries], 0, [one.outcome for one in entries]),
        column("AGE", lambda one: _age(one, now), 3),
        column("ACTION", lambda one: one.action),
        column("VERSION", _version),
        column("TAG", lambda one: one.tag, 7),
        column("DIGEST", lambda one: short_digest(one.digest) if one.digest else None, 5),
        column("WHO", lambda one: one.who, 2),
        column("COMMIT", _commit, 4),
        column("DEPLOYMENT", lambda one: one.deployment_id),
        column("RESTORES", lambda one: one.restores, 6),
    ]


def _deployments(deployed: Sequence[Deployed], regions: Sequence[RegionHistory], now: datetime) -> list[_Column]:
    def column(header: str, text: Callable[[HistoryEntry], str | None], rank: int = 0) -> _Column:
        return _Column(header, [printable(text(one.entry) or "-") for one in deployed], rank)

    def region(name: str) -> _Column:
        found = [one.regions.get(name) for one in deployed]
        cells = [f"{_RUNS if one.running else ' '} {one.revision} {one.outcome}" if one else "  -" for one in found]
        return _Column(name.upper(), cells, 0, [one.outcome if one else None for one in found])

    return [
        column("DEPLOYMENT", _deployment),
        column("AGE", lambda one: _age(one, now), 3),
        column("ACTION", lambda one: one.action, 1),
        column("VERSION", _version),
        *(region(one.target.region) for one in regions),
        column("WHO", lambda one: one.who, 2),
        column("COMMIT", _commit, 4),
        column("DIGEST", lambda one: short_digest(one.digest) if one.digest else None, 5),
        column("RESTORES", lambda one: one.restores, 6),
        column("TAG", lambda one: one.tag, 7),
    ]


def _table(columns: Sequence[_Column], width: int | None, colour: bool) -> Iterator[str]:
    shown = [column for column in columns if any(cell != "-" for cell in column.cells) or column.rank == 0]
    while _over(shown, width or _WIDTH) > 0 and (rank := max(one.rank for one in shown)):
        shown = [column for column in shown if column.rank != rank]
    while width and (over := _over(shown, width)) > 0:
        widest = max(shown, key=lambda one: one.width)
        if widest.width <= _NARROWEST:
            break
        shown[shown.index(widest)] = _cut(widest, max(_NARROWEST, widest.width - over))
    for row in range(-1, len(shown[0].cells)):
        yield "  ".join(_cell(column, row, colour) for column in shown).rstrip()


def _over(columns: Sequence[_Column], width: int) -> int:
    return sum(column.width + 2 for column in columns) - 2 - width


def _cut(column: _Column, width: int) -> _Column:
    header, *cells = (
        text if len(text) <= width else text[: width - 1] + "…" for text in (column.header, *column.cells)
    )
    return replace(column, header=header, cells=cells)


def _cell(column: _Column, row: int, colour: bool) -> str:
    text = (column.header if row < 0 else column.cells[row]).ljust(column.width)
    if not colour:
        return text
    outcome = column.outcomes[row] if row >= 0 and column.outcomes else None
    style = _DIM if row < 0 else _COLOURS[outcome] if outcome else ""
    return f"{style}{text}{_RESET}" if style else text


def _notes(region: RegionHistory) -> Iterator[str]:
    name = region.target.region
    if region.error is not None:
        yield f"{name}: could not be read"
        return
    if not region.entries:
        yield f"{name}: {region.target.application} was never deployed here"
    if region.lock is not None and not region.lock.expired:
        yield printable(f"{name}: locked: {region.lock}")
    newest = region.mixture
    if newest is not None and newest.outcome != "in progress":
        runs = next((one.revision for one in region.entries if one.running), None)
        what = f"{newest.revision} and {runs}" if runs else f"{newest.revision} and what was there before"
        became = {"failed": "failed", "interrupted": "was interrupted"}.get(newest.outcome, f"is {newest.outcome}")
        yield f"{name}: revision {newest.revision} {became}; what is live may be a mixture of {what}"


def _deployment(entry: HistoryEntry) -> str | None:
    """Its id, marked where it went back: there may be no room for what it did."""
    back = " ↩" if entry.action in ("rollback", "rolled back") else ""
    return f"{entry.deployment_id}{back}" if entry.deployment_id else None


def _version(entry: HistoryEntry) -> str | None:
    return entry.version or entry.tag or entry.chart


def _commit(entry: HistoryEntry) -> str | None:
    if entry.git_commit is None:
        return None
    return entry.git_commit[:8] + ("+" if entry.git_commit.endswith("-dirty") else "")


def _age(entry: HistoryEntry, now: datetime) -> str | None:
    return f"{age((now - entry.updated).total_seconds())} ago" if entry.updated else None


def history_document(stage: str, application: str, regions: Sequence[RegionHistory]) -> dict[str, Any]:
    """The documented JSON document (docs/json.md)."""
    return {
        "stage": stage,
        "application": application,
        "ok": all(region.error is None for region in regions),
        "regions": [
            {
                "region": region.target.region,
                "ok": region.error is None,
                "lock": lock_document(region.lock) if region.lock else None,
                "revisions": [_revision_document(entry) for entry in region.entries],
                "errors": [error_entry(leaf) for leaf in region.error.leaves()] if region.error else [],
            }
            for region in regions
        ],
    }


def _revision_document(entry: HistoryEntry) -> dict[str, Any]:
    return {
        "revision": entry.revision,
        "outcome": entry.outcome,
        "running": entry.running,
        "action": entry.action,
        "restores": entry.restores,
        "deployment": entry.deployment_id,
        "version": entry.version,
        "tag": entry.tag,
        "digest": entry.digest,
        "who": entry.who,
        "when": entry.updated.isoformat() if entry.updated else None,
        "gitCommit": entry.git_commit,
        "chart": entry.chart,
    }
