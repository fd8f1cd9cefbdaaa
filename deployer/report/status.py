"""How a stage stands, as lines for a terminal or a pipe, and what has changed between two looks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from deployer.model.status import Health, ReleaseStatus, StageStatus
from deployer.model.traffic import TrafficStatus
from deployer.report.dns import checkers, health_words
from deployer.report.words import age, pods, printable, short_digest, short_tag

MARKS: dict[Health, str] = {"well": "✔", "busy": "…", "skewed": "≠", "broken": "✘", "absent": "-", "unknown": "?"}
_STYLES: dict[Health, str] = {
    "well": "\x1b[32m",
    "busy": "\x1b[36m",
    "skewed": "\x1b[33m",
    "broken": "\x1b[31m",
    "absent": "\x1b[2m",
    "unknown": "\x1b[35m",
}
_RESET = "\x1b[0m"

_WIDEST, _NARROWER, _NARROW = 40, 18, 120
"""The characters that a version, a tag or a name of a holder has at most, in a terminal below 120 columns fewer."""

_HEADER = ("", "APP", "REGION", "STATE", "VERSION", "REVISION", "PODS", "DNS", "AGE", "DIGEST", "TAG", "LOCKED BY")
_GIVEN_UP = ("TAG", "LOCKED BY", "DIGEST", "AGE")
"""The columns that a narrow terminal goes without, the first of them first. The notes tell who holds a lock."""


def status_lines(status: StageStatus, *, colour: bool = False, width: int | None = None) -> Iterator[str]:
    """The report: a table of apps and regions, notes on all that is not well, and a summary.

    `width`: the columns of the terminal; None where lines may have any length.
    """
    yield from table_lines(status, status.rows, colour=colour, width=width)
    notes = list(note_lines(status))
    if notes:
        yield ""
        yield from notes
    yield ""
    yield summary(status)


def table_lines(
    status: StageStatus, rows: Sequence[ReleaseStatus], *, colour: bool = False, width: int | None = None
) -> Iterator[str]:
    """The table, of some of the status's rows; its columns are as wide as all of them need."""
    widest = _WIDEST if width is None or width >= _NARROW else _NARROWER
    cells = {row.target: tuple(map(printable, _cells(row, status, widest))) for row in status.rows}
    widths = {name: max(len(line[at]) for line in (_HEADER, *cells.values())) for at, name in enumerate(_HEADER)}
    filled = {"DNS": any(row.traffic for row in status.rows), "LOCKED BY": any(row.lock for row in status.rows)}
    shown = [name for name in _HEADER if filled.get(name, True)]
    for name in _GIVEN_UP:
        if width is not None and sum(widths[one] + 2 for one in shown) - 2 > width and name in shown:
            shown.remove(name)
    columns = [at for at, name in enumerate(_HEADER) if name in shown]

    def line(texts: Sequence[str]) -> str:
        return "  ".join(texts[at].ljust(widths[_HEADER[at]]) for at in columns).rstrip()

    yield line(_HEADER)
    for row in rows:
        text = line(cells[row.target])
        styled = text[:1] if row.health == "well" else text
        yield f"{_STYLES[row.health]}{styled}{_RESET}{text[len(styled) :]}" if colour else text


def _clipped(text: str, widest: int) -> str:
    return text if len(text) <= widest else f"{text[: widest - 1]}…"


def _cells(row: ReleaseStatus, status: StageStatus, widest: int) -> tuple[str, ...]:
    return (
        MARKS[row.health],
        row.target.application,
        row.target.region or "-",
        row.standing,
        _clipped(row.version or "-", widest),
        str(row.revision or "-"),
        pods(row.workloads),
        health_words(row.traffic) if row.traffic else "-",
        age((status.taken - row.updated).total_seconds()) if row.updated else "-",
        short_digest(row.digest) if row.digest else "-",
        _clipped(short_tag(row.tag) if row.tag else "-", widest),
        _clipped(holder(row) or "-", widest),
    )


def holder(row: ReleaseStatus) -> str | None:
    """Who holds the lock, in a few words; None when nobody does."""
    if row.lock is None:
        return None
    who = row.lock.holder.who if row.lock.holder else "another tool"
    return f"{who} (expired)" if row.lock.expired else who


def note_lines(status: StageStatus) -> Iterator[str]:
    """A line for each thing that is not as it should be, with its app and region."""
    for row in status.rows:
        for note in notes_of(row):
            yield printable(
                f"{MARKS[row.health]} {row.target.application} in {row.target.region or 'no region'}: {note}"
            )
    for stranger in status.strangers:
        yield printable(
            f"· release {stranger.name} in {stranger.region}: its app {stranger.application} is not in apps/"
        )


def notes_of(row: ReleaseStatus) -> Iterator[str]:
    """What there is to say about a row beside its cells."""
    if row.error is not None:
        for leaf in row.error.leaves():
            yield str(leaf)
    for difference in row.differences:
        yield str(difference) + (_way_back(row) if difference.what == "state" else "")
    for workload in row.unready:
        reason = f": {workload.reason}" if workload.reason else ""
        yield f"{workload.key} {workload.ready}/{workload.desired} ready{reason}"
    if row.traffic is not None:
        yield from _traffic_notes(row.traffic)
    if row.lock is not None:
        holding = row.lock.holder or "another tool"
        if row.lock.expired:
            yield f"expired lock, `deploy recover {row.target}` looks after it: {holding}"
        else:
            yield f"locked by {holding}"


def _traffic_notes(traffic: TrafficStatus) -> Iterator[str]:
    if traffic.drain is not None:
        yield f"drained {traffic.drain}"
    elif traffic.health == "unhealthy":
        yield f"Route 53's checkers see it unhealthy: {checkers(traffic)}"
    if traffic.error is not None:
        yield from map(str, traffic.error.leaves())


def _way_back(row: ReleaseStatus) -> str:
    if row.revision is None or row.good == row.revision:
        return ""
    return f", last good revision {row.good}" if row.good else ", no revision was ever good"


def summary(status: StageStatus) -> str:
    """One sentence with the counts."""
    counts = {health: sum(row.health == health for row in status.rows) for health in MARKS}
    told = ", ".join(f"{count} {health}" for health, count in counts.items() if count) or "nothing"
    apps = len({row.target.application for row in status.rows})
    regions = len([region for region in status.regions if region])
    return (
        f"{status.stage}: {apps} app{'s' if apps != 1 else ''} in {regions} region{'s' if regions != 1 else ''}: "
        f"{told}; read in {status.seconds:.1f} s"
    )


def change_lines(before: StageStatus, after: StageStatus) -> Iterator[str]:
    """What became different between two looks, a line for each app and region; nothing where all is the same."""
    old = {row.target: row for row in before.rows}
    at = after.taken.astimezone().strftime("%H:%M:%S")
    for row in after.rows:
        was = old.get(row.target)
        changes = [
            f"{name} {before_} → {now}"
            for (name, before_), (_, now) in zip(_facts(was) if was else _facts(row), _facts(row), strict=True)
            if before_ != now or was is None
        ]
        told = [note for note in notes_of(row) if was is None or note not in notes_of(was)]
        if changes or told:
            subject = f"{at} {MARKS[row.health]} {row.target.application} {row.target.region}"
            yield printable(f"{subject}: {'; '.join([*changes, *told])}")


def _facts(row: ReleaseStatus) -> list[tuple[str, str]]:
    return [
        ("state", row.standing),
        ("version", row.version or "-"),
        ("revision", str(row.revision or "-")),
        ("digest", short_digest(row.digest) if row.digest else "-"),
        ("pods", pods(row.workloads)),
        ("dns", health_words(row.traffic) if row.traffic else "-"),
        ("locked by", holder(row) or "nobody"),
    ]
