"""Runs the main job for the commands that need it: loads, deploys or plans, reports, and ends with the exit code."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import typer

from deployer.cli.choosing import Choice
from deployer.cli.confirmation import confirm_deletions
from deployer.cli.invocation import command_for
from deployer.cli.masked import masked_errors, masked_json
from deployer.cli.messages import wants_colour
from deployer.cli.output import print_answer, print_result
from deployer.cli.shown_plan import width_of
from deployer.cli.telling import telling
from deployer.cli.tracing import traced
from deployer.errors import ErrorGroup, InterruptedBySignal
from deployer.execute.everywhere import CommandFor
from deployer.model import SUCCESSES, DeploymentResult, TargetResult
from deployer.pipeline.command import CommandRequest, Conclusion, new_deployment_id
from deployer.pipeline.deployment import Deployment, Request
from deployer.pipeline.traffic import Wish
from deployer.plan.order import OnFailure

if TYPE_CHECKING:
    from deployer.wiring import Wiring


@dataclass(frozen=True)
class Asked:
    """The command line of the main job."""

    stage: str
    region: str
    applications: tuple[str, ...] = ()
    choice: Choice | None = None
    at_once: int | None = None
    expires: str | None = None
    version: str | None = None
    extra_vars: tuple[str, ...] = ()
    plan_only: bool = False
    exit_code: bool = False
    rebuild: bool = False
    yes: bool = False
    as_json: bool = False
    timeout: float | None = None
    lock_wait: float = 0.0
    waves: str | None = None
    bake: float | None = None
    on_failure: OnFailure | None = None
    drain: bool | None = None
    force: bool = False
    reason: str = ""
    hook_arguments: tuple[str, ...] = ()
    directory: Path | None = None
    verbose: bool = False


Story = Callable[[Asked, str, "Wiring"], Conclusion]
"""What a command does, given its command line, the id of its deployment, and its services."""

Requested = TypeVar("Requested", bound=CommandRequest)


def run(asked: Asked, story: Story | None = None) -> None:
    """Do it; raises typer.Exit with the exit code, or the DeployError that ended it before anything was changed.

    `story` is another command's that ends like the main job.
    """
    from deployer.wiring import Wiring

    deployment = new_deployment_id()
    with Wiring(asked.directory, deployment) as wiring:
        with traced(wiring, asked.stage) as conclude, masked_errors(wiring.mask):
            result, signalled = (story or _deploy)(asked, deployment, wiring)
            conclude(result)
        write = print_answer if asked.plan_only else print_result
        write(_report(result, asked, wiring.mask))
        raise typer.Exit(_exit_code(result, signalled, asked))


def request_for(
    kind: type[Requested], asked: Asked, deployment: str, repeat: CommandFor | None = None, **more: Any
) -> Requested:
    """What the command line asks for; `more` are the fields that this kind of request has beside all others'.

    `repeat` gives the command line for other regions, where these are not the argument after the stage.
    """
    return kind(
        deployment,
        asked.stage,
        plan_only=asked.plan_only,
        ask=not asked.yes,
        timeout=asked.timeout,
        lock_wait=asked.lock_wait,
        command_for=repeat or command_for(asked.stage, asked.region),
        **more,
    )


def deployment_for(asked: Asked, deployment: str, repeat: CommandFor | None = None, **more: Any) -> Request:
    """`request_for` a deployment, which goes through the regions in waves."""
    return request_for(
        Request, asked, deployment, repeat, waves=asked.waves, bake=asked.bake, on_failure=asked.on_failure, **more
    )


def _deploy(asked: Asked, deployment: str, wiring: Wiring) -> Conclusion:
    with telling(wiring, asked.stage, verbose=asked.verbose) as (shown, sink):
        selection = (asked.choice or Choice(asked.applications)).selection(wiring, asked.version, asked.extra_vars)
        loaded = wiring.load_selected(asked.stage, asked.region, selection, asked.version, asked.extra_vars, sink)
        request = deployment_for(
            asked,
            deployment,
            rebuild=asked.rebuild,
            traffic=Wish(asked.drain, asked.force, asked.reason),
            hook_arguments=asked.hook_arguments,
            at_once=asked.at_once,
            expires=asked.expires,
        )
        confirm = partial(confirm_deletions, yes=asked.yes, pause=shown.paused)
        return Deployment(request, loaded, wiring, sink, confirm).run()


def _report(result: DeploymentResult, asked: Asked, mask: Callable[[str], str]) -> str:
    if asked.as_json:
        from deployer.report.document import json_document

        return masked_json(json_document(result), mask)
    from deployer.report.terminal import terminal_lines

    lines = terminal_lines(result, colour=wants_colour(sys.stdout), width=width_of(sys.stdout))
    return mask("\n".join(["", *lines] if sys.stdout.isatty() and sys.stderr.isatty() else lines))


def _exit_code(result: DeploymentResult, signalled: InterruptedBySignal | None, asked: Asked) -> int:
    """As the contract documents it: the signal's, else the worst of the targets', else 3 for changes where asked."""
    if signalled is not None:
        return signalled.exit_code
    failed = [target for target in result.targets if target.error is not None]
    if failed and all(target.outcome in SUCCESSES for target in failed):
        return ErrorGroup([target.error for target in failed if target.error]).exit_code  # its DNS was not written
    if failed:
        untouched = all(_untouched(target) for target in result.targets)
        return ErrorGroup([target.error for target in failed if target.error]).exit_code if untouched else 1
    if asked.exit_code and any(target.outcome == "planned" for target in result.targets):
        return 3
    return 0


def _untouched(target: TargetResult) -> bool:
    """Whether nothing was done to a target: then it is its error that counts, and not that a deployment failed."""
    if target.outcome == "planned":
        return True
    if target.error is None:
        return target.outcome == "unchanged"
    return target.outcome == "not started" or (target.outcome == "failed" and target.revision is None)
