"""Runs one app's regions in waves, watches each wave before the next, and takes regions back where that is wanted."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from threading import Event

from deployer.errors import DeployError, DeploymentFailed
from deployer.events import Sink, WavesPlanned
from deployer.execute.attempt import Attempt
from deployer.execute.bake import bake
from deployer.execute.dns.managed import write_dns_alone
from deployer.execute.executor import Execution
from deployer.execute.hooks import run_on_failure
from deployer.execute.parallel import run_all
from deployer.execute.traffic import settle
from deployer.execute.undo import fail, revert
from deployer.model import SUCCESSES, Target, TargetResult
from deployer.plan.order import Order


class Waves:
    """The attempts of one app, region by region, their locks held. `results` is filled as they end."""

    def __init__(
        self, attempts: Sequence[Attempt], order: Order, results: dict[Target, TargetResult], sink: Sink
    ) -> None:
        self._attempts = attempts
        self._sink = sink
        self._order = order
        self._results = results
        self._stopping = Event()
        self._bake_over = Event()  # one region's trouble ends the bake of all

    def stop(self) -> None:
        """Begin no new wave. Callable from any thread."""
        self._stopping.set()
        self._bake_over.set()

    def run(self) -> None:
        """Every wave; each attempt has a result afterwards."""
        begun: list[Attempt] = []
        waves = self._waves()
        self._sink.emit(WavesPlanned(tuple(tuple(attempt.work.target for attempt in wave) for wave in waves)))
        for number, wave in enumerate(waves, 1):
            if self._stopping.is_set():
                break
            self._each(self._run_one, wave)
            begun += wave
            if number < len(waves) and self._order.bake and not self._failed(begun):
                self._bake(begun)
            if self._failed(begun):
                break
        culprits = [self._results[attempt.work.target] for attempt in self._failed(begun)]
        if culprits and not self._stopping.is_set() and self._order.on_failure == "rollback":
            self._take_back(begun, culprits)
        self._each(self._tell_hooks, [attempt for attempt in self._failed(begun) if attempt.work.hooks is not None])
        self._tell_the_rest(culprits)

    def _waves(self) -> list[list[Attempt]]:
        of = {attempt.work.target.region: attempt for attempt in self._attempts}
        waves = [[of[region] for region in wave if region in of] for wave in self._order.waves]
        return [wave for wave in waves if wave]

    def _failed(self, attempts: Sequence[Attempt]) -> list[Attempt]:
        return [attempt for attempt in attempts if self._results[attempt.work.target].outcome not in SUCCESSES]

    def _each(self, step: Callable[[Attempt], TargetResult], attempts: Sequence[Attempt]) -> None:
        """A step of several attempts at once; the result of each is known as soon as it has one."""
        outcomes, _ = run_all([partial(self._one, step, attempt) for attempt in attempts])
        for attempt, outcome in zip(attempts, outcomes, strict=True):
            self._results[attempt.work.target] = attempt.work.result_of(outcome)

    def _one(self, step: Callable[[Attempt], TargetResult], attempt: Attempt) -> TargetResult:
        attempt.begun = attempt.busy = True
        try:
            result = step(attempt)
            self._results[attempt.work.target] = result  # also when the waiting for the others is given up
            return result
        finally:
            attempt.busy = False

    def _run_one(self, attempt: Attempt) -> TargetResult:
        if attempt.work.plan.release_action == "none":
            return write_dns_alone(attempt, settle(attempt))
        return Execution(attempt).run()

    # Between two waves.

    def _bake(self, begun: Sequence[Attempt]) -> None:
        self._each(self._bake_one, [attempt for attempt in begun if attempt.revision is not None])

    def _bake_one(self, attempt: Attempt) -> TargetResult:
        target = attempt.work.target
        trouble = bake(attempt, self._order.bake, over=self._bake_over)
        if trouble is None:
            return replace(self._results[target], phases=tuple(attempt.phases.timings), workloads=attempt.workloads)
        self._bake_over.set()
        try:
            attempt.mark(verified=False)
        except DeployError as error:
            attempt.warn(f"revision {attempt.revision} still counts as good: {error}")
        return fail(attempt, trouble)

    # After a failure.

    def _take_back(self, begun: Sequence[Attempt], culprits: Sequence[TargetResult]) -> None:
        why = f"{_regions(culprits)} failed, and Rollout.OnFailure is rollback"
        advanced = [
            attempt
            for attempt in begun
            if attempt.revision is not None and self._results[attempt.work.target].outcome in SUCCESSES
        ]
        self._each(partial(revert, why=why), advanced)

    def _tell_hooks(self, attempt: Attempt) -> TargetResult:
        return run_on_failure(attempt, self._results[attempt.work.target])

    def _tell_the_rest(self, culprits: Sequence[TargetResult]) -> None:
        """Regions whose wave never began."""
        failed = culprits and not self._stopping.is_set()
        why = f"{_regions(culprits)} failed before its turn" if failed else "it was stopped before its turn"
        advanced = any(
            attempt.revision is not None and self._results[attempt.work.target].outcome in SUCCESSES
            for attempt in self._attempts
            if attempt.begun
        )
        for attempt in self._attempts:
            work = attempt.work
            if work.target in self._results:
                continue
            if not work.plan.changes_region:
                self._results[work.target] = attempt.unchanged()
            else:
                hint = f"{self._recovery} tells who has it, and how to go on or back" if advanced else None
                error = DeploymentFailed(f"{work.target.region} was not begun", why=why, hint=hint)
                self._results[work.target] = work.result("not started", error=error)

    @property
    def _recovery(self) -> str:
        """The command that compares all regions of this deployment, as a hint names it."""
        target = self._attempts[0].work.target
        regions = ",".join(attempt.work.target.region for attempt in self._attempts)
        return f"`deploy recover {target.stage} {regions} {target.application}`"


def _regions(results: Sequence[TargetResult]) -> str:
    return ", ".join(result.target.region for result in results)
