"""Carries out one target's plan: upgrade, watch, ask from outside, mark; on failure evidence first, then back."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from threading import Event, Thread

from deployer.errors import DeployError, DeploymentFailed, HeldError
from deployer.events import Sink, WarningRaised
from deployer.execute.evidence import collect
from deployer.execute.outside import wait_until_healthy
from deployer.execute.phases import Phases
from deployer.execute.ports import ReleaseRequest
from deployer.execute.watch import HookWatch, WatchResult, watch
from deployer.execute.work import Work
from deployer.model import Evidence, Json, ObjectKey, Outcome, TargetResult, WorkloadState


class Execution:
    """One target on its way from plan to result."""

    def __init__(self, work: Work, sink: Sink, stop: Event, clock: Callable[[], float] = time.monotonic) -> None:
        self._work = work
        self._sink = sink
        self._stop = stop
        self._clock = clock
        self._phases = Phases(sink, work.target)
        self._revision: int | None = None
        self._workloads: tuple[WorkloadState, ...] = ()

    def run(self) -> TargetResult:
        """The result, whatever happens; only defects are raised."""
        try:
            self._upgrade()
            self._watch()
            self._ask_outside()
            self._mark()
        except DeployError as error:
            return self._fail(error)
        return self._result("deployed")

    # The four steps of a deployment, in their order.

    def _upgrade(self) -> None:
        work = self._work
        releases, name = work.ports.releases, work.app.app_name
        with self._phases("release") as phase:
            self._stop_if_asked()
            self._refuse_stale_plan()
            if work.plan.repair is not None and (done := releases.repair(name, work.namespace, timeout=work.timeout)):
                self._warn(f"an interrupted run left its traces; {done}")
            with self._hooks_watched():
                request = ReleaseRequest(name, work.namespace, work.prepared.texts, work.record, work.timeout)
                self._revision = releases.upgrade(request, self._sink)
            phase.detail = f"revision {self._revision}"

    def _refuse_stale_plan(self) -> None:
        """The plan holds only for the release that it was made for; somebody may have deployed in the meantime."""
        work = self._work
        revisions = work.ports.releases.revisions(work.app.app_name, work.namespace)
        newest = revisions[0].number if revisions else None
        if newest != work.plan.current_revision:
            raise HeldError(
                f"somebody else deployed {work.app.app_name} while this deployment was being prepared",
                where=self._work.place,
                why=f"planned upon revision {work.plan.current_revision or 'none'}, and {newest or 'none'} is there",
                hint="run the same command again: it plans upon what is there now",
            )

    @contextmanager
    def _hooks_watched(self) -> Iterator[None]:
        """Ends Helm early when a Job that it runs as a hook will not succeed: it would wait until its timeout."""
        work, over = self._work, Event()
        if not work.prepared.hooks:
            yield
            return
        watch_ = HookWatch(work.ports.cluster, work.prepared.objects, work.namespace, work.settings.rollout)
        failed: list[WorkloadState] = []

        def follow() -> None:
            state = watch_.run(self._sink, work.target, stop=over)
            if state is not None:
                failed.append(state)
                work.ports.releases.stop()

        follower = Thread(target=follow, daemon=True)
        follower.start()
        try:
            yield
        except DeployError:
            over.set()
            follower.join(10)
            if not failed and (state := watch_.last_look()):
                failed.append(state)
            if not failed or self._stop.is_set():
                raise
        finally:
            over.set()
            follower.join(10)
        if failed:
            self._workloads = tuple(failed)
            raise DeploymentFailed(f"the hook {failed[0].key} failed", where=self._work.place, why=failed[0].reason)

    def _watch(self) -> None:
        with self._phases("rollout") as phase:
            result = self._watch_objects(self._work.prepared.objects, self._work.timeout)
            if not result.ready:
                raise DeploymentFailed(
                    f"{self._work.app.app_name} did not become ready", where=self._work.place, why=result.reason
                )
            phase.detail = f"{len(result.workloads)} object{'s' if len(result.workloads) != 1 else ''} ready"

    def _ask_outside(self) -> None:
        work = self._work
        host = work.host
        if host is None:
            return
        with self._phases("outside check") as phase:
            asked = wait_until_healthy(
                work.ports.prober, host, work.health, work.entry_point(host), stop=self._stop, clock=self._clock
            )
            phase.detail = f"{host} answers" + (f", asked {asked} times" if asked > 1 else "")

    def _mark(self) -> None:
        if self._revision is None:  # pragma: no cover -- `_upgrade` has set it
            return
        self._work.ports.releases.mark(self._work.app.app_name, self._work.namespace, self._revision, verified=True)

    # When a step failed.

    def _fail(self, error: DeployError) -> TargetResult:
        evidence = self._evidence()
        if self._revision is None and not self._left_something():
            return self._result("interrupted" if self._stop.is_set() else "failed", error, evidence)
        outcome, trouble = self._undo()
        if trouble is not None:
            error.hint = f"{trouble}\nrun the same command again once the cause is mended: it repairs what is left"
        return self._result("interrupted" if self._stop.is_set() else outcome, error, evidence)

    def _evidence(self) -> Evidence | None:
        """What the cluster shows of the failure, taken before anything is rolled back."""
        if self._revision is None and not self._workloads:
            return None
        with self._phases("evidence"):
            return collect(self._work.ports.cluster, self._work.namespace, self._workloads)

    def _left_something(self) -> bool:
        """Whether a failed upgrade has left a revision of its own behind."""
        try:
            revisions = self._work.ports.releases.revisions(self._work.app.app_name, self._work.namespace)
        except DeployError:
            return False
        return bool(revisions) and revisions[0].deployment_id == self._work.record.deployment_id

    def _undo(self) -> tuple[Outcome, str | None]:
        """Back to the last good revision, or away with it where there was none; what could not be done, if anything."""
        plan, releases, name = self._work.plan, self._work.ports.releases, self._work.app.app_name
        back_to = plan.good_revision or plan.foreign_revision
        try:
            if back_to is None:
                with self._phases("uninstall") as phase:
                    releases.uninstall(name, self._work.namespace, timeout=60)
                    phase.detail = "there was no good revision to return to; claimed volumes are kept"
                self._revision = None
                return "uninstalled", None
            with self._phases("rollback") as phase:
                self._revision = releases.rollback(name, self._work.namespace, back_to, timeout=60)
                phase.detail = f"to revision {back_to}, as revision {self._revision}"
                if self._stop.is_set():
                    return "interrupted", None
                return self._await_rollback(back_to)
        except DeployError as error:
            return "failed", f"the rollback failed too: {error}"

    def _await_rollback(self, back_to: int) -> tuple[Outcome, str | None]:
        """Watch the old revision come back; it is good again only once it is ready."""
        work = self._work
        stored = work.ports.releases.revisions(work.app.app_name, work.namespace)
        objects = next((revision.objects() for revision in stored if revision.number == self._revision), ())
        result = self._watch_objects(objects, min(work.timeout, 300.0), remove=work.ports.cluster.delete)
        if not result.ready:
            return "failed", f"rolled back to revision {back_to}, which does not become ready: {result.reason}"
        if work.plan.good_revision == back_to and self._revision is not None:
            work.ports.releases.mark(work.app.app_name, work.namespace, self._revision, verified=True)
        return "rolled back", None

    # What the steps share.

    def _watch_objects(
        self, objects: tuple[Json, ...], timeout: float, remove: Callable[[ObjectKey], None] | None = None
    ) -> WatchResult:
        """`remove` frees a StatefulSet that a broken pod of the revision that we leave holds up for ever."""
        result = watch(
            self._work.ports.cluster,
            objects,
            self._work.namespace,
            replace(self._work.settings.rollout, timeout=timeout),
            self._sink,
            self._work.target,
            stop=self._stop,
            remove=remove,
        )
        self._workloads = result.workloads
        return result

    def _stop_if_asked(self) -> None:
        if self._stop.is_set():
            raise DeploymentFailed("stopped before the release was changed", where=self._work.place)

    def _warn(self, text: str) -> None:
        self._sink.emit(WarningRaised(text, self._work.target))

    def _result(
        self, outcome: Outcome, error: DeployError | None = None, evidence: Evidence | None = None
    ) -> TargetResult:
        return self._work.result(
            outcome,
            revision=self._revision,
            workloads=self._workloads,
            phases=tuple(self._phases.timings),
            error=error,
            evidence=evidence,
        )
