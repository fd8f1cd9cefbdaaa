"""The stories of `deploy dns drain` and `deploy dns restore`: region after region, each under its release's lock.

drain      the guard is asked, the region's health check is drained and marked, clients leave
restore    the regional host is asked until it is healthy, the health check decides again, Route 53's checkers agree

A region that is drained so stays drained, through deployments too, until it is restored. A cluster that does not answer
keeps nobody from draining its region: that is what drains are for.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from threading import Event
from typing import Literal

from deployer.config import Configuration, Loaded
from deployer.errors import DeployError, DeploymentFailed, HeldError, UnreachableError
from deployer.events import LockAwaited, Sink, WarningRaised
from deployer.execute.drain import Gate, Standing
from deployer.execute.everywhere import CommandFor, refuse
from deployer.execute.outside import health_url, wait_until_healthy
from deployer.execute.parallel import run_all
from deployer.execute.phases import Phases
from deployer.execute.services import Services
from deployer.execute.work import RegionPorts
from deployer.model import Outcome, TargetResult
from deployer.model.drain import BY_HAND, Absence, Drain
from deployer.pipeline.command import Command, Conclusion
from deployer.pipeline.traffic import gate_of

Action = Literal["drain", "restore"]


@dataclass(frozen=True)
class DrainRequest:
    """What is asked for. `reason` is written down; with `forced` neither the guard nor the region's health is asked."""

    deployment: str
    stage: str
    action: Action
    reason: str = ""
    forced: bool = False
    lock_wait: float = 0.0
    command_for: CommandFor | None = None


@dataclass
class _Region:
    """One region on its way; what is known of it by now. `begun` is whether anything may have happened there."""

    configuration: Configuration
    ports: RegionPorts
    gate: Gate
    phases: Phases
    begun: bool = False
    absence: Absence | None = None
    repairs: list[str] = field(default_factory=list)
    reasons: tuple[str, ...] = ()

    def result(self, outcome: Outcome, error: DeployError | None = None) -> TargetResult:
        """What has become of it."""
        return TargetResult(
            self.configuration.target,
            outcome,
            reasons=self.reasons,
            phases=tuple(self.phases.timings),
            repairs=tuple(self.repairs),
            absence=self.absence,
            error=error,
        )


class Draining:
    """One drain or restore of one app in all regions named, one after another."""

    def __init__(self, request: DrainRequest, loaded: Loaded, services: Services, sink: Sink) -> None:
        self._request = request
        self._loaded = loaded
        self._services = services
        self._sink = sink
        action = BY_HAND if request.action == "drain" else request.action
        self._command = Command(action, request.deployment, request.stage, services, sink)
        self._stop = Event()

    def run(self) -> Conclusion:
        """Every region's result, and the signal that cut it short, if one did.

        Raises a DeployError when nothing was changed anywhere: what is wrong in files, an app without a host.
        """
        refuse(self._loaded.targets, self._loaded.failures, self._request.command_for)
        regions = [self._region(one) for one in self._loaded.configurations]
        results: list[TargetResult] = []
        outcomes, signalled = run_all([partial(self._each, regions, results)], interrupt=self._stop.set)
        if outcomes[0].error is not None:
            raise outcomes[0].error
        results = list(results)  # what still runs is not waited for any more
        known = {one.target for one in results}
        results += [self._unknown(one) for one in regions if one.configuration.target not in known]
        if all(one.outcome in ("unchanged", "not started") for one in results):
            return self._command.result(results), signalled
        announcer = self._command.announcer(self._loaded.configurations)
        return self._command.conclude(announcer, results, signalled)

    def _region(self, configuration: Configuration) -> _Region:
        target, settings, app = configuration.target, configuration.settings, configuration.app
        ports = self._services.region(settings, target)
        gate = gate_of(self._services, target, app, settings, ports.prober, self._command.holder())
        if gate is None:
            raise HeldError(
                f"{app.app_name} has no host that could be drained",
                where=target.environment,
                why="it needs a SubDomain in its file and a DnsDomain in group_vars",
            )
        return _Region(configuration, ports, gate, Phases(self._sink, target))

    def _each(self, regions: Sequence[_Region], results: list[TargetResult]) -> None:
        for region in regions:
            if self._stop.is_set():
                return
            region.begun = True
            results.append(self._one(region))
            if results[-1].error is not None:
                return

    def _one(self, region: _Region) -> TargetResult:
        with ExitStack() as stack:
            try:
                locked = self._lock(region, stack)
                standing = region.gate.look()
                if self._request.action == "drain":
                    return self._drain(region, standing, locked=locked)
                return self._restore(region, standing)
            except DeployError as error:
                return region.result("interrupted" if self._stop.is_set() else "failed", error)

    def _unknown(self, region: _Region) -> TargetResult:
        """The result of a region that has told of none: it was not begun, or did not end soon after a signal."""
        target = region.configuration.target
        if not region.begun:
            error = DeploymentFailed(f"{target.region} was not begun", why="another region came first")
            return region.result("not started", error)
        what = "drained" if self._request.action == "drain" else "restored"
        error = DeploymentFailed(
            f"whether {target.region} is {what} is not known",
            why="it did not end soon enough after it was stopped",
            hint=f"`deploy dns status {target}` shows it",
        )
        return region.result("interrupted", error)

    def _lock(self, region: _Region, stack: ExitStack) -> bool:
        """Keep deployments away from the region; False when its cluster is out of reach, and nobody can deploy."""
        one = region.configuration
        try:
            held = region.ports.locks.acquire(
                one.app.app_name,
                one.settings.namespace,
                self._command.holder(),
                wait=self._request.lock_wait,
                waiting=lambda state: self._sink.emit(LockAwaited(one.target, state)),
                lost=self._stop.set,
                stop=self._stop,
            )
        except UnreachableError as error:
            self._sink.emit(WarningRaised(f"the cluster was not asked for its lock: {error}", one.target))
            return False
        stack.callback(held.release)
        return True

    # Out.

    def _drain(self, region: _Region, standing: Standing | None, *, locked: bool) -> TargetResult:
        request, gate, name = self._request, region.gate, region.configuration.target.region
        left = standing.drain if standing else None
        if left is not None and (left.kept or not locked):
            region.reasons, region.absence = (f"it is drained {left}",), _absence(left)
            return region.result("unchanged")
        reason = request.reason or "deploy dns drain"
        if left is not None:
            region.repairs.append(f"it was drained {left}, and stays so")
            with region.phases("drain"):
                region.absence = _absence(gate.keep(reason))
            return region.result("drained")
        if standing is not None and not standing.others and not request.forced:
            raise HeldError(
                f"{name} is not drained",
                why=f"no other region has a record of {gate.place.host}: Route 53 would go on with this one",
            )
        with region.phases("drain") as phase:
            made = gate.drain(reason, forced=request.forced, stop=self._stop)
            region.absence = _absence(made)
            try:
                phase.detail = gate.wait_until_left(self._stop)
            except DeploymentFailed as error:
                error.hint = f"{name} is drained, and stays so: `deploy dns restore {region.configuration.target}`"
                raise
        return region.result("drained")

    # Back.

    def _restore(self, region: _Region, standing: Standing | None) -> TargetResult:
        gate = region.gate
        drain = standing.drain if standing else None
        if standing is None or drain is None:
            region.reasons = ("it is not drained",)
            return region.result("unchanged")
        region.absence = _absence(drain)
        if not self._request.forced:
            self._see_healthy(region)
        before = gate.snapshot()
        with region.phases("restore") as phase:
            gate.restore()
            region.absence = Absence(region.absence.since, datetime.now(UTC))
            region.reasons = (f"it was drained {drain}",)
            phase.detail = gate.wait_until_back(self._stop)
        if not self._request.forced:
            with region.phases("checkers") as phase:
                phase.detail = gate.agree(before, self._stop)
        return region.result("in traffic")

    def _see_healthy(self, region: _Region) -> None:
        """Raises DeploymentFailed unless the regional host answers well for as long as its health check wants it to."""
        one, host = region.configuration, region.gate.place.regional_host
        health = one.app.health_check or one.settings.health_check
        port = health.port or {"HTTP": 80, "HTTPS": 443}[health.protocol]

        def entry() -> str | None:
            address = region.gate.address()
            return health.connect_to or (f"{address}:{port}" if address else host)

        with region.phases("outside check"):
            try:
                wait_until_healthy(region.ports.prober, host, health, entry, stop=self._stop, clock=time.monotonic)
            except DeploymentFailed as error:
                raise DeploymentFailed(
                    f"{one.target.region} stays drained: it is not healthy",
                    where=health_url(host, health),
                    why=error.why,
                    hint="mend it first; --force --reason TEXT restores it as it is",
                ) from None


def _absence(drain: Drain) -> Absence:
    """Since when a region is drained; who drained it by hand has not told."""
    try:
        since = datetime.fromisoformat(drain.since)
    except ValueError:
        return Absence(datetime.now(UTC))
    return Absence(since if since.tzinfo else since.replace(tzinfo=UTC))
