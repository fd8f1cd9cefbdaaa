"""`deploy STAGE REGION APP…`: the main job."""

from __future__ import annotations

from typing import Annotated

import typer

from deployer.cli.choosing import choice_of
from deployer.cli.commands import HOOK_ARGUMENTS
from deployer.cli.confirmation import check_force
from deployer.cli.main_job import Asked, run
from deployer.cli.options import (
    AsJson,
    AtOnce,
    Bake,
    Branch,
    ChangedSince,
    Debug,
    Directory,
    Drain,
    Everything,
    ExtraVars,
    Force,
    Group,
    LockWait,
    MaybeApplications,
    OnFailureOption,
    Reason,
    Region,
    Stage,
    Timeout,
    Verbose,
    Version,
    Waves,
    Yes,
    check_lifetime,
    seconds,
    seconds_in_line,
)

app = typer.Typer(add_completion=False, rich_markup_mode=None)


@app.command(context_settings={"help_option_names": ["-h", "--help"]})
def deploy(
    context: typer.Context,
    stage: Stage,
    region: Region,
    applications: MaybeApplications = None,
    everything: Everything = False,
    group: Group = None,
    changed_since: ChangedSince = None,
    at_once: AtOnce = None,
    branch: Branch = None,
    expires: Annotated[
        str | None,
        typer.Option("--expires", metavar="TIME", help="How long to keep the branch: 12h, 7d, 2w, never."),
    ] = None,
    version: Version = None,
    extra_vars: ExtraVars = None,
    plan: Annotated[bool, typer.Option("--plan", help="Stop after the plan: show what would change.")] = False,
    rebuild: Annotated[
        bool, typer.Option("--rebuild", help="Make a new image under a new tag, its base image pulled anew.")
    ] = False,
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
    """Deploy applications to a stage's regions.

    Builds and pushes the image, upgrades the Helm release, watches it until it really runs, asks the regional host
    from outside, and rolls back what fails. Typed again with nothing changed, it says so and does nothing.
    What stands after -- goes to the ansible-playbook that runs the apps' hooks.
    """
    check_force(force, reason)
    check_lifetime(expires, branch, applications or ())
    run(
        Asked(
            stage=stage,
            region=region,
            choice=choice_of(applications, everything, group, changed_since, version, stage=stage, branch=branch),
            at_once=at_once,
            expires=expires,
            version=version,
            extra_vars=tuple(extra_vars or ()),
            plan_only=plan,
            rebuild=rebuild,
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
        )
    )
