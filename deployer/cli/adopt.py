"""`deploy adopt STAGE REGION APP`: takes over what was made by hand or by another tool."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Annotated

import typer

from deployer.cli.commands import HOOK_ARGUMENTS
from deployer.cli.main_job import Asked, deployment_for, run
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
    seconds_in_line,
)
from deployer.cli.telling import telling

if TYPE_CHECKING:
    from deployer.pipeline.command import Conclusion
    from deployer.wiring import Wiring

app = typer.Typer(add_completion=False, rich_markup_mode=None)


@app.command(context_settings={"help_option_names": ["-h", "--help"]})
def adopt(
    context: typer.Context,
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
            lock_wait=seconds_in_line(lock_wait),
            waves=waves,
            bake=seconds(bake, "--bake"),
            on_failure=on_failure,
            hook_arguments=tuple(context.meta.get(HOOK_ARGUMENTS, ())),
            directory=directory,
            verbose=verbose,
        ),
        _adopt,
    )


def _adopt(asked: Asked, deployment: str, wiring: Wiring) -> Conclusion:
    from deployer.cli.confirmation import confirm_adoption
    from deployer.pipeline.deployment import Deployment

    with telling(wiring, asked.stage, verbose=asked.verbose) as (shown, sink):
        loaded = wiring.load_each(asked.stage, asked.region, asked.applications, asked.version, asked.extra_vars, sink)
        request = deployment_for(asked, deployment, adopt=True)
        confirm = partial(confirm_adoption, yes=asked.yes, pause=shown.paused)
        return Deployment(request, loaded, wiring, sink, confirm).run()
