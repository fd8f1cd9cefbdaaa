"""`deploy promote FROM TO APP`: the very image that runs in one stage goes to the next."""

from __future__ import annotations

import json
from functools import partial
from typing import TYPE_CHECKING, Annotated

import typer

from deployer.cli.commands import HOOK_ARGUMENTS
from deployer.cli.completion import stages
from deployer.cli.confirmation import check_force
from deployer.cli.main_job import Asked, deployment_for, run
from deployer.cli.options import (
    Application,
    AsJson,
    Bake,
    Debug,
    Directory,
    Drain,
    ExtraVars,
    Force,
    LockWait,
    OnFailureOption,
    Reason,
    Timeout,
    Verbose,
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
def promote(
    context: typer.Context,
    from_stage: Annotated[
        str, typer.Argument(metavar="FROM_STAGE", help="the stage whose image it is", autocompletion=stages)
    ],
    to_stage: Annotated[str, typer.Argument(metavar="TO_STAGE", help="the stage that gets it", autocompletion=stages)],
    application: Application,
    region: Annotated[
        str, typer.Option("--region", metavar="REGION", help="Regions of TO_STAGE: one, a comma list, or `all`.")
    ] = "all",
    from_region: Annotated[
        str,
        typer.Option("--from-region", metavar="REGION", help="Regions of FROM_STAGE to look at, where they differ."),
    ] = "all",
    extra_vars: ExtraVars = None,
    plan: Annotated[bool, typer.Option("--plan", help="Stop after the plan: show what would change.")] = False,
    waves: Waves = None,
    bake: Bake = None,
    on_failure: OnFailureOption = None,
    drain: Drain = None,
    force: Force = False,
    reason: Reason = None,
    lock_wait: LockWait = None,
    yes: Yes = False,
    as_json: AsJson = False,
    timeout: Timeout = None,
    directory: Directory = None,
    verbose: Verbose = False,
    debug: Debug = False,
) -> None:
    """Bring the very image that runs in one stage to the next, with that stage's configuration.

    It is copied by its digest between the stages' registries, and never built. Version and tag are those of what runs;
    all else is as in a deployment. An app without an image of its own is promoted by its version alone.
    """
    check_force(force, reason)
    run(
        Asked(
            stage=to_stage,
            region=region,
            applications=(application,),
            extra_vars=tuple(extra_vars or ()),
            plan_only=plan,
            yes=yes,
            as_json=as_json,
            timeout=seconds(timeout),
            lock_wait=seconds_in_line(lock_wait),
            waves=waves,
            bake=seconds(bake, "--bake"),
            on_failure=on_failure,
            drain=drain,
            force=force,
            reason=reason or "",
            hook_arguments=tuple(context.meta.get(HOOK_ARGUMENTS, ())),
            directory=directory,
            verbose=verbose,
        ),
        partial(_promote, from_stage=from_stage, from_region=from_region),
    )


def _promote(asked: Asked, deployment: str, wiring: Wiring, *, from_stage: str, from_region: str) -> Conclusion:
    from deployer.cli.confirmation import confirm_deletions
    from deployer.cli.invocation import command_with
    from deployer.errors import UsageError
    from deployer.pipeline.deployment import Deployment
    from deployer.pipeline.origin import find_origin
    from deployer.pipeline.traffic import Wish

    if asked.stage == from_stage:
        raise UsageError(f"{from_stage} cannot be promoted to itself", hint="deploy promote FROM_STAGE TO_STAGE APP")
    wiring.check_targets(asked.stage, asked.region, asked.applications)
    with telling(wiring, asked.stage, from_stage, verbose=asked.verbose) as (shown, sink):
        promotion = find_origin(
            wiring.releases(from_stage, asked.applications, from_region), wiring, sink, command_with("--from-region")
        )
        fixed = [json.dumps({"Tag": promotion.tag})] if promotion.tag else []
        loaded = wiring.load_each(
            asked.stage, asked.region, asked.applications, promotion.version, [*asked.extra_vars, *fixed], sink
        )
        traffic = Wish(asked.drain, asked.force, asked.reason)
        request = deployment_for(asked, deployment, command_with("--region"), promotion=promotion, traffic=traffic)
        confirm = partial(confirm_deletions, yes=asked.yes, pause=shown.paused)
        return Deployment(request, loaded, wiring, sink, confirm).run()
