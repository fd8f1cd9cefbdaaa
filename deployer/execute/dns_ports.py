"""The ports of traffic: Route 53, and the load balancers that its records point to.

As in `ports`, every method may raise a `DeployError`: `UnreachableError` when AWS did not answer or did not let us,
`ConfigurationError` when what the user wrote is refused. `ConflictError`: it is no longer as it was seen, and nothing
was changed.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from threading import Event
from typing import Protocol

from deployer.model.dns import (
    Answered,
    HealthCheck,
    HealthCheckConfig,
    HealthStatus,
    HostedZone,
    LoadBalancer,
    RecordChange,
    RecordSet,
)


class Dns(Protocol):
    """Route 53, as one region's profile may use it. Safe to call from threads. Throttled calls are tried again."""

    def zone(self, domain: str, zone_id: str | None = None) -> HostedZone:
        """The public hosted zone of a domain: the one with this id, else the one with the longest name that fits.

        Raises ConfigurationError when there is none, when there are two of the same name, or the id's does not fit.
        """
        ...

    def name_servers(self, zone: HostedZone) -> tuple[str, ...]:
        """The names of the zone's authoritative servers."""
        ...

    def records(self, zone: HostedZone, names: Collection[str]) -> tuple[RecordSet, ...]:
        """All record sets with one of these names, of whatever type."""
        ...

    def change(self, zone: HostedZone, changes: Sequence[RecordChange], comment: str) -> str:
        """Make all these changes, or none of them; the id of the change, for `wait_in_sync`.

        Raises ConflictError when something to be created exists, or something to be deleted isn't as given.
        """
        ...

    def wait_in_sync(self, change: str, *, timeout: float, stop: Event) -> None:
        """Wait until all of Route 53's servers answer with the change. It does not tell of changes of health checks.

        Raises DeploymentFailed after `timeout` seconds, or when `stop` is set.
        """
        ...

    def health_checks(self, wanted: Callable[[HealthCheck], bool]) -> tuple[HealthCheck, ...]:
        """Those health checks of the account that are wanted, with their tags; `wanted` sees them without."""
        ...

    def create_health_check(
        self, references: Iterable[str], config: HealthCheckConfig, tags: Mapping[str, str]
    ) -> HealthCheck:
        """Make a health check, with the first of the references (CallerReference) that was not used up.

        One that was made with the same reference and the same settings before is given back; a reference stays used up
        after its health check was deleted.
        """
        ...

    def update_health_check(self, check: HealthCheck, config: HealthCheckConfig) -> HealthCheck:
        """Give it these settings, all but `type` and `interval`, which cannot be changed.

        Raises ConflictError when somebody else has changed it since it was seen as `check`.
        """
        ...

    def delete_health_check(self, check: HealthCheck) -> None:
        """Delete it; one that is gone already is no error."""
        ...

    def tag_health_check(self, check: HealthCheck, tags: Mapping[str, str | None]) -> HealthCheck:
        """Set tags, and take away those that are None; the check as it is then.

        Characters that no tag may have become `_`.
        """
        ...

    def status(self, check: HealthCheck) -> HealthStatus:
        """What Route 53's checkers saw last."""
        ...


class NameServers(Protocol):
    """Authoritative name servers, asked directly: no cache is in between. Safe to call from threads."""

    def ask(self, server: str, host: str, client: str | None = None) -> Answered | None:
        """What a server (`ns-1.example.net`, `127.0.0.1:5353`) answers for a host, over IPv4.

        `client` is an address near the client that is asked for (EDNS client subnet). None when it does not answer, or
        not with authority. Never raises.
        """
        ...


class LoadBalancers(Protocol):
    """The load balancers of one AWS region."""

    def find(self, name: str) -> LoadBalancer | None:
        """The load balancer with this DNS name (with or without `dualstack.`); None when the account has none such."""
        ...
