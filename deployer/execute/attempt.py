"""One attempt at a region: what is known of it by now, and what every step of it shares."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from threading import Event

from deployer.errors import DeployError, DeploymentFailed
from deployer.events import Sink, WarningRaised
from deployer.execute.phases import Phases
from deployer.execute.ports import HeldLock
from deployer.execute.watch import WatchResult, watch
from deployer.execute.work import Work
from deployer.model import Ending, Evidence, Json, ObjectKey, Outcome, TargetResult, WorkloadState


class Attempt:
    """A target's work under way. `revision` is what the attempt has made so far, `workloads` what was seen last.

    `lock` is None where nothing else can be at work (tests of one step). `stop` may be called from any thread.
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

    def stop(self) -> None:
        """Begin no new step; a running helm is asked to stop."""
        self.stopping.set()
        self.work.ports.releases.stop()

    def lose(self) -> None:
        """The lock is somebody else's now, and so is the region."""
        self.lost = True
        self.stop()

    def about_to_change(self) -> None:
        """Before each change of the cluster: raises HeldError when the lock is no longer ours."""
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

    def warn(self, text: str) -> None:
        """Tell something that does not stop us."""
        self.sink.emit(WarningRaised(text, self.work.target))

    def result(
        self, outcome: Outcome, error: DeployError | None = None, evidence: Evidence | None = None
    ) -> TargetResult:
        """What has become of the target by now."""
        return self.work.result(
            outcome,
            revision=self.revision,
            workloads=self.workloads,
            phases=tuple(self.phases.timings),
            error=error,
            evidence=evidence,
        )
