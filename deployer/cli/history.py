"""`deploy history STAGE REGION APP`: what was deployed, when, by whom, and what became of it."""

from __future__ import annotations

import shutil
import sys
from typing import Annotated

import typer

from deployer.cli.options import Application, AsJson, Debug, Directory, Region, Stage

app = typer.Typer(add_completion=False, rich_markup_mode=None)


@app.command(context_settings={"help_option_names": ["-h", "--help"]})
def history(
    stage: Stage,
    region: Region,
    application: Application,
    limit: Annotated[
        int | None, typer.Option("-n", "--limit", min=1, help="Only so many of each region's newest revisions.")
    ] = None,
    as_json: AsJson = False,
    directory: Directory = None,
    debug: Debug = False,
) -> None:
    """Show an app's revisions, newest first, with what became of each; what runs is marked.

    For several regions, each deployment has one line that tells which regions it reached, and as which revision.
    """
    from datetime import UTC, datetime

    from deployer.cli.masked import masked_errors, masked_json, show_errors
    from deployer.cli.messages import wants_colour
    from deployer.cli.output import print_answer
    from deployer.cli.telling import ready_for
    from deployer.events import Silence
    from deployer.pipeline.history import read_history
    from deployer.report.history import history_document, history_lines
    from deployer.wiring import Wiring

    with Wiring(directory, "") as wiring:
        with masked_errors(wiring.mask):
            ready_for(stage, wiring)
            loaded = wiring.load_each(stage, region, [application], None, (), Silence(), manifests=False)
            regions = read_history(loaded, wiring, limit=limit)
        if as_json:
            print_answer(masked_json(history_document(stage, application, regions), wiring.mask))
        elif lines := list(
            history_lines(
                regions,
                now=datetime.now(UTC),
                width=shutil.get_terminal_size().columns if sys.stdout.isatty() else None,
                colour=wants_colour(sys.stdout),
            )
        ):
            print_answer(wiring.mask("\n".join(lines)))
        if failed := [one.error for one in regions if one.error is not None]:
            raise typer.Exit(show_errors(failed, wiring.mask))
