"""`deploy adopt STAGE REGION APP`: takes over what was made by hand or by another tool."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from deployer.cli.main_job import Asked, run
from deployer.cli.options import (
    Application,
    AsJson,
    Bake,
    Debug,
    Directory,
    ExtraVars,
    LockWait,
    OnFailureOption,
    Region,
    Stage,
    Timeout,
    Verbose,
    Version,
    Waves,
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
def adopt(
    stage: Stage,
    region: Region,
    application: Application,
    version: Version = None,
    extra_vars: ExtraVars = None,
    plan: Annotated[bool, typer.Option("--plan", help="Show what would be taken over, and change nothing.")] = False,
    waves: Waves = None,
    bake: Bake = None,
    on_failure: OnFailureOption = None,
    lock_wait: LockWait = None,
    yes: Yes = False,
    as_json: AsJson = False,
    timeout: Timeout = None,
    directory: Directory = None,
    verbose: Verbose = False,
    debug: Debug = False,
) -> None:
    """Take over an app's objects, or its release, from whoever made them: by hand, or with another tool.

    Shows whose each object is and which of its keys would change, asks, and then deploys, verified like any
    deployment. What fails is given back as it was. A Helm release that has nothing left afterwards is forgotten. Where
    DNS is managed, the app's records are taken over as well.
    """

    def story(asked: Asked, deployment: str, wiring: Wiring) -> tuple[DeploymentResult, InterruptedBySignal | None]:
        return _adopt(asked, deployment, wiring)

    run(
        Asked(
            stage=stage,
            region=region,
            applications=(application,),
            version=version,
            extra_vars=tuple(extra_vars or ()),
            plan_only=plan,
            yes=yes,
            as_json=as_json,
            timeout=seconds(timeout),
            lock_wait=seconds(lock_wait, "--lock-wait") or 0.0,
            waves=waves,
            bake=seconds(bake, "--bake"),
            on_failure=on_failure,
            directory=directory,
            verbose=verbose,
        ),
        story,
    )


def _adopt(asked: Asked, deployment: str, wiring: Wiring) -> tuple[DeploymentResult, InterruptedBySignal | None]:
    from deployer.cli.confirmation import confirm_adoption
    from deployer.cli.display import display
    from deployer.cli.invocation import command_for
    from deployer.cli.masked import MaskingSink
    from deployer.cli.sandbox_ready import SANDBOX_STAGE, ready_sandbox
    from deployer.pipeline.deployment import Deployment, Request

    with display(verbose=asked.verbose) as shown:
        sink = MaskingSink(shown, wiring.mask)
        if asked.stage == SANDBOX_STAGE:
            ready_sandbox(sink, wiring.root)
        loaded = wiring.load_each(asked.stage, asked.region, asked.applications, asked.version, asked.extra_vars, sink)
        request = Request(
            deployment,
            asked.stage,
            plan_only=asked.plan_only,
            timeout=asked.timeout,
            lock_wait=asked.lock_wait,
            waves=asked.waves,
            bake=asked.bake,
            on_failure=asked.on_failure,
            command_for=command_for(asked.stage, asked.region),
            adopt=True,
        )

        def confirm(plan: Plan) -> None:
            confirm_adoption(plan, yes=asked.yes, pause=shown.paused)

        return Deployment(request, loaded, wiring, sink, confirm).run()
