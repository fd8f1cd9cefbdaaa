"""`deploy status --watch`: redraws on a terminal, and prints what changes everywhere else."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, NoReturn

from deployer.cli.messages import printable, wants_colour
from deployer.cli.output import print_answer
from deployer.model.status import ReleaseStatus, StageStatus
from deployer.report.status import change_lines, note_lines, status_lines, summary, table_lines

if TYPE_CHECKING:
    from rich.text import Text

Mask = Callable[[str], str]


def watch_status(
    read: Callable[[], StageStatus], pause: float, mask: Mask, then: Callable[[StageStatus], None]
) -> NoReturn:
    """Look every `pause` seconds until a signal ends it; `then` is called after each look."""
    if wants_colour(sys.stdout):
        _redraw(read, pause, mask, then)
    _print_changes(read, pause, mask, then)


def _print_changes(
    read: Callable[[], StageStatus], pause: float, mask: Mask, then: Callable[[StageStatus], None]
) -> NoReturn:
    found = read()
    print_answer(mask("\n".join([*status_lines(found), *_error_lines(found)])))
    while True:
        then(found)
        time.sleep(pause)
        before, found = found, read()
        if lines := list(change_lines(before, found)):
            print_answer(mask("\n".join(lines)))


def _redraw(read: Callable[[], StageStatus], pause: float, mask: Mask, then: Callable[[StageStatus], None]) -> NoReturn:
    from rich.console import Console
    from rich.live import Live

    console = Console(highlight=False)
    with Live(console=console, screen=True, auto_refresh=False) as live:
        while True:
            found = read()
            live.update(_screen(found, mask, console.width, console.height), refresh=True)
            then(found)
            time.sleep(pause)


def _screen(found: StageStatus, mask: Mask, width: int, height: int) -> Text:
    """What fits on the terminal, the rows that are not well before those that are where not all fit."""
    from rich.text import Text

    notes = [*note_lines(found), *_error_lines(found)]
    room = max(3, height - 4 - min(len(notes), height // 3))
    rows, left_out = _most_wanted(found.rows, room - 1)
    lines = list(table_lines(found, rows, colour=True, width=width))
    if left_out:
        lines.append(f"  and {left_out} more")
    free = height - len(lines) - 3
    if len(notes) > free:
        notes = [*notes[: max(0, free - 1)], f"  and {len(notes) - max(0, free - 1)} more notes"]
    at = found.taken.astimezone().strftime("%H:%M:%S")
    text = mask("\n".join([*lines, "", *notes, "", f"{summary(found)} at {at}"]))
    return Text.from_ansi(text, no_wrap=True, overflow="ellipsis")


def _most_wanted(rows: Sequence[ReleaseStatus], room: int) -> tuple[Sequence[ReleaseStatus], int]:
    if len(rows) <= room:
        return rows, 0
    ordered = sorted(rows, key=lambda row: row.health in ("well", "absent"))[: max(1, room - 1)]
    return ordered, len(rows) - len(ordered)


def _error_lines(found: StageStatus) -> Iterator[str]:
    """Errors that no row tells of."""
    told = {id(leaf) for row in found.rows if row.error for leaf in row.error.leaves()}
    for error in found.errors:
        if id(error) not in told:
            yield printable(f"? {error}")
