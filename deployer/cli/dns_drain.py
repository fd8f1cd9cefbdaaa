"""`deploy dns drain` and `deploy dns restore`: lead clients away from a region, and back."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Annotated

import typer

from deployer.cli.main_job import Asked, run
from deployer.cli.options import (
    Application,
    AsJson,
    Debug,
    Directory,
    Force,
    LockWait,
    Reason,
    Region,
    Stage,
    Verbose,
    Yes,
    seconds_in_line,
)
from deployer.cli.telling import telling

if TYPE_CHECKING:
    from deployer.pipeline.command import Conclusion
    from deployer.pipeline.draining import Action
    from deployer.wiring import Wiring


def drain(
    stage: Stage,
    region: Region,
    application: Application,
    force: Force = False,
    reason: Reason = None,
    lock_wait: LockWait = None,
    yes: Yes = False,
    as_json: AsJson = False,
    directory: Directory = None,
    verbose: Verbose = False,
    debug: Debug = False,
) -> None:
    """Take an app's region out of DNS, and wait until clients have left it.

    It stays out, through deployments too, until `deploy dns restore`. Refused (exit 4) where too few other regions are
    healthy, as Route 53's checkers and we ourselves see them.
    """
    asked = _asked(stage, region, application, yes, as_json, lock_wait, directory, verbose, force, reason)
    run(asked, partial(_story, action="drain"))


def restore(
    stage: Stage,
    region: Region,
    application: Application,
    force: Annotated[bool, typer.Option("--force", help="Also when it is not healthy; needs --reason.")] = False,
    reason: Reason = None,
    lock_wait: LockWait = None,
    as_json: AsJson = False,
    directory: Directory = None,
    verbose: Verbose = False,
    debug: Debug = False,
) -> None:
    """Put a region back into DNS once it is healthy: first as we see it, then as Route 53's checkers do."""
    asked = _asked(stage, region, application, True, as_json, lock_wait, directory, verbose, force, reason)
    run(asked, partial(_story, action="restore"))


def _asked(
    stage: str,
    region: str,
    application: str,
    yes: bool,
    as_json: bool,
    lock_wait: str | None,
    directory: Directory,
    verbose: bool,
    force: bool,
    reason: str | None,
) -> Asked:
    from deployer.cli.confirmation import check_force

    check_force(force, reason)
    return Asked(
        stage=stage,
        region=region,
        applications=(application,),
        yes=yes,
        as_json=as_json,
        lock_wait=seconds_in_line(lock_wait),
        directory=directory,
        verbose=verbose,
        force=force,
        reason=reason or "",
    )


def _story(asked: Asked, deployment: str, wiring: Wiring, *, action: Action) -> Conclusion:
    from deployer.cli.confirmation import confirm_force
    from deployer.cli.invocation import command_for
    from deployer.pipeline.draining import Draining, DrainRequest

    with telling(wiring, asked.stage, verbose=asked.verbose) as (shown, sink):
        loaded = wiring.load_each(asked.stage, asked.region, asked.applications, None, (), sink, manifests=False)
        if asked.force and action == "drain":
            confirm_force(loaded.targets, yes=asked.yes, pause=shown.paused)
        request = DrainRequest(
            deployment,
            asked.stage,
            action,
            asked.reason,
            forced=asked.force,
            lock_wait=asked.lock_wait,
            command_for=command_for(asked.stage, asked.region),
        )
        return Draining(request, loaded, wiring, sink).run()
