"""`deploy plan STAGE REGION APP…`: what a deployment would change."""

from __future__ import annotations

from typing import Annotated

import typer

from deployer.cli.choosing import choice_of
from deployer.cli.main_job import Asked, run
from deployer.cli.options import (
    AsJson,
    Branch,
    ChangedSince,
    Debug,
    Directory,
    Everything,
    ExtraVars,
    Group,
    MaybeApplications,
    Region,
    Stage,
    Verbose,
    Version,
)

app = typer.Typer(add_completion=False, rich_markup_mode=None)


@app.command(context_settings={"help_option_names": ["-h", "--help"]})
def plan(
    stage: Stage,
    region: Region,
    applications: MaybeApplications = None,
    everything: Everything = False,
    group: Group = None,
    changed_since: ChangedSince = None,
    branch: Branch = None,
    version: Version = None,
    extra_vars: ExtraVars = None,
    exit_code: Annotated[bool, typer.Option("--exit-code", help="Exit with 3 when anything would change.")] = False,
    as_json: AsJson = False,
    directory: Directory = None,
    verbose: Verbose = False,
    debug: Debug = False,
) -> None:
    """Show what a deployment would change, value by value but for secrets, and change nothing."""
    run(
        Asked(
            stage=stage,
            region=region,
            choice=choice_of(applications, everything, group, changed_since, version, branch=branch),
            version=version,
            extra_vars=tuple(extra_vars or ()),
            plan_only=True,
            exit_code=exit_code,
            as_json=as_json,
            directory=directory,
            verbose=verbose,
        )
    )
