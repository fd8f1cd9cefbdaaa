"""`deploy status STAGE [APP…]`: every app in every region of a stage."""

from __future__ import annotations

import re
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperCommand

from deployer.cli.completion import apps
from deployer.cli.options import AsJson, Debug, Directory, Stage, seconds
from deployer.cli.output import print_answer
from deployer.errors import InterruptedBySignal, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

    from deployer.model.status import StageStatus
    from deployer.wiring import Wiring

_OFTEN = "2s"
_SHORTEST = 0.5

app = typer.Typer(add_completion=False, rich_markup_mode=None)


class _WatchMayHaveTime(TyperCommand):
    """Lets `--watch` go without a time, which Typer's options cannot."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Give a bare `--watch` its time."""
        following = [*args[1:], ""]
        given = [
            f"--watch={_OFTEN}" if arg == "--watch" and not re.fullmatch(r"[0-9.]+[smh]?", after) else arg
            for arg, after in zip(args, following, strict=True)
        ]
        return super().parse_args(ctx, given)


@app.command(cls=_WatchMayHaveTime, context_settings={"help_option_names": ["-h", "--help"]})
def status(
    stage: Stage,
    applications: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[APP...]", help="apps; all that the stage has where none is named", autocompletion=apps
        ),
    ] = None,
    as_json: AsJson = False,
    watch: Annotated[
        str | None, typer.Option("--watch", metavar="[TIME]", help="Look again and again (every 2s), until Ctrl-C.")
    ] = None,
    html: Annotated[Path | None, typer.Option("--html", metavar="FILE", help="Write a page for browsers.")] = None,
    exit_code: Annotated[bool, typer.Option("--exit-code", help="Exit with 3 when regions differ.")] = False,
    directory: Directory = None,
    debug: Debug = False,
) -> None:
    """Show what runs where: each app in each region of a stage, and which regions differ from the others.

    ✔ well · … somebody is at work · ≠ differs from the other regions · ✘ not verified, or pods not ready · - not
    deployed · ? could not be read
    """
    if watch is not None and (as_json or exit_code):
        raise UsageError("--watch does not go with --json or --exit-code", hint="ask for them without --watch")
    pause = seconds(watch, "--watch")
    if pause is not None and pause < _SHORTEST:
        raise UsageError(f"{watch!r} is too often", where="--watch", hint=f"at least {_SHORTEST:g}s")
    from deployer.cli.masked import masked_errors
    from deployer.wiring import Wiring

    with Wiring(directory, "") as wiring:
        try:
            with masked_errors(wiring.mask):
                read = _reader(stage, tuple(applications or ()), wiring)
                if pause is not None:
                    from deployer.cli.status_watch import watch_status

                    watch_status(read, pause, wiring.mask, lambda found: _write_page(found, html, wiring.mask, pause))
                found = read()
        except InterruptedBySignal as stop:
            if pause is not None and stop.signal_number == signal.SIGINT:
                raise typer.Exit(stop.exit_code) from None  # Ctrl-C is how a watch ends
            raise
        _write_page(found, html, wiring.mask)
        print_answer(_report(found, as_json, wiring.mask))
        raise typer.Exit(_exit_code(found, exit_code, wiring.mask))


def _reader(stage: str, applications: tuple[str, ...], wiring: Wiring) -> Callable[[], StageStatus]:
    """Loads what tells where the releases are; the call then reads them."""
    from deployer.cli.telling import ready_for

    ready_for(stage, wiring)
    releases = wiring.releases(stage, applications)
    from deployer.pipeline.status import StatusReader

    return StatusReader(stage, releases, wiring, everything=not applications).read


def _report(found: StageStatus, as_json: bool, mask: Callable[[str], str]) -> str:
    if as_json:
        from deployer.cli.masked import masked_json
        from deployer.report.status_document import status_document

        return masked_json(status_document(found), mask)
    import shutil

    from deployer.cli.messages import wants_colour
    from deployer.report.status import status_lines

    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else None
    return mask("\n".join(status_lines(found, colour=wants_colour(sys.stdout), width=width)))


def _write_page(
    found: StageStatus, file: Path | None, mask: Callable[[str], str], refresh: float | None = None
) -> None:
    if file is None:
        return
    from deployer.cli.files import write_file
    from deployer.report.status_page import status_page

    write_file(file, status_page(found, mask, refresh=refresh))


def _exit_code(found: StageStatus, skew_counts: bool, mask: Callable[[str], str]) -> int:
    """Tells the errors; theirs, else 3 for skew where that is asked for."""
    if found.errors:
        from deployer.cli.masked import show_errors

        return show_errors(found.errors, mask)
    return 3 if skew_counts and found.skewed else 0
