"""Carries out one target's plan: lead traffic away, change the release, watch, judge from outside, lead back, mark."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from threading import Event, Thread

from deployer.errors import DeployError, DeploymentFailed, HeldError
from deployer.execute.adoption import before_taking, give_back, giving_back, has_taken
from deployer.execute.attempt import Attempt
from deployer.execute.dns.managed import with_dns, write_dns
from deployer.execute.dns.withdrawing import leave_dns
from deployer.execute.hooks import run_hooks
from deployer.execute.lifted import clear_up, provide
from deployer.execute.outside import wait_until_healthy
from deployer.execute.ports import ReleaseRequest
from deployer.execute.removal import not_taken_away, take_away, uninstall
from deployer.execute.traffic import DnsTrouble, after_failure, lead_away, lead_back
from deployer.execute.undo import fail
from deployer.execute.watch import HookWatch
from deployer.model import TargetResult, WorkloadState


class Execution:
    """One target on its way from plan to result."""

    def __init__(self, attempt: Attempt, clock: Callable[[], float] = time.monotonic) -> None:
        self._attempt = attempt
        self._work = attempt.work
        self._clock = clock

    def run(self) -> TargetResult:
        """The result, whatever happens; only defects are raised."""
        result = self._run()
        if result.outcome != "not started" and not self._attempt.stopping.is_set():
            clear_up(self._attempt, uninstalled=result.outcome == "uninstalled")
        return result

    def _run(self) -> TargetResult:
        try:
            match self._work.plan.release_action:
                case "verify":
                    self._take_up()
                case "uninstall":
                    self._uninstall()
                    return self._attempt.result("removed")
                case _:
                    self._change()
            self._watch()
            self._ask_outside()
            run_hooks(self._attempt, "AfterUpgrade", Outcome="deployed")
            written = write_dns(self._attempt)
            still_drained = self._lead_back(agreed=written.agreed)
            self._attempt.mark(verified=True)
        except DeployError as error:
            if self._work.removal is not None:
                return not_taken_away(self._attempt, error)
            return after_failure(self._attempt, fail(self._attempt, error), self._clock)
        if still_drained is not None:
            result = after_failure(self._attempt, self._attempt.result("failed", still_drained), self._clock)
        else:
            result = self._attempt.result("restored" if self._work.plan.release_action == "rollback" else "deployed")
        return with_dns(self._attempt, result, written)

    # The steps of a deployment, in their order.

    def _change(self) -> None:
        work, attempt = self._work, self._attempt
        releases, name = work.ports.releases, work.app.app_name
        run_hooks(attempt, "BeforeUpgrade")
        lead_away(attempt)
        with attempt.phases("release") as phase:
            attempt.stop_if_asked()
            self._refuse_stale_plan()
            attempt.about_to_change()
            if work.plan.repair is not None:
                done = releases.repair(name, work.namespace, timeout=work.timeout, record=work.record)
                if done is not None:
                    attempt.repaired(done)
            provide(attempt)
            with self._hooks_watched(), attempt.changing():
                attempt.revision = self._new_revision()
            phase.detail = f"revision {attempt.revision}"

    def _take_up(self) -> None:
        """Go on with a revision that an earlier run has made."""
        self._attempt.stop_if_asked()
        lead_away(self._attempt, drain=False)
        self._refuse_stale_plan()
        self._attempt.revision = self._work.plan.current_revision

    def _uninstall(self) -> None:
        work, attempt = self._work, self._attempt
        if work.removal is not None:
            attempt.stop_if_asked()
            self._refuse_stale_plan()
            take_away(attempt, self._clock)
            return
        stored = work.ports.releases.revisions(work.app.app_name, work.namespace)
        if has_taken(stored):
            attempt.stop_if_asked()
            self._refuse_stale_plan()
            _, left = give_back(attempt, stored)
            if left is not None:
                raise DeploymentFailed(left, where=work.place)
            return
        attempt.stop_if_asked()
        self._refuse_stale_plan()
        leave_dns(attempt)
        with attempt.phases("uninstall") as phase:
            attempt.about_to_change()
            phase.detail = uninstall(work, stored, timeout=work.timeout)

    def _new_revision(self) -> int:
        work = self._work
        releases, name = work.ports.releases, work.app.app_name
        if work.plan.rollback_to is not None:
            stored = releases.revisions(name, work.namespace)
            with giving_back(self._attempt, stored, work.plan.rollback_to):
                return releases.rollback(
                    name, work.namespace, work.plan.rollback_to, timeout=work.timeout, record=work.record
                )
        request = ReleaseRequest(name, work.namespace, work.prepared.texts, work.record, work.timeout)
        if work.plan.adoption.objects:
            request = replace(request, take_over=True, before=before_taking(work))
        return releases.upgrade(request, self._attempt.sink)

    def _refuse_stale_plan(self) -> None:
        """The plan holds only for the release that it was made for; whoever ignores our lock may have changed it."""
        work = self._work
        revisions = work.ports.releases.revisions(work.app.app_name, work.namespace)
        newest = revisions[0].number if revisions else None
        if newest != work.plan.current_revision:
            raise HeldError(
                f"somebody else deployed {work.app.app_name} while this deployment was being prepared",
                where=work.place,
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
            state = watch_.run(self._attempt.sink, work.target, stop=over)
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
            if not failed or self._attempt.stopping.is_set():
                raise
        finally:
            over.set()
            follower.join(10)
        if failed:
            self._attempt.workloads = tuple(failed)
            raise DeploymentFailed(f"the hook {failed[0].key} failed", where=work.place, why=failed[0].reason)

    def _watch(self) -> None:
        with self._attempt.phases("rollout") as phase:
            result = self._attempt.watch(self._work.prepared.objects, self._work.timeout)
            if result.ended == "stopped":
                raise DeploymentFailed(f"stopped before {self._work.app.app_name} was ready", where=self._work.place)
            if not result.ready:
                raise DeploymentFailed(
                    f"{self._work.app.app_name} did not become ready", where=self._work.place, why=result.reason
                )
            phase.detail = f"{len(result.workloads)} object{'s' if len(result.workloads) != 1 else ''} ready"

    def _ask_outside(self) -> None:
        work, host = self._work, self._work.host
        if host is None:
            return
        with self._attempt.phases("outside check") as phase:
            asked = wait_until_healthy(
                work.ports.prober,
                host,
                work.health,
                work.entry_point(host),
                stop=self._attempt.stopping,
                clock=self._clock,
            )
            phase.detail = f"{host} answers" + (f", asked {asked} times" if asked > 1 else "")

    def _lead_back(self, *, agreed: bool) -> DnsTrouble | None:
        """What went wrong with DNS alone: what was deployed is good all the same."""
        try:
            lead_back(self._attempt, agreed=agreed)
        except DnsTrouble as error:
            return error
        return None
