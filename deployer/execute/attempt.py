"""One attempt at a region: what is known of it by now, and what every step of it shares."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from threading import Event, Thread
from time import sleep
from typing import TYPE_CHECKING

from deployer.errors import DeployError, DeploymentFailed, HeldError
from deployer.events import Sink, WarningRaised
from deployer.execute.phases import Phases
from deployer.execute.ports import HeldLock
from deployer.execute.watch import WatchResult, watch
from deployer.execute.work import Work
from deployer.model import Ending, Evidence, Json, ObjectKey, Outcome, TargetResult, WorkloadState
from deployer.model.drain import Absence, Drain

if TYPE_CHECKING:
    from deployer.execute.dns.managed import OldCheck

_AGAIN = 0.2
"""Seconds after which a helm that may only have been starting is asked to stop once more."""


class Attempt:
    """A target's work under way. `revision` is what the attempt has made so far, `workloads` what was seen last.

    `lock` is None where nothing else can be at work (tests of one step). `stop` may be called from any thread. `busy`
    is whether a step is under way, `begun` whether any ever was. `repairs` tell what was left by an interrupted run,
    and what became of it. `absence` is while DNS does not lead here, `kept_drain` a drain that is not ours to end,
    `old_check` the region's health check as it was before the attempt gave it other settings, `dns_written` whether the
    attempt has begun to write DNS.
    """

    def __init__(self, work: Work, sink: Sink, lock: HeldLock | None = None) -> None:
        self.work = work
        self.sink = sink
        self.phases = Phases(sink, work.target)
        self.revision: int | None = None
        self.workloads: tuple[WorkloadState, ...] = ()
        self.stopping = Event()
        self.lock = lock
        self.lost = False
        self.begun = False
        self.busy = False
        self.repairs: list[str] = []
        self.absence: Absence | None = None
        self.kept_drain: Drain | None = None
        self.old_check: OldCheck | None = None
        self.dns_written = False
        self._changing = Event()
        self._abandoned = False

    def stop(self) -> None:
        """Begin no new step; hooks, and a helm that changes something, are asked to stop. Taking back goes on."""
        self.stopping.set()
        if self.work.hooks is not None:
            self.work.hooks.runner.stop()
        Thread(target=self._cut_short, daemon=True).start()

    def _cut_short(self) -> None:
        while self._changing.is_set():
            self.work.ports.releases.stop()
            sleep(_AGAIN)

    @contextmanager
    def changing(self) -> Iterator[None]:
        """Around the change that a stop may cut short. Raises DeploymentFailed when it must not begin any more."""
        self._changing.set()  # before the look at `stopping`, so that no stop goes unnoticed
        try:
            self.stop_if_asked()
            self.about_to_change()
            yield
        finally:
            self._changing.clear()

    def abandon(self) -> None:
        """Nobody waits for us any more, and our process is about to end: change nothing from now on."""
        self._abandoned = True

    def lose(self) -> None:
        """The lock is not ours any more, and neither is the region."""
        self.lost = True
        self.stop()

    def about_to_change(self) -> None:
        """Before each change of the cluster: raises HeldError when the lock is no longer ours."""
        if self._abandoned:
            raise HeldError("it was stopped for good", where=self.work.place)
        if self.lock is not None:
            self.lock.confirm()

    def stop_if_asked(self) -> None:
        """Raises DeploymentFailed when no new step may begin."""
        if self.stopping.is_set():
            raise DeploymentFailed("stopped before the release was changed", where=self.work.place)

    def mark(self, *, verified: bool, ended: Ending | None = None) -> None:
        """Write our mark on the revision that this attempt has made."""
        if self.revision is None:  # pragma: no cover -- nobody marks before there is one
            return
        self.about_to_change()
        work = self.work
        work.ports.releases.mark(work.app.app_name, work.namespace, self.revision, verified=verified, ended=ended)

    def watch(
        self, objects: tuple[Json, ...], timeout: float, remove: Callable[[ObjectKey], None] | None = None
    ) -> WatchResult:
        """`remove` frees a StatefulSet that a broken pod of the revision that we leave holds up for ever."""
        work = self.work
        result = watch(
            work.ports.cluster,
            objects,
            work.namespace,
            replace(work.settings.rollout, timeout=timeout),
            self.sink,
            work.target,
            stop=self.stopping,
            remove=remove,
        )
        self.workloads = result.workloads
        return result

    def repaired(self, text: str) -> None:
        """Tell what was left by an interrupted run, and what was done with it."""
        self.repairs.append(text)
        self.warn(f"an interrupted run left its traces: {text}")

    def unchanged(self) -> TargetResult:
        """The result where nothing is to be done."""
        return replace(self.work.unchanged(), repairs=tuple(self.repairs))

    def warn(self, text: str) -> None:
        """Tell something that does not stop us."""
        self.sink.emit(WarningRaised(text, self.work.target))

    def result(
        self, outcome: Outcome, error: DeployError | None = None, evidence: Evidence | None = None
    ) -> TargetResult:
        """What has become of the target by now. Once the lock was lost, that is why whatever failed has failed."""
        if self.lost and error is not None:
            error = self._loss() or error
        return self.work.result(
            outcome,
            revision=self.revision,
            workloads=self.workloads,
            phases=tuple(self.phases.timings),
            repairs=tuple(self.repairs),
            absence=self.absence,
            error=error,
            evidence=evidence,
        )

    def _loss(self) -> DeployError | None:
        """How the lock was lost: to somebody, or because the cluster could not be reached for so long."""
        try:
            if self.lock is not None:
                self.lock.confirm()
        except DeployError as loss:
            hint = f"nothing more was changed from here; {loss.hint}"
            return DeploymentFailed(loss.what, where=loss.where or self.work.place, why=loss.why, hint=hint)
        return None
