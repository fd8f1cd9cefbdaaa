"""`deploy sandbox …`: the stage `local`, three regional clusters and an AWS on this machine."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from deployer.cli.options import AsJson, Debug, Directory, Verbose
from deployer.cli.output import print_result
from deployer.errors import UsageError
from deployer.report.words import duration

if TYPE_CHECKING:
    from deployer.sandbox.sandbox import UpResult
    from deployer.sandbox.status import PartStatus, SandboxStatus

app = typer.Typer(add_completion=False, rich_markup_mode=None, no_args_is_help=True)


@app.callback()
def sandbox() -> None:
    """The stage `local`: three regional clusters and an AWS on this machine."""


@app.command()
def up(directory: Directory = None, as_json: AsJson = False, verbose: Verbose = False, debug: Debug = False) -> None:
    """Start the sandbox, or repair it; with nothing to do, it only looks.

    Needs root. What is missing is built or installed first, once per machine (about 17 minutes).
    """
    from deployer.cli.display import display
    from deployer.sandbox.sandbox import up

    with display(verbose=verbose) as sink:
        result = up(sink, _repository_root(directory))
    _report_up(result, as_json)


@app.command()
def down(as_json: AsJson = False, verbose: Verbose = False, debug: Debug = False) -> None:
    """Stop the sandbox and leave nothing behind; what its clusters and registries hold is kept."""
    from deployer.cli.display import display
    from deployer.sandbox.sandbox import down

    with display(verbose=verbose) as sink:
        result = down(sink)
    if as_json:
        print_result(json.dumps(asdict(result), indent=2))
    elif result.ended:
        print_result(f"The sandbox is down: {len(result.ended)} processes ended in {duration(result.seconds)}.")
    else:
        print_result("The sandbox was not running.")


@app.command()
def reset(directory: Directory = None, as_json: AsJson = False, verbose: Verbose = False, debug: Debug = False) -> None:
    """Begin afresh: forget what the clusters and registries hold, and start them again."""
    from deployer.cli.display import display
    from deployer.sandbox.sandbox import reset

    with display(verbose=verbose) as sink:
        result = reset(sink, _repository_root(directory))
    _report_up(result, as_json)


@app.command()
def status(as_json: AsJson = False, debug: Debug = False) -> None:
    """Show every part: running, its process, its address, and whether it is well. Exit code 1 when one is broken."""
    from deployer.sandbox.status import status

    found = status()
    print_result(json.dumps(asdict(found), indent=2) if as_json else "\n".join(_status_lines(found)))
    if found.state == "broken":
        raise typer.Exit(1)


@app.command()
def slack(as_json: AsJson = False, debug: Debug = False) -> None:
    """Show what the sandbox's Slack received, oldest first."""
    from deployer.sandbox.layout import SLACK_ENDPOINT
    from deployer.sandbox.slack import messages
    from deployer.sandbox.slack_server import plain_text

    found = messages()
    if as_json:
        print_result(json.dumps(found, indent=2))
        return
    for message in found:
        indent = "    " if message.get("thread_ts") else ""
        print_result(f"{indent}{message.get('channel', 'webhook')}  (updated {_times(len(message['history']))})")
        print_result("\n".join(f"{indent}  {line}" for line in plain_text(message).splitlines()))
    print_result(f"{len(found)} message{'s' if len(found) != 1 else ''}; as a page: {SLACK_ENDPOINT}/")


def _repository_root(directory: Path | None) -> Path | None:
    """The deployment repository, None outside of one: the sandbox runs without it, too."""
    from deployer.config.repository import Repository

    try:
        return Repository.find(Path.cwd(), directory).root
    except UsageError:
        if directory is not None:
            raise
        return None


def _report_up(result: UpResult, as_json: bool) -> None:
    if as_json:
        print_result(json.dumps(asdict(result), indent=2))
        return
    from deployer.sandbox.layout import REGIONS, SLACK_ENDPOINT

    said = f"{len(result.started)} processes started in" if result.started else "was up already, looked at in"
    print_result(f"The sandbox is up ({said} {duration(result.seconds)}).")
    for region in REGIONS:
        print_result(
            f"  {region.name:<9} http://{region.ingress}  (send the app's host name)  registry {region.registry}"
        )
    print_result(f"  slack     {SLACK_ENDPOINT}/")
    print_result(_dns_line())
    if result.written:
        print_result(f"Written: {', '.join(result.written)}")


def _status_lines(found: SandboxStatus) -> list[str]:
    lines = [f"The sandbox is {found.state}." if found.state != "never started" else "The sandbox was never started."]
    if found.state != "never started":
        lines += _table(found.parts)
        if any(part.name == "dns" and part.healthy for part in found.parts):
            lines.append(_dns_line())
        lines.append(f"memory {found.memory / 1e6:.0f} MB in all; logs in {found.directory}/logs")
    broken = [part for part in found.parts if not part.healthy]
    if found.state == "broken":
        lines += [f"  {part.name}: {part.reason}" for part in broken]
        lines.append("`deploy sandbox up` repairs it.")
    elif found.state != "up":
        lines.append("`deploy sandbox up` starts it.")
    return lines


def _dns_line() -> str:
    """How to ask the simulated Route 53, as a client near the first region does."""
    from deployer.sandbox.layout import DNS_DOMAIN, DNS_PORT, REGIONS, SHARED_ADDRESS

    home = REGIONS[0]
    asked = f"dig -b {home.address} @{SHARED_ADDRESS} -p {DNS_PORT} myapp.{DNS_DOMAIN}"
    return f"  dns       {asked}  (as from {home.name}; Route 53 is simulated)"


def _table(parts: Sequence[PartStatus]) -> list[str]:
    rows: list[tuple[Any, ...]] = [("region", "part", "state", "pid", "memory", "address")]
    for part in parts:
        state = "well" if part.healthy else "broken" if part.running else "not running"
        memory = f"{part.memory / 1e6:.0f} MB" if part.memory else ""
        rows.append((part.region or "", part.kind, state, part.pid or "", memory, part.address))
    widths = [max(len(str(row[column])) for row in rows) for column in range(len(rows[0]))]
    return ["  ".join(str(cell).ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count} times"
