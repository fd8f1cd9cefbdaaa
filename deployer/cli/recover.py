"""`deploy recover STAGE REGION APP`: repair what an interrupted run left."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from deployer.cli.main_job import Asked, run
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
)

if TYPE_CHECKING:
    from deployer.errors import InterruptedBySignal
    from deployer.model import DeploymentResult
    from deployer.plan.steps import Plan
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
            lock_wait=seconds(lock_wait, "--lock-wait") or 0.0,
            directory=directory,
            verbose=verbose,
        ),
        _recover,
    )


def _recover(asked: Asked, deployment: str, wiring: Wiring) -> tuple[DeploymentResult, InterruptedBySignal | None]:
    from deployer.cli.confirmation import confirm_deletions
    from deployer.cli.display import display
    from deployer.cli.invocation import command_for
    from deployer.cli.masked import MaskingSink
    from deployer.cli.sandbox_ready import SANDBOX_STAGE, ready_sandbox
    from deployer.pipeline.recovery import Recovering, RecoveryRequest

    with display(verbose=asked.verbose) as shown:
        sink = MaskingSink(shown, wiring.mask)
        if asked.stage == SANDBOX_STAGE:
            ready_sandbox(sink, wiring.root)
        loaded = wiring.load_each(asked.stage, asked.region, asked.applications, None, (), sink, manifests=False)
        request = RecoveryRequest(
            deployment,
            asked.stage,
            timeout=asked.timeout,
            lock_wait=asked.lock_wait,
            command_for=command_for(asked.stage, asked.region),
        )

        def confirm(plan: Plan) -> None:
            confirm_deletions(plan, yes=asked.yes, pause=shown.paused, gone_from="the revision that comes back")

        return Recovering(request, loaded, wiring, sink, confirm).run()
