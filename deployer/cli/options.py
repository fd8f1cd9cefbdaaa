"""Options that several commands share, and how their texts become values."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from deployer.cli.completion import apps, groups, regions, stages
from deployer.errors import UsageError
from deployer.model.branches import LIFETIME, branch_of, is_lifetime
from deployer.plan.order import OnFailure

Stage = Annotated[
    str, typer.Argument(metavar="STAGE", help="dev, preprod, prod, … or local: the sandbox", autocompletion=stages)
]
Region = Annotated[
    str, typer.Argument(metavar="REGION", help="a region, a comma list of them, or `all`", autocompletion=regions)
]
Applications = Annotated[
    list[str], typer.Argument(metavar="APP...", help="apps, each a file apps/APP.yml", autocompletion=apps)
]
MaybeApplications = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[APP...]", help="apps, each a file apps/APP.yml; or one of the options", autocompletion=apps
    ),
]
Everything = Annotated[bool, typer.Option("--all", help="All apps that the stage has in these regions.")]
Group = Annotated[
    str | None,
    typer.Option("--group", metavar="NAME", help="The apps whose `Groups` has this name.", autocompletion=groups),
]
ChangedSince = Annotated[
    str | None,
    typer.Option(
        "--changed-since",
        metavar="GITREF",
        help="Of these apps, or of all, those whose manifests or image content differ from this commit's.",
    ),
]
AtOnce = Annotated[
    int | None, typer.Option("--parallel", metavar="N", min=1, max=64, help="How many apps to change at a time (8).")
]
Branch = Annotated[
    str | None,
    typer.Option("--branch", metavar="BRANCH", help="Beside the app itself, under a name and a host of the branch's."),
]
Application = Annotated[str, typer.Argument(metavar="APP", help="an app, a file apps/APP.yml", autocompletion=apps)]
Version = Annotated[str | None, typer.Option("--version", help="Deploy this version instead of the app's `Version`.")]
ExtraVars = Annotated[
    list[str] | None,
    typer.Option("-e", "--extra-vars", metavar="KEY=VALUE|@FILE", help="Variables that win over all others."),
]
Directory = Annotated[
    Path | None,
    typer.Option(
        "-C",
        "--directory",
        envvar="DEPLOY_DIRECTORY",
        help="The deployment repository (default: around this directory).",
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document (docs/json.md) on standard output.")]
Verbose = Annotated[bool, typer.Option("-v", "--verbose", help="Tell more while it runs.")]
Debug = Annotated[bool, typer.Option("--debug", help="Show a traceback when something goes wrong.")]
Yes = Annotated[bool, typer.Option("-y", "--yes", help="Ask nothing, also where data may be lost.")]
Timeout = Annotated[
    str | None, typer.Option("--timeout", metavar="TIME", help="How long a rollout may take: 90, 90s, 10m, 1h.")
]

LockWait = Annotated[
    str | None,
    typer.Option("--lock-wait", metavar="TIME", help="How long to wait in line while somebody else deploys: 10m."),
]
Waves = Annotated[
    str | None,
    typer.Option("--waves", metavar="WAVES", help="Regions in order, those of one wave joined: seoul,london+virginia."),
]
Bake = Annotated[
    str | None,
    typer.Option("--bake", metavar="TIME", help="How long a wave must stay healthy before the next one: 90s, 10m."),
]
OnFailureOption = Annotated[
    OnFailure | None,
    typer.Option("--on-failure", help="Whether regions that had advanced stay (hold) or go back (rollback)."),
]
Drain = Annotated[
    bool | None,
    typer.Option("--drain/--no-drain", help="Take each region out of DNS while it is changed, one after another."),
]
Force = Annotated[
    bool, typer.Option("--force", help="Drain also when too few other regions are healthy; needs --reason.")
]
Reason = Annotated[
    str | None, typer.Option("--reason", metavar="TEXT", help="Why: written down with the drain, for others to read.")
]

_UNITS = {"": 1.0, "s": 1.0, "m": 60.0, "h": 3600.0}


def seconds(text: str | None, option: str = "--timeout") -> float | None:
    """`90`, `90s`, `10m`, `1h30m` in seconds; None for None. Raises UsageError for anything else."""
    if text is None:
        return None
    parts = re.findall(r"(\d+(?:\.\d+)?)([smh]?)", text)
    if not parts or "".join(number + unit for number, unit in parts) != text:
        raise UsageError(f"{text!r} is not a time", where=option, hint="write 90, 90s, 10m or 1h30m")
    total = sum(float(number) * _UNITS[unit] for number, unit in parts)
    if not 0 < total <= 86400:
        raise UsageError(f"{text!r} is not a useful time", where=option, hint="between 1s and 24h")
    return total


def check_lifetime(expires: str | None, branch: str | None, applications: Sequence[str]) -> None:
    """Raises UsageError for an `--expires` that is no time, or where no branch is deployed."""
    if expires is not None and not is_lifetime(expires):
        raise UsageError(f"{expires!r} is not a time", where="--expires", hint=f"write {LIFETIME}")
    if expires is not None and branch is None and not any(branch_of(name) is not None for name in applications):
        raise UsageError("--expires is for branches", why="an app itself is kept for ever", hint="--branch feature/x")


def seconds_in_line(lock_wait: str | None) -> float:
    """How long `--lock-wait` lets us wait for a lock, in seconds: not at all where it is not given."""
    return seconds(lock_wait, "--lock-wait") or 0.0
