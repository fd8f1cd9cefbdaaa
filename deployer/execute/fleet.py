"""One app on its way through its regions: locks in one order, then wave by wave; each region's result is kept.

lock       every region in which something is to be done, in the order of their names, so that no two fleets block each
           other; whoever waited for a lock looks at the release again, since it has moved on
waves      see `waves`
release    the locks, whatever happened
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from threading import Event, Thread
from time import monotonic

from deployer.errors import DeployError, DeploymentFailed, HeldError, InterruptedBySignal
from deployer.events import LockAwaited, Sink
from deployer.execute.attempt import Attempt
from deployer.execute.everywhere import ask_all
from deployer.execute.parallel import Outcome, run_all
from deployer.execute.ports import HeldLock
from deployer.execute.schedule import Turns, in_turn
from deployer.execute.waves import Waves
from deployer.execute.work import Work
from deployer.model import SUCCESSES, Holder, Target, TargetResult
from deployer.plan.diff.preview import same_basis
from deployer.plan.order import Order

AT_ONCE = 8
"""Apps that are deployed at a time, unless somebody asks for another number."""

_LOCKS_BACK = 2.0
"""Seconds for giving locks back once the waiting for a fleet was given up."""


@dataclass(frozen=True)
class Member:
    """A region's work, and how to plan it again when the release has moved on since.

    `always`: it is locked and planned again even where nothing seems to have changed or to be done.
    """

    work: Work
    again: Callable[[], Work]
    always: bool = False


class Fleet:
    """One app in all regions of a command. `lock_wait` is how many seconds to wait for each lock.

    `results` grows as regions end, so that nothing is lost when the waiting for the others is given up.
    """

    def __init__(
        self, members: Sequence[Member], order: Order, sink: Sink, holder: Holder, *, lock_wait: float = 0.0
    ) -> None:
        self._members = sorted(members, key=lambda member: member.work.target)
        self._sink = sink
        self._holder = holder
        self._lock_wait = lock_wait
        self._stopping = Event()
        self._attempts = [Attempt(member.work, sink) for member in self._members]
        self.results: dict[Target, TargetResult] = {}
        self._waves = Waves(self._attempts, order, self.results, sink)

    @property
    def works(self) -> list[Work]:
        """The work of each region, as it was planned last."""
        return [attempt.work for attempt in self._attempts]

    @property
    def application(self) -> str:
        """The app that it is about."""
        return self._members[0].work.target.application

    def succeeds(self) -> bool:
        """`run`, and whether every region ended as asked."""
        self.run()
        return all(one.outcome in SUCCESSES and one.error is None for one in self.results.values())

    def refuse(self, why: str) -> None:
        """Its turn does not come: every region's result says why."""
        error = DeploymentFailed(f"{self.application} was not begun", why=why)
        for work in self.works:
            self.results.setdefault(work.target, work.result("not started", error=error))

    def run(self) -> None:
        """Everything; `results` has an entry for each target afterwards. Raises nothing but defects."""
        try:
            for attempt, member in zip(self._attempts, self._members, strict=True):
                if member.always or attempt.work.plan.changes_region:
                    attempt.lock = self._take_lock(attempt)
                    _tell_of_holder(attempt, attempt.lock)
            self._look_again()
            self._waves.run()
        except DeployError as error:  # nothing has been changed: every region ends for the same reason
            for work in self.works:
                self.results.setdefault(work.target, work.result("not started", error=error))
        finally:
            self._release(self._attempts)

    def _release(self, attempts: Sequence[Attempt], patience: float | None = None) -> None:
        threads = [Thread(target=one.lock.release, daemon=True) for one in attempts if one.lock is not None]
        for thread in threads:
            thread.start()
        deadline = None if patience is None else monotonic() + patience
        for thread in threads:
            thread.join(None if deadline is None else max(0.0, deadline - monotonic()))

    def leave(self, *, at_once: bool) -> None:
        """Stop waiting for it: what still runs changes nothing more, and the regions in which nothing runs are freed.

        The locks of the others are left to expire, since nobody knows what still happens there.
        """
        for attempt in self._attempts:
            attempt.abandon()
        if not at_once:
            self._release([attempt for attempt in self._attempts if not attempt.busy], _LOCKS_BACK)

    def result(self, attempt: Attempt, outcome: Outcome[None]) -> TargetResult:
        """What is known of a region by now; `outcome` is what the fleet as a whole came to."""
        work = attempt.work
        if known := self.results.get(work.target):
            return known
        if not outcome.finished and not attempt.begun:
            error = DeploymentFailed(f"{work.target.region} was not begun", why="it was stopped before its turn")
            return work.result("not started", error=error)
        unknown: Outcome[TargetResult] = Outcome()
        unknown.error = outcome.error
        return work.result_of(unknown)

    @property
    def attempts(self) -> Sequence[Attempt]:
        """One for each region."""
        return self._attempts

    def interrupt(self) -> None:
        """No new step begins; running ones are asked to end. Callable from any thread."""
        self._stopping.set()
        self._waves.stop()
        for attempt in self._attempts:
            attempt.stop()

    def _take_lock(self, attempt: Attempt) -> HeldLock:
        work = attempt.work
        try:
            return work.ports.locks.acquire(
                work.app.app_name,
                work.namespace,
                self._holder,
                wait=self._lock_wait,
                waiting=lambda state: self._sink.emit(LockAwaited(work.target, state)),
                lost=attempt.lose,
                stop=self._stopping,
            )
        except HeldError as error:
            error.where = error.where or work.place
            raise

    def _look_again(self) -> None:
        """Plan anew what has moved on since it was observed: somebody else had the lock in between."""
        ask_all(
            [
                (attempt.work.target, partial(_renew, attempt, member))
                for attempt, member in zip(self._attempts, self._members, strict=True)
                if attempt.lock is not None
            ]
        )


def _tell_of_holder(attempt: Attempt, lock: HeldLock) -> None:
    """Whose lock we took over, if somebody's."""
    if lock.taken_over is not None:
        holder = lock.taken_over.holder
        whose = f"of {holder}" if holder else "of another tool"
        why = "whose process has ended" if lock.taken_over.alive is False else "which had expired"
        attempt.repaired(f"took over the lock {whose}, {why}")


def _renew(attempt: Attempt, member: Member) -> None:
    work = attempt.work
    if not member.always and work.plan.release_action != "none":  # a release that goes has no new one
        revisions = work.ports.releases.revisions(work.app.app_name, work.namespace)
        if (revisions[0].number if revisions else None) == work.plan.current_revision:
            return
    renewed = member.again()
    if not set(renewed.plan.deletes_data) <= set(work.plan.deletes_data):
        raise HeldError(
            f"{work.app.app_name} has changed meanwhile, and going on would now delete data",
            where=work.place,
            hint="run the same command again: it shows what would be deleted",
        )
    shown, now = work.plan.preview, renewed.plan.preview
    if shown is not None and now is not None and not same_basis(shown, now):
        raise HeldError(
            f"{work.app.app_name} has changed meanwhile, and what would be done now is not what was shown",
            where=work.place,
            hint="run the same command again: it shows what would be changed",
        )
    attempt.work = renewed


def run_fleets(
    fleets: Sequence[Fleet], needs: Mapping[str, Sequence[str]] | None = None, *, at_once: int = AT_ONCE
) -> tuple[dict[Target, TargetResult], InterruptedBySignal | None]:
    """Run all fleets, `at_once` at a time; every target's result, and the signal that came, if one did.

    `needs`: app → apps whose fleets must have ended well before its own begins. A fleet that does not end soon after a
    signal is left behind with the results that it has by then.
    """
    turns = Turns([fleet.application for fleet in fleets], needs or {}, at_once)

    def interrupt() -> None:
        turns.stop()
        for fleet in fleets:
            fleet.interrupt()

    jobs = [partial(in_turn, turns, fleet.application, fleet.succeeds, fleet.refuse) for fleet in fleets]
    outcomes, signalled = run_all(jobs, interrupt=interrupt)
    results: dict[Target, TargetResult] = {}
    unfinished = [fleet for fleet, outcome in zip(fleets, outcomes, strict=True) if not outcome.finished]
    run_all([partial(fleet.leave, at_once=signalled is not None and signalled.at_once) for fleet in unfinished])
    for fleet, outcome in zip(fleets, outcomes, strict=True):
        results |= {attempt.work.target: fleet.result(attempt, outcome) for attempt in fleet.attempts}
    return results, signalled
