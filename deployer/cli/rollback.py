"""`deploy rollback STAGE REGION APP`: bring back what ran well before."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Annotated

import typer

from deployer.cli.completion import revisions
from deployer.cli.main_job import Asked, request_for, run
from deployer.cli.options import (
    Application,
    AsJson,
    Debug,
    Directory,
    LockWait,
    Region,
    Stage,
    Timeout,
    Verbose,
    Yes,
    seconds,
    seconds_in_line,
)
from deployer.cli.telling import telling

if TYPE_CHECKING:
    from deployer.pipeline.command import Conclusion
    from deployer.wiring import Wiring

app = typer.Typer(add_completion=False, rich_markup_mode=None)


@app.command(context_settings={"help_option_names": ["-h", "--help"]})
def rollback(
    stage: Stage,
    region: Region,
    application: Application,
    to: Annotated[
        str | None,
        typer.Option(
            "--to",
            metavar="REVISION|DEPLOYMENT",
            help="A revision's number (one region), or the beginning of a deployment's id. `deploy history` has both.",
            autocompletion=revisions,
        ),
    ] = None,
    yes: Yes = False,
    plan: Annotated[bool, typer.Option("--plan", help="Show what would change, and change nothing.")] = False,
    timeout: Timeout = None,
    lock_wait: LockWait = None,
    as_json: AsJson = False,
    directory: Directory = None,
    verbose: Verbose = False,
    debug: Debug = False,
) -> None:
    """Bring back the last revision that was verified and is not what runs now, in every region named.

    It is watched, asked from outside and announced like a deployment. The app's manifests and artefacts are not needed.
    """
    run(
        Asked(
            stage=stage,
            region=region,
            applications=(application,),
            plan_only=plan,
            yes=yes,
            as_json=as_json,
            timeout=seconds(timeout),
            lock_wait=seconds_in_line(lock_wait),
            directory=directory,
            verbose=verbose,
        ),
        partial(_roll_back, to=to),
    )


def _roll_back(asked: Asked, deployment: str, wiring: Wiring, *, to: str | None) -> Conclusion:
    from deployer.cli.confirmation import confirm_going_back
    from deployer.pipeline.rollback import Rollback, RollbackRequest

    with telling(wiring, asked.stage, verbose=asked.verbose) as (shown, sink):
        loaded = wiring.load_each(asked.stage, asked.region, asked.applications, None, (), sink, manifests=False)
        request = request_for(RollbackRequest, asked, deployment, to=to)
        confirm = partial(confirm_going_back, yes=asked.yes, pause=shown.paused)
        return Rollback(request, loaded, wiring, sink, confirm).run()
