"""What the zone's name servers answer for an app: whether DNS leads to a region, and how long clients believe it."""

from __future__ import annotations

import time
from collections.abc import Callable
from threading import Event

from deployer.errors import DeploymentFailed
from deployer.execute.dns_ports import Dns, NameServers
from deployer.model.dns import Answered
from deployer.plan.drain import Place

TTL = 60
"""Seconds for which an alias to a load balancer may be kept (Route 53 API, ResourceRecordSet, `TTL`)."""

PATIENCE = 90.0
"""Seconds for Route 53's servers to answer by a health check that was changed: most know it within a few."""


class Answers:
    """The name servers' answers about one region, asked for as a client near its load balancer."""

    def __init__(
        self,
        place: Place,
        dns: Dns,
        name_servers: NameServers,
        *,
        clock: Callable[[], float] = time.monotonic,
        pause: float = 1.0,
    ) -> None:
        self._place = place
        self._dns = dns
        self._name_servers = name_servers
        self._clock = clock
        self._pause = pause
        self._servers: tuple[str, ...] | None = place.servers or None
        self._own: frozenset[str] = frozenset()
        self._ttl = TTL

    def address_of(self, host: str) -> str | None:
        """An address of a host; None when no server tells."""
        for server in self._all():
            answered = self._name_servers.ask(server, host)
            if answered is not None:
                return min(answered.addresses, default=None)
        return None

    def note(self) -> None:
        """Before a drain: remember the region's addresses, and for how long clients keep what they are told."""
        for server in self._all():
            if answered := self._name_servers.ask(server, self._place.regional_host):
                self._own |= answered.addresses
        ttls = [answered.ttl for answered in self._near() if answered.addresses]
        self._ttl = max(ttls, default=TTL)

    def wait_until_left(self, stop: Event, *, certain: bool) -> str:
        """Wait until no server leads here, and until clients have forgotten that one did; how that went.

        Not `certain`: no other region is healthy, so that Route 53 goes on with this one. Raises DeploymentFailed when
        the answers stay as they are, or when stopped.
        """
        if not self._own:
            self.note()
        if not certain:
            told = "DNS goes on with it, since no other region is healthy"
        elif not self._own:
            told = "its name servers could not be asked"
            self._sleep(TTL, stop)  # for all of them to know it
        else:
            told = self._wait_for(lambda found: not found, stop)
        return f"{told}, {self.wait_until_forgotten(stop)}"

    def wait_until_forgotten(self, stop: Event) -> str:
        """Wait until clients have forgotten what servers told them until now. Raises DeploymentFailed when stopped."""
        self._sleep(self._ttl, stop)
        return f"waited {self._ttl} s for DNS caches"

    def wait_until_back(self, stop: Event) -> str:
        """Wait until all servers lead here again; how that went. Nothing is wrong when it isn't seen."""
        if not self._own:
            self.note()
        if not self._own:
            return "its name servers could not be asked"
        try:
            return self._wait_for(bool, stop)
        except DeploymentFailed as error:
            return str(error.why or error.what)

    def _wait_for(self, wanted: Callable[[frozenset[str]], bool], stop: Event) -> str:
        began = self._clock()
        while True:
            answers = self._near()
            if answers and all(wanted(answered.addresses & self._own) for answered in answers):
                return f"{len(answers)} name server{'s' if len(answers) != 1 else ''} answered so"
            if stop.is_set():
                raise DeploymentFailed("stopped while DNS changed", where=self._place.region)
            if self._clock() - began >= PATIENCE:
                raise DeploymentFailed(
                    f"DNS did not follow the drain of {self._place.region}",
                    where=self._place.host,
                    why=f"after {PATIENCE:.0f} s the name servers still answer as before",
                )
            stop.wait(min(self._pause, 1.0))

    def _near(self) -> list[Answered]:
        """What each server that answers tells a client beside the region's load balancer."""
        client = min(self._own, default=None)
        asked = [self._name_servers.ask(server, self._place.host, client) for server in self._all()]
        return [answered for answered in asked if answered is not None]

    def _all(self) -> tuple[str, ...]:
        if self._servers is None:
            self._servers = self._dns.name_servers(self._dns.zone(self._place.domain, self._place.zone_id))
        return self._servers

    def _sleep(self, seconds: float, stop: Event) -> None:
        if stop.wait(seconds):
            raise DeploymentFailed("stopped while clients left", where=self._place.region)
