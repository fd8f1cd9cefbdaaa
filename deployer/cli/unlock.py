"""`deploy unlock STAGE REGION APP`: frees the locks of an app that were left behind."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

import typer

from deployer.cli.options import Application, AsJson, Debug, Directory, Region, Stage, Yes
from deployer.errors import ErrorGroup, HeldError

if TYPE_CHECKING:
    from deployer.model import ReleaseLock
    from deployer.wiring import Wiring

app = typer.Typer(add_completion=False, rich_markup_mode=None)


@app.command(context_settings={"help_option_names": ["-h", "--help"]})
def unlock(
    stage: Stage,
    region: Region,
    application: Application,
    yes: Yes = False,
    as_json: AsJson = False,
    directory: Directory = None,
    debug: Debug = False,
) -> None:
    """Free the locks of an app, after showing who holds them and asking.

    A holder that is at work after all stops before its next change. A lock that has expired, or whose holder died on
    this machine, need not be freed: the next deployment takes it over.
    """
    from deployer.cli.masked import masked_errors, masked_json, show_errors
    from deployer.cli.output import print_result
    from deployer.report.locks import lock_lines, locks_document
    from deployer.wiring import Wiring

    with Wiring(directory, "") as wiring:
        with masked_errors(wiring.mask):
            locks = _unlock(stage, region, application, yes, wiring)
        if as_json:
            print_result(masked_json(locks_document(locks), wiring.mask))
        elif lines := list(lock_lines(locks)):
            print_result(wiring.mask("\n".join(lines)))
        if failed := [lock.error for lock in locks if lock.error is not None]:
            raise typer.Exit(show_errors(failed, wiring.mask))


def _unlock(stage: str, region: str, application: str, yes: bool, wiring: Wiring) -> Sequence[ReleaseLock]:
    from deployer.cli.telling import ready_for
    from deployer.pipeline.unlocking import Unlocking

    ready_for(stage, wiring)
    unlocking = Unlocking(wiring.releases(stage, [application], region), wiring)
    found = unlocking.look()
    held = [lock for lock in found if lock.state is not None]
    if not held:
        return found
    _confirm(found, held, yes, wiring)
    return unlocking.free(found)


def _confirm(found: Sequence[ReleaseLock], held: Sequence[ReleaseLock], yes: bool, wiring: Wiring) -> None:
    """Show who holds the locks; raises HeldError unless they are to be freed."""
    from deployer.cli.confirmation import answered_yes
    from deployer.report.locks import lock_lines

    failed = [lock.error for lock in found if lock.error is not None]
    lines = wiring.mask("\n".join(lock_lines(held)))
    if not yes and not sys.stdin.isatty():
        raise ErrorGroup(
            [HeldError("nothing was freed", why=lines, hint="add --yes if these locks are to be freed"), *failed]
        )
    sys.stderr.write(lines + "\n")
    if not yes and not answered_yes("Free them?" if len(held) > 1 else "Free it?"):
        raise ErrorGroup([HeldError("nothing was freed", why="it was not confirmed"), *failed])
