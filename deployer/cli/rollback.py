"""`deploy rollback STAGE REGION APP`: bring back what ran well before."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

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

    def story(asked: Asked, deployment: str, wiring: Wiring) -> tuple[DeploymentResult, InterruptedBySignal | None]:
        return _roll_back(asked, to, deployment, wiring)

    run(
        Asked(
            stage=stage,
            region=region,
            applications=(application,),
            plan_only=plan,
            yes=yes,
            as_json=as_json,
            timeout=seconds(timeout),
            lock_wait=seconds(lock_wait, "--lock-wait") or 0.0,
            directory=directory,
            verbose=verbose,
        ),
        story,
    )


def _roll_back(
    asked: Asked, to: str | None, deployment: str, wiring: Wiring
) -> tuple[DeploymentResult, InterruptedBySignal | None]:
    from deployer.cli.confirmation import confirm_deletions
    from deployer.cli.display import display
    from deployer.cli.invocation import command_for
    from deployer.cli.masked import MaskingSink
    from deployer.cli.sandbox_ready import SANDBOX_STAGE, ready_sandbox
    from deployer.pipeline.rollback import Rollback, RollbackRequest

    with display(verbose=asked.verbose) as shown:
        sink = MaskingSink(shown, wiring.mask)
        if asked.stage == SANDBOX_STAGE:
            ready_sandbox(sink, wiring.root)
        loaded = wiring.load_each(asked.stage, asked.region, asked.applications, None, (), sink, manifests=False)
        request = RollbackRequest(
            deployment,
            asked.stage,
            to=to,
            plan_only=asked.plan_only,
            timeout=asked.timeout,
            lock_wait=asked.lock_wait,
            command_for=command_for(asked.stage, asked.region),
        )

        def confirm(plan: Plan) -> None:
            confirm_deletions(plan, yes=asked.yes, pause=shown.paused, gone_from="the revision that comes back")

        return Rollback(request, loaded, wiring, sink, confirm).run()
