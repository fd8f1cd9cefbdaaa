"""Carries out one target's plan: upgrade, watch, ask from outside, mark; on failure evidence first, then back."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from threading import Event, Thread

from deployer.errors import DeployError, DeploymentFailed, HeldError
from deployer.events import Sink, WarningRaised
from deployer.execute.evidence import collect
from deployer.execute.outside import health_url, load_balancer, regional_host, serves, wait_until_healthy
from deployer.execute.phases import Phases
from deployer.execute.ports import Cluster, OutsideProber, ReleaseRequest, Releases
from deployer.execute.watch import HookWatch, WatchResult, watch
from deployer.model import (
    App,
    DeploymentRecord,
    Evidence,
    HealthCheckSettings,
    Json,
    ObjectKey,
    Outcome,
    Settings,
    Target,
    TargetResult,
    WorkloadState,
)
from deployer.plan.manifests import PreparedManifests
from deployer.plan.steps import TargetPlan


@dataclass(frozen=True)
class RegionPorts:
    """The ports of one region that executing needs."""

    cluster: Cluster
    releases: Releases
    prober: OutsideProber


@dataclass(frozen=True)
class Work:
    """One target's plan with all that it takes to carry it out. `prepared` has the image pinned."""

    plan: TargetPlan
    app: App
    settings: Settings
    prepared: PreparedManifests
    record: DeploymentRecord
    ports: RegionPorts
    timeout: float

    @property
    def target(self) -> Target:
        """The target that this is about."""
        return self.plan.target

    @property
    def namespace(self) -> str:
        """The release's namespace."""
        return self.settings.namespace

    @property
    def health(self) -> HealthCheckSettings:
        """How the app is asked: its own health check, or its region's."""
        return self.app.health_check or self.settings.health_check

    @property
    def url(self) -> str | None:
        """The URL that is asked from outside; None when no Ingress serves the regional host."""
        host = regional_host(self.app, self.settings, self.target)
        return health_url(host, self.health) if host and serves(self.prepared.objects, host) else None

    @property
    def through(self) -> str | None:
        """The `host:port` that the settings fix for asking; None where the load balancer is found by its Ingress."""
        return self.health.connect_to if self.url else None


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
                where=self._where,
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
            raise DeploymentFailed(f"the hook {failed[0].key} failed", where=self._where, why=failed[0].reason)

    def _watch(self) -> None:
        with self._phases("rollout") as phase:
            result = self._watch_objects(self._work.prepared.objects, self._work.timeout)
            if not result.ready:
                raise DeploymentFailed(
                    f"{self._work.app.app_name} did not become ready", where=self._where, why=result.reason
                )
            phase.detail = f"{len(result.workloads)} object{'s' if len(result.workloads) != 1 else ''} ready"

    def _ask_outside(self) -> None:
        work = self._work
        host = regional_host(work.app, work.settings, work.target)
        if host is None or not serves(work.prepared.objects, host):
            return
        with self._phases("outside check") as phase:
            asked = wait_until_healthy(
                work.ports.prober, host, work.health, self._entry_point(host), stop=self._stop, clock=self._clock
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

    def _entry_point(self, host: str) -> Callable[[], str | None]:
        """Where to connect to: what the settings say, else the load balancer that the Ingress names."""
        work, health = self._work, self._work.health
        if health.connect_to:
            return lambda: health.connect_to
        port = health.port or {"HTTP": 80, "HTTPS": 443}[health.protocol]

        def from_ingress() -> str | None:
            address = load_balancer(work.ports.cluster, work.prepared.objects, work.namespace, host)
            return f"{address}:{port}" if address else None

        return from_ingress

    def _stop_if_asked(self) -> None:
        if self._stop.is_set():
            raise DeploymentFailed("stopped before the release was changed", where=self._where)

    def _warn(self, text: str) -> None:
        self._sink.emit(WarningRaised(text, self._work.target))

    @property
    def _where(self) -> str:
        return f"{self._work.target.stage} {self._work.target.region}"

    def _result(
        self, outcome: Outcome, error: DeployError | None = None, evidence: Evidence | None = None
    ) -> TargetResult:
        return TargetResult(
            target=self._work.target,
            outcome=outcome,
            version=self._work.app.version,
            image=self._work.plan.image,
            revision=self._revision,
            url=self._work.url,
            through=self._work.through,
            reasons=self._work.plan.reasons,
            changes=self._work.plan.changes,
            workloads=self._workloads,
            phases=tuple(self._phases.timings),
            warnings=self._work.plan.warnings,
            error=error,
            evidence=evidence,
        )
