"""A region's traffic around an attempt at it: led away before its release is changed, and back once it is healthy."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from deployer.errors import DeployError, DeploymentFailed, UnreachableError
from deployer.execute.attempt import Attempt
from deployer.execute.drain import Standing, Traffic
from deployer.execute.outside import wait_until_healthy
from deployer.execute.ports import Probe
from deployer.model import TargetResult
from deployer.model.dns import HealthStatus
from deployer.model.drain import Absence, Drain

_FORGOTTEN = 120
"""Seconds after which a drain that an interrupted run has left is known to all clients."""


class DnsTrouble(DeploymentFailed):
    """What was deployed is well as we see it, but its region could not be put back into DNS, or Route 53 not asked."""


def lead_away(attempt: Attempt, *, drain: bool = True) -> None:
    """Before the first change: drain the region where that is wanted; a drain that a dead run has left becomes ours.

    Raises HeldError when the guard refuses, but for a rollback, which goes on whatever Route 53 says.
    """
    traffic = attempt.work.traffic
    if traffic is None:
        return
    left = _left_by_a_run(attempt, traffic)
    if attempt.kept_drain is not None or not drain or not (left or traffic.drain):
        return
    with attempt.phases("drain") as phase:
        try:
            phase.detail = _wait_for_the_last(attempt, traffic) if left else _drain(attempt, traffic)
        except DeployError as error:
            if not traffic.optional or attempt.stopping.is_set() or attempt.lost:
                raise
            attempt.warn(f"{error}; a rollback goes on without")
            phase.detail = "not drained"


def _drain(attempt: Attempt, traffic: Traffic) -> str:
    """Drain the region, if there is another one; how that went."""
    gate = traffic.gate
    attempt.stop_if_asked()
    standing = gate.look()
    if standing is None or not standing.others:
        why = "no other region has a record" if standing else "it has no record with a health check"
        attempt.warn(f"{attempt.work.target.region} is not drained: {why} of {gate.place.host}")
        return "not drained"
    attempt.about_to_change()
    try:
        made = gate.drain(traffic.reason, forced=traffic.forced, stop=attempt.stopping)
    except DeployError:
        _look_for_ours(attempt, traffic)
        raise
    attempt.absence = Absence(_time(made.since))
    return gate.wait_until_left(attempt.stopping)


def _wait_for_the_last(attempt: Attempt, traffic: Traffic) -> str:
    """A drain that was just made when its run died may not have reached all clients."""
    age = (datetime.now(UTC) - attempt.absence.since).total_seconds() if attempt.absence else _FORGOTTEN
    return traffic.gate.wait_until_left(attempt.stopping) if age < _FORGOTTEN else "drained before"


def lead_back(attempt: Attempt, *, agreed: bool = False) -> None:
    """After the region was seen healthy from outside: back into DNS, and have Route 53's checkers agree.

    `agreed`: they have done so since the change, and are not asked again about a region that was not out.
    Raises DnsTrouble when it cannot be put back or Route 53 cannot be asked, DeploymentFailed when the checkers do not
    agree.
    """
    traffic = attempt.work.traffic
    if traffic is None:
        return
    was_out = attempt.absence is not None
    if not (was_out or (traffic.judged and not agreed)) or attempt.kept_drain is not None:
        return
    before = _seen_by_checkers(attempt, traffic) if attempt.work.host else HealthStatus()
    if was_out:
        if attempt.work.host is None:
            raise DnsTrouble("nothing answers from outside", where=attempt.work.place, why="no Ingress serves the host")
        _restore(attempt, traffic)
    if attempt.work.host is None:
        return
    with attempt.phases("checkers") as phase:
        try:
            phase.detail = traffic.gate.agree(before, attempt.stopping)
        except UnreachableError as error:
            raise DnsTrouble(
                f"Route 53's checkers could not be asked about {attempt.work.target.region}",
                where=error.where,
                why=str(error),
                hint="what was deployed is well as seen from here, and stays",
            ) from None


def settle(attempt: Attempt, clock: Callable[[], float] = time.monotonic) -> TargetResult:
    """Where nothing else is to be done: end the drain that a dead run has left, once the region is healthy."""
    traffic = attempt.work.traffic
    if traffic is None or attempt.lock is None:
        return attempt.unchanged()
    try:
        if _left_by_a_run(attempt, traffic):
            if not _is_healthy(attempt, clock):
                return _still_drained(attempt, attempt.result("failed", _unwell(attempt)))
            _restore(attempt, traffic)
        _tidy(attempt, traffic)
    except DeployError as error:
        return _still_drained(attempt, attempt.result("failed", error))
    result = replace(attempt.unchanged(), phases=tuple(attempt.phases.timings), absence=attempt.absence)
    return replace(result, outcome="repaired") if attempt.absence is not None else result


def is_left(traffic: Traffic | None) -> bool:
    """Whether a run may have left a drain, or the lock of drains: to be looked at anew once the region is ours.

    Raises DeployError where Route 53 cannot be asked although the settings name it.
    """
    if traffic is None:
        return False
    try:
        standing = traffic.gate.look()
        drain = standing.drain if standing else None
        return (drain is not None and not drain.kept) or (standing is not None and traffic.gate.is_locked())
    except DeployError:
        if traffic.lenient:
            return False
        raise


def after_failure(attempt: Attempt, result: TargetResult, clock: Callable[[], float] = time.monotonic) -> TargetResult:
    """The result of a failed attempt, once its region is back where that can be: what runs now must be healthy.

    A region that is not seen healthy stays drained, and the result says how it is put back.
    """
    traffic = attempt.work.traffic
    if traffic is None or attempt.absence is None or attempt.absence.until is not None:
        return replace(result, absence=attempt.absence)
    untouched = result.outcome in ("not started", "failed") and attempt.revision is None
    if not attempt.lost and (untouched or result.outcome == "rolled back"):
        try:
            healthy = _answers_now(attempt) if attempt.stopping.is_set() else _is_healthy(attempt, clock)
            if healthy:
                _restore(attempt, traffic)
                return replace(result, absence=attempt.absence, phases=tuple(attempt.phases.timings))
        except DeployError as error:
            attempt.warn(f"{attempt.work.target.region} could not be put back into DNS: {error}")
    return _still_drained(attempt, result)


def _left_by_a_run(attempt: Attempt, traffic: Traffic) -> bool:
    """Whether the region is drained by a run that is no more: we hold the lock that it would have."""
    try:
        standing = traffic.gate.look()
    except DeployError as error:
        if not traffic.lenient:
            raise
        attempt.warn(f"whether {attempt.work.target.region} is drained cannot be seen: {error}")
        return False
    drain = standing.drain if standing else None
    if drain is None:
        return False
    if drain.kept:
        attempt.kept_drain = drain
        attempt.warn(
            f"{attempt.work.target.region} is drained {drain}, and stays so",
        )
        return False
    attempt.repaired(f"{attempt.work.target.region} was drained {drain}")
    attempt.absence = Absence(_time(drain.since))
    return True


def _look_for_ours(attempt: Attempt, traffic: Traffic) -> None:
    """After a drain that failed halfway: whether it was made all the same, so that it is ended."""
    try:
        standing: Standing | None = traffic.gate.look()
    except DeployError:
        attempt.absence = Absence(datetime.now(UTC))  # for all we know
        return
    drain: Drain | None = standing.drain if standing else None
    if drain is not None and drain.deployment_id == attempt.work.record.deployment_id:
        attempt.absence = Absence(_time(drain.since))


def _seen_by_checkers(attempt: Attempt, traffic: Traffic) -> HealthStatus:
    try:
        return traffic.gate.snapshot()
    except DeployError as error:
        attempt.warn(f"what Route 53's checkers saw before is not known: {error}")
        return HealthStatus()


def _restore(attempt: Attempt, traffic: Traffic) -> None:
    """Raises DnsTrouble when it cannot be done."""
    with attempt.phases("restore") as phase:
        try:
            attempt.about_to_change()
            traffic.gate.restore()
        except DeployError as error:
            raise DnsTrouble(
                f"{attempt.work.target.region} could not be put back into DNS", where=error.where, why=str(error)
            ) from None
        if attempt.absence is not None:
            attempt.absence = replace(attempt.absence, until=datetime.now(UTC))
        phase.detail = "back" if attempt.stopping.is_set() else traffic.gate.wait_until_back(attempt.stopping)


def _tidy(attempt: Attempt, traffic: Traffic) -> None:
    """A lock of drains that a killed run has left."""
    try:
        if traffic.gate.tidy(attempt.stopping):
            attempt.repaired(f"took away the lock of drains of {traffic.gate.place.host}")
    except DeployError as error:
        if not traffic.lenient:
            raise
        attempt.warn(str(error))


def _is_healthy(attempt: Attempt, clock: Callable[[], float]) -> bool:
    """Whether the regional host answers well for as long as its health check wants it to."""
    work = attempt.work
    if work.host is None:
        return False
    with attempt.phases("outside check"):
        try:
            wait_until_healthy(
                work.ports.prober,
                work.host,
                work.health,
                work.entry_point(work.host),
                stop=attempt.stopping,
                clock=clock,
            )
        except DeploymentFailed:
            return False
    return True


def _answers_now(attempt: Attempt) -> bool:
    """The same in the little time that a signal leaves, where nothing was changed."""
    work = attempt.work
    if work.url is None or work.host is None:
        return False
    address = work.entry_point(work.host)()
    probe = Probe(work.url, connect_to=address, search_string=work.health.search_string, timeout=3.0)
    return address is not None and work.ports.prober.ask(probe) is None


def _unwell(attempt: Attempt) -> DeploymentFailed:
    return DeploymentFailed(
        f"{attempt.work.target.region} is not healthy, and stays drained", where=attempt.work.url or attempt.work.place
    )


def _still_drained(attempt: Attempt, result: TargetResult) -> TargetResult:
    error = result.error
    if error is not None:
        told = f"{attempt.work.target.region} stays drained: {attempt.work.recovery} puts it back once it is healthy"
        error.hint = f"{error.hint}\n{told}" if error.hint else told
    return replace(result, absence=attempt.absence, phases=tuple(attempt.phases.timings))


def _time(text: str) -> datetime:
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return datetime.now(UTC) - timedelta(seconds=_FORGOTTEN)
    return found if found.tzinfo else found.replace(tzinfo=UTC)
