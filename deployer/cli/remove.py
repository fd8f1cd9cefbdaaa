"""`deploy remove STAGE REGION APP`: takes an app away."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Annotated

import typer

from deployer.cli.main_job import Asked, request_for, run
from deployer.cli.options import (
    Application,
    AsJson,
    Debug,
    Directory,
    ExtraVars,
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
from deployer.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from deployer.cli.masked import MaskingSink
    from deployer.execute.everywhere import Failure
    from deployer.model import App, Settings, Target
    from deployer.pipeline.command import Conclusion
    from deployer.wiring import Wiring

app = typer.Typer(add_completion=False, rich_markup_mode=None)


@app.command(context_settings={"help_option_names": ["-h", "--help"]})
def remove(
    stage: Stage,
    region: Region,
    application: Application,
    release: Annotated[
        bool,
        typer.Option("--release", help="APP is the name of a Helm release of ours, whose app file is gone or broken."),
    ] = False,
    extra_vars: ExtraVars = None,
    yes: Yes = False,
    plan: Annotated[bool, typer.Option("--plan", help="Show what would be removed, and remove nothing.")] = False,
    timeout: Timeout = None,
    lock_wait: LockWait = None,
    as_json: AsJson = False,
    directory: Directory = None,
    verbose: Verbose = False,
    debug: Debug = False,
) -> None:
    """Take an app's release away, after showing what goes and what stays, and asking.

    Where DNS is managed, the region's records go first. Volumes that were claimed are kept, and named. It ends when the
    app's pods have ended. An app that is not there is no error. The app's manifests and artefacts are not needed.
    What was deployed with -e (another Namespace, for instance) is found with the same -e.
    """
    if release and extra_vars:
        raise UsageError("-e says something about an app file, and --release goes without one", where="-e")
    run(
        Asked(
            stage=stage,
            region=region,
            applications=(application,),
            extra_vars=tuple(extra_vars or ()),
            plan_only=plan,
            yes=yes,
            as_json=as_json,
            timeout=seconds(timeout),
            lock_wait=seconds_in_line(lock_wait),
            directory=directory,
            verbose=verbose,
        ),
        partial(_remove, release=release),
    )


def _remove(asked: Asked, deployment: str, wiring: Wiring, *, release: bool) -> Conclusion:
    from deployer.cli.confirmation import confirm_removal
    from deployer.pipeline.removal import RemovalRequest, Removing

    with telling(wiring, asked.stage, verbose=asked.verbose) as (shown, sink):
        found, failures = _by_release(asked, wiring) if release else _by_app(asked, wiring, sink)
        request = request_for(RemovalRequest, asked, deployment, ours_alone=release)
        confirm = partial(confirm_removal, yes=asked.yes, pause=shown.paused)
        return Removing(request, found, failures, wiring, sink, confirm).run()


def _by_app(
    asked: Asked, wiring: Wiring, sink: MaskingSink
) -> tuple[Sequence[tuple[Target, Settings, App]], Sequence[Failure]]:
    """Where the release of an app is, from its file."""
    from deployer.errors import ConfigurationError

    try:
        loaded = wiring.load_each(
            asked.stage, asked.region, asked.applications, None, asked.extra_vars, sink, manifests=False
        )
    except (ConfigurationError, UsageError) as error:
        other = f"without an app file: deploy remove {asked.stage} {asked.region} RELEASE --release"
        error.hint = f"{error.hint}\n{other}" if error.hint else other
        raise
    return [(one.target, one.settings, one.app) for one in loaded.configurations], loaded.failures


def _by_release(asked: Asked, wiring: Wiring) -> tuple[Sequence[tuple[Target, Settings, App]], Sequence[Failure]]:
    """Where a release is whose app file is gone, from group_vars alone."""
    from deployer.model import App, Target

    (name,) = asked.applications
    settings = wiring.settings_of(asked.stage, asked.region)
    return [
        (Target(place.stage, place.region, name), one, App(name, name, (place.environment,)))
        for place, one in settings.items()
    ], ()
