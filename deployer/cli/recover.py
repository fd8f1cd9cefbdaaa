"""`deploy recover STAGE REGION APP`: repair what an interrupted run left."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import typer

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
def recover(
    stage: Stage,
    region: Region,
    application: Application,
    yes: Yes = False,
    timeout: Timeout = None,
    lock_wait: LockWait = None,
    as_json: AsJson = False,
    directory: Directory = None,
    verbose: Verbose = False,
    debug: Debug = False,
) -> None:
    """Repair what an interrupted run left: a lock, a release that is pending, failed or unverified, a drained region.

    What runs well is verified, anything else goes back to the last good revision; a drained region goes back into DNS
    once it is healthy. A deployment that stopped between its regions is told, with the commands that finish it or take
    it back.
    """
    run(
        Asked(
            stage=stage,
            region=region,
            applications=(application,),
            yes=yes,
            as_json=as_json,
            timeout=seconds(timeout),
            lock_wait=seconds_in_line(lock_wait),
            directory=directory,
            verbose=verbose,
        ),
        _recover,
    )


def _recover(asked: Asked, deployment: str, wiring: Wiring) -> Conclusion:
    from deployer.cli.confirmation import confirm_going_back
    from deployer.pipeline.command import CommandRequest
    from deployer.pipeline.recovery import Recovering

    with telling(wiring, asked.stage, verbose=asked.verbose) as (shown, sink):
        loaded = wiring.load_each(asked.stage, asked.region, asked.applications, None, (), sink, manifests=False)
        request = request_for(CommandRequest, asked, deployment)
        confirm = partial(confirm_going_back, yes=asked.yes, pause=shown.paused)
        return Recovering(request, loaded, wiring, sink, confirm).run()
