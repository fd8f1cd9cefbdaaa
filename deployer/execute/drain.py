"""Takes a region out of DNS and puts it back: its health check, what the name servers answer, what the checkers see."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from threading import Event

from deployer.errors import ConflictError, DeploymentFailed, HeldError
from deployer.execute.answers import Answers
from deployer.execute.checkers import agree
from deployer.execute.dns_ports import Dns, NameServers
from deployer.execute.drain_lock import DrainLock
from deployer.execute.parallel import values_of
from deployer.execute.ports import OutsideProber, Probe
from deployer.model import Holder
from deployer.model.dns import HealthCheck, HealthCheckConfig, HealthStatus, HostedZone
from deployer.model.drain import Drain, RegionHealth
from deployer.plan.dns import is_ours
from deployer.plan.drain import UNMARKED, Place, drain_of, drained, marks, refuse_last, undrained

_PAUSE = 2.0
_TRIES = 3


@dataclass(frozen=True)
class Standing:
    """How a region stands in DNS: its health check, and those of the app's other regions."""

    zone: HostedZone
    check: HealthCheck
    others: tuple[tuple[str, HealthCheck | None], ...]

    @property
    def drain(self) -> Drain | None:
        """Who has drained it; None while it is not drained."""
        return drain_of(self.check)


class Gate:
    """Lets clients to one region of an app, or leads them away. Its methods block, and may raise any DeployError."""

    def __init__(
        self,
        place: Place,
        dns: Dns,
        name_servers: NameServers,
        prober: OutsideProber,
        holder: Holder,
        *,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        pause: float = _PAUSE,
    ) -> None:
        self.place = place
        self._dns = dns
        self._prober = prober
        self._holder = holder
        self._clock = clock
        self._now = now
        self._pause = pause
        self._answers = Answers(place, dns, name_servers, clock=clock, pause=pause)

    def look(self) -> Standing | None:
        """How the region stands; None when DNS does not lead to it, or no health check decides over it."""
        place = self.place
        zone = self._dns.zone(place.domain, place.zone_id)
        records = [one for one in self._dns.records(zone, [place.host]) if one.type in ("A", "AAAA") and one.region]
        wanted = {record.health_check for record in records}
        checks = {check.id: check for check in self._dns.health_checks(lambda check: check.id in wanted)}
        regions: dict[str, HealthCheck | None] = {}
        own: HealthCheck | None = None
        for record in records:
            check = checks.get(record.health_check or "")
            if place.has(record):
                own = own or check
            else:
                name = record.set_identifier or str(record.region)
                regions[name] = regions.get(name) or check
        return Standing(zone, own, tuple(sorted(regions.items(), key=lambda one: one[0]))) if own else None

    # Out.

    def drain(self, why: str, *, forced: bool, stop: Event) -> Drain:
        """Take the region out, unless that would leave too few healthy ones: HeldError. It is marked with who and why.

        Raises ConflictError when its health check was changed meanwhile.
        """
        standing = self._known()
        lock = self._lock(standing.zone)
        self._answers.note()  # before the lock, which is ours for a short time only: servers may be slow to be given up
        with lock.held(stop):
            standing = self._known()
            if standing.drain is not None:
                raise HeldError(f"{self.place.region} is drained already", why=str(standing.drain))
            if not forced:
                self._guard(standing)
            lock.confirm()
            drain = replace(self._drain(why), forced=forced)
            tagged = self._dns.tag_health_check(standing.check, marks(drain))
            after = self._dns.update_health_check(tagged, drained(tagged.config))
            if not lock.is_ours():
                self._undo(after)
                raise HeldError(
                    f"{self.place.region} is not drained", why="its lock was taken over meanwhile", hint="try again"
                )
        return drain

    def wait_until_left(self, stop: Event) -> str:
        """Wait until DNS does not lead here any more, clients have forgotten that it did, and connections have ended.

        How that went, in a few words. Raises DeploymentFailed when the answers do not change, or when stopped.
        """
        told = self._answers.wait_until_left(stop, certain=self._others_in_dns())
        if self.place.grace and stop.wait(self.place.grace):
            raise DeploymentFailed("stopped while connections ended", where=self.place.region)
        return f"{told}, {self.place.grace:.0f} s for connections" if self.place.grace else told

    def _drain(self, why: str) -> Drain:
        since = self._now().isoformat(timespec="seconds")
        return Drain(self._holder.who, since, why, self._holder.deployment_id, self._holder.action)

    def _undo(self, check: HealthCheck) -> None:
        self._dns.tag_health_check(self._dns.update_health_check(check, undrained(check.config)), UNMARKED)

    # The guard.

    def _guard(self, standing: Standing) -> None:
        """Raises HeldError when too few of the other regions are healthy."""
        own = RegionHealth(self.place.region, False, self._dns.status(standing.check).healthy)
        others = values_of([partial(self._health, name, check) for name, check in standing.others])
        refuse_last(own, others, self.place.minimum)

    def _health(self, region: str, check: HealthCheck | None) -> RegionHealth:
        """How another region is seen. Without a health check nobody but we look at it, and that is not enough."""
        if check is None:
            return RegionHealth(region, False, None)
        if check.config.disabled:  # nobody looks at it
            return RegionHealth(region, check.config.drained, None)
        checkers = self._dns.status(check).healthy
        return RegionHealth(region, False, checkers, self._prober.ask(self._probe(check.config)) if checkers else None)

    def _probe(self, config: HealthCheckConfig) -> Probe:
        """What Route 53's checkers ask, asked from here."""
        scheme = "https" if config.type.startswith("HTTPS") else "http"
        port = config.port or (443 if scheme == "https" else 80)
        path = (config.path or "/").lstrip("/")
        address = self._answers.address_of(config.host) if config.host else None
        return Probe(
            f"{scheme}://{config.host}:{port}/{path}",
            connect_to=f"{address}:{port}" if address else None,
            search_string=config.search_string,
        )

    def _others_in_dns(self) -> bool:
        """Whether another region's check counts as healthy: if none does, Route 53 answers as if all did."""
        for _, check in self._known().others:
            if check is None or (check.config.disabled and not check.config.inverted):
                return True
            if not check.config.drained and self._dns.status(check).healthy is not False:
                return True
        return False

    # Back.

    def restore(self) -> None:
        """Put the region back. Whoever calls this has seen it healthy."""
        for left in reversed(range(_TRIES)):
            standing = self._known()
            try:
                if standing.drain is not None:
                    self._dns.update_health_check(standing.check, undrained(standing.check.config))
                break
            except ConflictError:
                if not left:
                    raise
        self._dns.tag_health_check(standing.check, UNMARKED)

    def keep(self, why: str) -> Drain:
        """Make a drain that a dead run has left one that lasts until somebody ends it."""
        drain = self._drain(why)
        self._dns.tag_health_check(self._known().check, marks(drain))
        return drain

    def address(self) -> str | None:
        """An address of the region's own host, as the name servers tell it; None when they don't."""
        return self._answers.address_of(self.place.regional_host)

    def wait_until_back(self, stop: Event) -> str:
        """Wait until DNS leads here again, or say that this was not seen."""
        return self._answers.wait_until_back(stop)

    def snapshot(self) -> HealthStatus:
        """What the checkers have seen up to now."""
        standing = self.look()
        return self._dns.status(standing.check) if standing else HealthStatus()

    def agree(self, before: HealthStatus, stop: Event) -> str:
        """Wait until Route 53's checkers, by looks that are newer than `before`, see the region healthy.

        How many of them do, in words. Raises what `checkers.agree` does.
        """
        standing = self.look()
        if standing is None:
            return "no health check"
        return agree(self._dns, standing.check, before, stop, clock=self._clock, pause=self._pause)

    def tidy(self, stop: Event) -> bool:
        """Take away a lock that a killed run has left; whether there was one. Waits until it is sure."""
        lock = self._lock(self._dns.zone(self.place.domain, self.place.zone_id))
        if lock.look() is None:
            return False
        with lock.held(stop):
            return True

    def is_locked(self) -> bool:
        """Whether somebody holds the lock of drains, or has left it behind."""
        return self._lock(self._dns.zone(self.place.domain, self.place.zone_id)).look() is not None

    def _lock(self, zone: HostedZone) -> DrainLock:
        return DrainLock(self._dns, zone, self.place.host, self._holder, clock=self._clock, pause=self._pause)

    def _known(self) -> Standing:
        """How the region stands, with a health check that is ours to change."""
        standing = self.look()
        if standing is None:
            raise HeldError(
                f"{self.place.host} has no record of {self.place.region} with a health check",
                where=self.place.region,
                hint="`deploy dns apply` makes both",
            )
        if not is_ours(self.place.service, standing.check):
            raise HeldError(
                f"the health check of {self.place.regional_host} was not made by this tool, and is left alone",
                where=standing.check.id,
                hint="`deploy adopt` takes it over",
            )
        return standing


@dataclass(frozen=True)
class Traffic:
    """What is wanted of a region's traffic.

    `drain`: lead it away for the length of the change; `reason` is written down, and with `forced` the guard is not
    asked. `optional`: go on without a drain that the guard refuses, as a rollback does. `judged`: the attempt succeeds
    only when Route 53's checkers agree. `lenient`: whether there is a drain at all is only asked for, and a Route 53
    that does not answer is no error.
    """

    gate: Gate
    drain: bool = False
    reason: str = ""
    forced: bool = False
    optional: bool = False
    judged: bool = False
    lenient: bool = False
