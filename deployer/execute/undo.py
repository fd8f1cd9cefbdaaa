"""What happens when an attempt has failed: its evidence is kept first, then the region goes back to what was good."""

from __future__ import annotations

from contextlib import suppress

from deployer.errors import DeployError, DeploymentFailed
from deployer.execute.adoption import give_back, giving_back, has_taken
from deployer.execute.attempt import Attempt
from deployer.execute.dns.managed import give_old_check_back
from deployer.execute.dns.withdrawing import leave_dns
from deployer.execute.evidence import collect
from deployer.execute.removal import uninstall
from deployer.model import Ending, Evidence, Outcome, TargetResult
from deployer.plan.revisions import last_complete

_SHORT = 60.0
"""Seconds for Helm's own part of a way back: it waits for no pods."""


def fail(attempt: Attempt, error: DeployError) -> TargetResult:
    """The result of an attempt that ended in an error, once the region is back where it was."""
    if attempt.lost:
        return attempt.result("failed", error)
    stopped = attempt.stopping.is_set()
    if stopped and attempt.work.plan.release_action == "verify":
        error.hint = f"nothing was changed: {attempt.work.recovery} looks again"
        return attempt.result("interrupted", error)
    evidence = None if stopped else _evidence(attempt)  # a container that hangs would keep us from going back in time
    recovery = f"{attempt.work.recovery} repairs what is left, and so does the next deployment"
    try:
        failed = _left_behind(attempt)
    except DeployError as trouble:
        error.hint = f"whether something of it is left cannot be seen: {trouble}\n{recovery}"
        return attempt.result("interrupted" if stopped else "failed", error, evidence)
    if failed is None:
        return attempt.result("not started" if stopped else "failed", error, evidence)
    attempt.revision = failed
    outcome, left = _go_back(attempt)
    if outcome != "uninstalled":
        _write_down(attempt, failed)
    if left is not None:
        error.hint = f"{left}\n{recovery}"
    elif stopped and outcome == "uninstalled":
        error.hint = "it was taken away again, since there was nothing good to go back to"
    elif outcome == "interrupted":
        error.hint = f"the way back was begun and not awaited: {attempt.work.recovery} sees to the rest"
    return attempt.result("interrupted" if attempt.stopping.is_set() else outcome, error, evidence)


def revert(attempt: Attempt, why: str) -> TargetResult:
    """Take back an attempt that had succeeded, since another region has failed."""
    error = DeploymentFailed(f"{attempt.work.target.region} was taken back", why=why)
    try:
        attempt.mark(verified=False, ended="reverted")
    except DeployError as trouble:
        error.hint = f"it could not be rolled back: {trouble}"
        return attempt.result("failed", error)
    outcome, left = _go_back(attempt)
    if left is not None:
        error.hint = left
    return attempt.result(outcome, error)


def _evidence(attempt: Attempt) -> Evidence | None:
    """What the cluster shows of the failure, taken before anything is rolled back."""
    if attempt.revision is None and not attempt.workloads:
        return None
    with attempt.phases("evidence"):
        return collect(attempt.work.ports.cluster, attempt.work.namespace, attempt.workloads)


def _left_behind(attempt: Attempt) -> int | None:
    """The revision that a failed change has made; None when it has made none."""
    if attempt.revision is not None:
        return attempt.revision
    work = attempt.work
    revisions = work.ports.releases.revisions(work.app.app_name, work.namespace)
    return revisions[0].number if revisions and revisions[0].deployment_id == work.record.deployment_id else None


def _write_down(attempt: Attempt, revision: int) -> None:
    """Keep with the revision how the attempt at it ended; history is worth no failure of its own."""
    work = attempt.work
    with suppress(DeployError):
        attempt.about_to_change()
        ended: Ending = "interrupted" if attempt.stopping.is_set() else "failed"
        work.ports.releases.mark(work.app.app_name, work.namespace, revision, verified=False, ended=ended)


def _go_back(attempt: Attempt) -> tuple[Outcome, str | None]:
    """Back to the last good revision, else to one that was complete, or away with it where there was none.

    Also what could not be done, if anything. Only a first installation is ever taken away.
    """
    work, plan = attempt.work, attempt.work.plan
    releases, name = work.ports.releases, work.app.app_name
    back_to = plan.good_revision or plan.foreign_revision
    if back_to is None and plan.rollback_to is not None:
        return "failed", f"it was left as it is: what ran before (revision {plan.current_revision}) was not good either"
    try:
        attempt.about_to_change()
        stored = releases.revisions(name, work.namespace)
        if back_to is None and has_taken(stored):
            return give_back(attempt, stored)
        if back_to is None:
            older = [one for one in stored if attempt.revision is None or one.number < attempt.revision]
            complete = last_complete(older)
            back_to = complete.number if complete else None
            if complete is None and stored and stored[-1].number > 1:
                return "failed", "it was left as it is: of what ran before, no revision is left to return to"
        if back_to is None:
            leave_dns(attempt)
            attempt.about_to_change()  # clients were waited for
            with attempt.phases("uninstall") as phase:
                kept = uninstall(work, stored, timeout=_SHORT)
                phase.detail = "; ".join(filter(None, ("there was no good revision to return to", kept)))
            attempt.revision = None
            return "uninstalled", None
        with attempt.phases("rollback") as phase:
            old = next((one for one in stored if one.number == back_to), None)
            record = work.record.restoring(old) if old else None
            with giving_back(attempt, stored, back_to):
                attempt.revision = releases.rollback(name, work.namespace, back_to, timeout=_SHORT, record=record)
            give_old_check_back(attempt)
            phase.detail = f"to revision {back_to}, as revision {attempt.revision}"
            if attempt.stopping.is_set():
                return "interrupted", None
            return _await_old_revision(attempt, back_to)
    except DeployError as error:
        return "failed", f"the rollback failed too: {error}"


def _await_old_revision(attempt: Attempt, back_to: int) -> tuple[Outcome, str | None]:
    """Watch the old revision come back; it is good again only once it is ready."""
    work = attempt.work
    stored = work.ports.releases.revisions(work.app.app_name, work.namespace)
    objects = next((revision.objects() for revision in stored if revision.number == attempt.revision), ())
    result = attempt.watch(objects, min(work.timeout, 300.0), remove=work.ports.cluster.delete)
    if result.ended == "stopped":
        return "interrupted", None
    if not result.ready:
        return "failed", f"rolled back to revision {back_to}, which does not become ready: {result.reason}"
    if work.plan.good_revision == back_to:
        attempt.mark(verified=True)
    return "rolled back", None
