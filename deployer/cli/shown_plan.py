"""Shows what would change where a stage wants to be asked, and asks once."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import TextIO

from deployer.cli.messages import wants_colour
from deployer.errors import HeldError
from deployer.plan.steps import Plan, TargetPlan

_NARROWEST = 40
_IN_PIPES = 120
"""Columns: of a terminal at least, and of what is no terminal."""


def width_of(stream: TextIO) -> int:
    """How many columns a stream's terminal has."""
    return max(_NARROWEST, shutil.get_terminal_size().columns) if stream.isatty() else _IN_PIPES


def to_be_shown(plan: Plan) -> list[TargetPlan]:
    """The targets that change something and whose stage wants somebody to see it first."""
    return [one for one in plan.targets if one.preview is not None and one.changes_anything]


def show(targets: Sequence[TargetPlan]) -> None:
    """Write what would change to standard error."""
    from deployer.report.diff import preview_lines

    lines = list(preview_lines(targets, width=width_of(sys.stderr), colour=wants_colour()))
    if not lines:
        return
    sys.stderr.write("\n".join([*lines, "", ""]))
    sys.stderr.flush()


def confirm_shown(
    targets: Sequence[TargetPlan],
    ask: Callable[[str], bool],
    *,
    pause: Callable[[], AbstractContextManager[None]],
    warning: str = "",
) -> None:
    """Show what would change and ask whether to go on; raises HeldError without a yes, or a terminal to ask on.

    `warning` is told before the question. `pause` keeps the terminal free while the question stands.
    """
    regions = dict.fromkeys(one.target.region for one in targets)
    place = f"{targets[0].target.stage} {', '.join(regions)}"
    with pause():
        show(targets)
        if not sys.stdin.isatty():
            raise HeldError(
                "nothing was changed",
                where=place,
                why="it has `Confirm: true`: somebody has to agree to what is shown above, and no terminal is there",
                hint="add --yes once somebody has seen it",
            )
        confirmed = ask("\n".join(part for part in (warning, f"Do that in {place}?") if part))
    if not confirmed:
        raise HeldError("nothing was changed", where=place, why="it was not confirmed")
