"""`deploy branches`: apps that were deployed from branches, and how they go away."""

from __future__ import annotations

import shutil
import sys
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any

import typer

from deployer.cli.completion import apps, regions
from deployer.cli.options import (
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
from deployer.errors import ConfigurationError, ErrorGroup, UsageError
from deployer.events import WarningRaised

if TYPE_CHECKING:
    from deployer.cli.main_job import Asked
    from deployer.pipeline.branches import Branches
    from deployer.pipeline.command import Conclusion
    from deployer.wiring import Wiring

app = typer.Typer(add_completion=False, rich_markup_mode=None, no_args_is_help=True)

_Regions = Annotated[
    str, typer.Argument(metavar="[REGION]", help="a region, a comma list of them, or `all`", autocompletion=regions)
]
_Plan = Annotated[bool, typer.Option("--plan", help="Show what would be removed, and remove nothing.")]
_SETTINGS = {"help_option_names": ["-h", "--help"]}


@app.callback(context_settings=_SETTINGS)
def branches() -> None:
    """Apps that were deployed from branches (deploy STAGE REGION APP --branch BRANCH), beside the apps themselves."""


@app.command(name="list", context_settings=_SETTINGS)
def show(
    stage: Stage,
    region: _Regions = "all",
    as_json: AsJson = False,
    directory: Directory = None,
    debug: Debug = False,
) -> None:
    """Show what was deployed from branches: where, by whom, under which host, and until when it is kept."""
    from deployer.cli.masked import masked_errors, masked_json, show_errors
    from deployer.cli.output import print_answer
    from deployer.cli.telling import ready_for
    from deployer.report.branches import branch_lines, branches_document
    from deployer.wiring import Wiring

    with Wiring(directory, "") as wiring:
        with masked_errors(wiring.mask):
            ready_for(stage, wiring)
            found = _find(stage, region, wiring)
        now = datetime.now(UTC)
        errors = found.errors()
        if as_json:
            print_answer(masked_json(branches_document(stage, found.releases, errors, now), wiring.mask))
        else:
            width = shutil.get_terminal_size().columns if sys.stdout.isatty() else None
            print_answer(wiring.mask("\n".join(branch_lines(found.releases, now, unseen=found.unseen, width=width))))
        if errors:
            raise typer.Exit(show_errors(errors, wiring.mask))


@app.command(context_settings=_SETTINGS)
def delete(
    stage: Stage,
    region: Region,
    application: Annotated[str, typer.Argument(metavar="APP", help="an app, or APP@BRANCH", autocompletion=apps)],
    branch: Annotated[str | None, typer.Argument(metavar="[BRANCH]", help="the branch")] = None,
    yes: Yes = False,
    plan: _Plan = False,
    timeout: Timeout = None,
    lock_wait: LockWait = None,
    as_json: AsJson = False,
    directory: Directory = None,
    verbose: Verbose = False,
    debug: Debug = False,
) -> None:
    """Take away what was deployed from a branch, after showing it and asking: DNS, release, volumes, Secrets.

    A branch that is not there is no error. The app's file is not needed.
    """
    from deployer.config.branches import check_name
    from deployer.model.branches import app_of, branch_of, named

    if not app_of(application):
        raise UsageError("which app?", hint="APP BRANCH, or APP@BRANCH")
    if (branch_of(application) is None) == (branch is None):
        raise UsageError(
            "which branch?" if branch is None else "the branch is given twice", hint="APP BRANCH, or APP@BRANCH"
        )
    name = named(application, branch)
    check_name(name)
    _run(_asked(stage, region, plan, yes, as_json, timeout, lock_wait, directory, verbose), name)


@app.command(context_settings=_SETTINGS)
def expire(
    stage: Stage,
    region: _Regions = "all",
    yes: Yes = False,
    plan: _Plan = False,
    timeout: Timeout = None,
    lock_wait: LockWait = None,
    as_json: AsJson = False,
    directory: Directory = None,
    verbose: Verbose = False,
    debug: Debug = False,
) -> None:
    """Take away every branch whose time is up, for a nightly job: with --yes it asks nothing."""
    _run(_asked(stage, region, plan, yes, as_json, timeout, lock_wait, directory, verbose))


def _asked(
    stage: str,
    region: str,
    plan: bool,
    yes: bool,
    as_json: bool,
    timeout: str | None,
    lock_wait: str | None,
    directory: Any,
    verbose: bool,
) -> Asked:
    from deployer.cli.main_job import Asked

    return Asked(
        stage=stage,
        region=region,
        plan_only=plan,
        yes=yes,
        as_json=as_json,
        timeout=seconds(timeout),
        lock_wait=seconds_in_line(lock_wait),
        directory=directory,
        verbose=verbose,
    )


def _find(stage: str, region: str, wiring: Wiring) -> Branches:
    """The branches in these regions, whether the layers of branches give them a namespace of their own or not."""
    from deployer.pipeline.branches import find_branches

    settings = [wiring.settings_of(stage, region, branch="")]
    # Where each app has its own namespace no branch has been in the stage's.
    with suppress(ConfigurationError, ErrorGroup):
        settings.append(wiring.settings_of(stage, region))
    return find_branches(stage, settings, wiring)


def _run(asked: Asked, application: str | None = None) -> None:
    """Take one branch away, or every one whose time is up."""
    from deployer.cli.main_job import run

    run(asked, partial(_remove, application=application))


def _remove(asked: Asked, deployment: str, wiring: Wiring, *, application: str | None) -> Conclusion:
    from deployer.cli.confirmation import confirm_removal
    from deployer.cli.main_job import request_for
    from deployer.cli.telling import telling
    from deployer.pipeline.branches import absent, choose, refuse_renewed
    from deployer.pipeline.removal import RemovalRequest, Removing

    with telling(wiring, asked.stage, verbose=asked.verbose) as (shown, sink):
        found = _find(asked.stage, asked.region, wiring)
        request = request_for(RemovalRequest, asked, deployment, ours_alone=True, everything=True)
        if application is None:
            removable, failures = found.removable(found.expired(datetime.now(UTC))), list(found.failures)
            request = replace(request, guard=refuse_renewed, isolates=True)
        else:
            known = wiring.releases(asked.stage, [application]) if wiring.has_app(application) else {}
            removable, failures = choose(found, application, found.regions, known)
            if not found.of(application) and not failures:
                sink.emit(WarningRaised(absent(found, application)))
        confirm = partial(confirm_removal, yes=asked.yes, pause=shown.paused)
        return Removing(request, removable, failures, wiring, sink, confirm).run()
