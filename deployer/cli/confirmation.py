"""Asks before something is taken away."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager

from deployer.cli.messages import printable
from deployer.cli.shown_plan import confirm_shown, to_be_shown
from deployer.errors import HeldError, UsageError
from deployer.model import Target
from deployer.plan.steps import Plan, TargetPlan


def answered_yes(question: str) -> bool:
    """Ask on standard error; whether the answer on standard input is yes. Nothing at all means no."""
    sys.stderr.write(f"{printable(question)} [y/N] ")
    sys.stderr.flush()
    return sys.stdin.readline().strip().lower() in ("y", "yes")


def confirm_deletions(
    plan: Plan,
    *,
    yes: bool,
    pause: Callable[[], AbstractContextManager[None]],
    gone_from: str = "the app file",
) -> None:
    """Ask on a terminal before objects that may hold data are deleted; raises HeldError without a `yes`.

    `pause` keeps the terminal free while the question stands. Nothing else is asked, unless the stage wants to be
    asked (`Confirm`): a deployment is wanted, or it would not have been typed. `gone_from` is what no longer has the
    objects.
    """
    doomed = [f"{key} in {target.target.region}" for target in plan.targets for key in target.deletes_data]
    what = f"this deployment deletes {', '.join(doomed)}"
    if not yes and (shown := to_be_shown(plan)):
        warning = f"{what}, which is not in {gone_from}." if doomed else ""
        confirm_shown(shown, answered_yes, pause=pause, warning=warning)
        return
    if not doomed or yes:
        return
    if not sys.stdin.isatty():
        raise HeldError(what, why=f"its manifest is not in {gone_from}", hint="add --yes if that is meant")
    with pause():
        confirmed = answered_yes(f"{what}, which is not in {gone_from}.\nDelete?")
    if not confirmed:
        raise HeldError("nothing was deployed", why="the deletion was not confirmed")


def confirm_going_back(plan: Plan, *, yes: bool, pause: Callable[[], AbstractContextManager[None]]) -> None:
    """`confirm_deletions` for what an earlier revision did not have yet."""
    confirm_deletions(plan, yes=yes, pause=pause, gone_from="the revision that comes back")


def confirm_removal(plan: Plan, *, yes: bool, pause: Callable[[], AbstractContextManager[None]]) -> None:
    """Show what goes and what stays, and ask on a terminal; raises HeldError without a `yes`."""
    doomed = [one for one in plan.targets if one.changes_anything]
    shown = [f"{one.target.application} in {one.target.environment}: {'; '.join(one.reasons)}" for one in doomed]
    lines = [
        line for title, one in zip(shown, doomed, strict=True) for line in (title, *(f"  {c}" for c in one.changes))
    ]
    lines += [f"! {warning}" for warning in dict.fromkeys(warning for one in doomed for warning in one.warnings)]
    if not yes and not sys.stdin.isatty():
        raise HeldError("nothing was removed", why="\n".join(lines), hint="add --yes if that is meant")
    with pause():
        sys.stderr.write(printable("\n".join(lines)) + "\n")
        confirmed = yes or answered_yes("Remove it?" if len(doomed) == 1 else f"Remove it from {len(doomed)} regions?")
    if not confirmed:
        raise HeldError("nothing was removed", why="it was not confirmed")


def confirm_adoption(plan: Plan, *, yes: bool, pause: Callable[[], AbstractContextManager[None]]) -> None:
    """Show what is taken over and from whom, and ask on a terminal; raises HeldError without a `yes`.

    Where nothing is taken over it is a deployment, in which deletions of data are asked for alone.
    """
    taking = [one for one in plan.targets if one.adoption.lines]
    if not taking:
        confirm_deletions(plan, yes=yes, pause=pause)
        return
    if not yes and (shown := to_be_shown(plan)):
        confirm_shown(shown, answered_yes, pause=pause)
        return
    lines = [
        line for one in taking for line in (f"{one.target.application} in {one.target.environment}:", *_indented(one))
    ]
    if not yes and not sys.stdin.isatty():
        raise HeldError("nothing was taken over", why="\n".join(lines), hint="add --yes if that is meant")
    with pause():
        sys.stderr.write(printable("\n".join(lines)) + "\n")
        confirmed = yes or answered_yes("Take it over?")
    if not confirmed:
        raise HeldError("nothing was taken over", why="it was not confirmed")


def check_force(force: bool, reason: str | None) -> None:
    """Raises UsageError for a guard that is to be overruled without anybody telling why."""
    if force and not (reason or "").strip():
        raise UsageError("--force needs a reason", where="--force", hint="--force --reason 'what others should know'")


def confirm_force(targets: Sequence[Target], *, yes: bool, pause: Callable[[], AbstractContextManager[None]]) -> None:
    """Ask on a terminal before a region is drained whatever becomes of the others; raises HeldError without a `yes`."""
    regions = ", ".join(target.region for target in targets)
    if yes:
        return
    if not sys.stdin.isatty():
        raise HeldError("nothing was drained", why="--force drains also the last healthy region", hint="add --yes")
    with pause():
        confirmed = answered_yes(f"Drain {regions} even if no healthy region is left?")
    if not confirmed:
        raise HeldError("nothing was drained", why="it was not confirmed")


def _indented(plan: TargetPlan) -> Iterator[str]:
    deleted = [f"{key}: deleted, since the app file does not have it" for key in plan.deletions]
    shown = [line for line in plan.changes if not line.endswith(": removed")]
    yield from (f"  {line}" for line in (*shown, *deleted))
