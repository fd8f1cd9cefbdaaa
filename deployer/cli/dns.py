"""`deploy dns …`: an app's health checks and latency records in Route 53."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from deployer.cli.dns_drain import drain, restore
from deployer.cli.options import Applications, AsJson, Debug, Directory, Region, Stage, Verbose, Yes
from deployer.errors import DeployError, HeldError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from deployer.cli.display import Display
    from deployer.pipeline.dns import DnsCommand, DnsResult
    from deployer.wiring import Wiring

app = typer.Typer(add_completion=False, rich_markup_mode=None, no_args_is_help=True)


@app.callback()
def dns() -> None:
    """Route 53: health checks on the regional hosts, latency records that lead clients to the nearest healthy one."""


@app.command()
def plan(
    stage: Stage,
    region: Region,
    applications: Applications,
    exit_code: Annotated[bool, typer.Option("--exit-code", help="Exit with 3 when anything would change.")] = False,
    as_json: AsJson = False,
    directory: Directory = None,
    verbose: Verbose = False,
    debug: Debug = False,
) -> None:
    """Show what would be changed in Route 53, and change nothing."""
    with _command(stage, region, applications, directory, verbose) as (command, _, wiring):
        result = command.planned(command.survey())
    _tell(result, as_json, wiring.mask)
    if result.errors:
        raise _failed(result.errors, wiring.mask)
    raise typer.Exit(3 if exit_code and result.changes_anything else 0)


@app.command()
def apply(
    stage: Stage,
    region: Region,
    applications: Applications,
    prune: Annotated[
        bool, typer.Option("--prune", help="Delete also what is left of regions that the app no longer has.")
    ] = False,
    adopt: Annotated[bool, typer.Option("--adopt", help="Take over records that somebody else has made.")] = False,
    yes: Yes = False,
    as_json: AsJson = False,
    directory: Directory = None,
    verbose: Verbose = False,
    debug: Debug = False,
) -> None:
    """Make Route 53 lead clients to the app: hosts first, then health checks, then records of what answers."""
    from deployer.cli.invocation import command_for

    with _command(stage, region, applications, directory, verbose) as (command, shown, wiring):
        found = command.survey()
        taken = [conflict for each in found.regions for conflict in each.conflicts]
        if adopt:
            found = found.planned(adopt=True)
        command.refuse(found, command_for(stage, region))
        left = [line for each in found.plans.values() for line in each.leftovers.lines] if prune else []
        _confirm(taken if adopt else [], left, yes, shown, wiring.mask)
        result = command.apply(found, adopt=adopt, prune=prune)
    _tell(result, as_json, wiring.mask)
    if result.errors:
        raise _failed(result.errors, wiring.mask)


@app.command()
def status(
    stage: Stage,
    region: Region,
    applications: Applications,
    as_json: AsJson = False,
    directory: Directory = None,
    verbose: Verbose = False,
    debug: Debug = False,
) -> None:
    """Show how clients are led to an app: records, health as Route 53's checkers see it, who has drained what."""
    with _command(stage, region, applications, directory, verbose) as (command, _, wiring):
        found = command.status()
    if as_json:
        from deployer.report.dns import traffic_document

        _print_document(traffic_document(stage, found), wiring.mask)
    else:
        from deployer.report.dns import traffic_lines

        _print_lines(traffic_lines(found), wiring.mask)
    if errors := [(one.target, one.error) for one in found if one.error is not None]:
        raise _failed(errors, wiring.mask)


app.command()(drain)
app.command()(restore)


@contextmanager
def _command(
    stage: str, region: str, applications: list[str], directory: Path | None, verbose: bool
) -> Iterator[tuple[DnsCommand, Display, Wiring]]:
    """The command with its targets loaded; errors leave it masked."""
    from deployer.cli.masked import masked_errors
    from deployer.cli.telling import telling
    from deployer.pipeline.dns import DnsCommand
    from deployer.wiring import Wiring

    with (
        Wiring(directory, "") as wiring,
        masked_errors(wiring.mask),
        telling(wiring, stage, verbose=verbose) as (shown, sink),
    ):
        configurations = wiring.load(stage, region, applications, None, (), sink, manifests=False)
        yield DnsCommand(stage, configurations, wiring, sink), shown, wiring


def _confirm(taken: list[str], left: list[str], yes: bool, shown: Display, mask: Callable[[str], str]) -> None:
    """Ask on a terminal before anything is taken over or deleted; raises HeldError without a `yes`."""
    from deployer.cli.confirmation import answered_yes
    from deployer.cli.messages import printable

    lines = [*(f"take over: {line}" for line in taken), *(f"delete: {line}" for line in left)]
    if not lines or yes:
        return
    text = mask("\n".join(lines))
    if not sys.stdin.isatty():
        raise HeldError("nothing was changed", why=text, hint="add --yes if that is meant")
    with shown.paused():
        sys.stderr.write(printable(text) + "\n")
        confirmed = answered_yes("Go on?")
    if not confirmed:
        raise HeldError("nothing was changed", why="it was not confirmed")


def _tell(result: DnsResult, as_json: bool, mask: Callable[[str], str]) -> None:
    from deployer.report.dns import plan_document, plan_lines

    if as_json:
        document = plan_document(
            result.stage, result.plans, result.errors, applied=result.applied, pruned=result.pruned
        )
        _print_document(document, mask, done=result.applied)
    elif result.plans:
        _print_lines(plan_lines(result.plans, result.errors, pruned=result.pruned), mask, done=result.applied)


def _print_document(document: dict[str, Any], mask: Callable[[str], str], *, done: bool = False) -> None:
    from deployer.cli.masked import masked_json
    from deployer.cli.output import print_answer, print_result

    write = print_result if done else print_answer
    write(masked_json(document, mask))


def _print_lines(lines: Iterable[str], mask: Callable[[str], str], *, done: bool = False) -> None:
    from deployer.cli.output import print_answer, print_result

    write = print_result if done else print_answer
    if text := "\n".join(lines):
        write(mask(text))


def _failed(errors: Iterable[tuple[object, DeployError]], mask: Callable[[str], str]) -> typer.Exit:
    """Tell the errors, each once; how to end."""
    from deployer.cli.masked import show_errors

    leaves = {id(leaf): leaf for _, error in errors for leaf in error.leaves()}
    distinct = {(type(leaf), str(leaf), leaf.hint): leaf for leaf in leaves.values()}
    return typer.Exit(show_errors(list(distinct.values()), mask))
