"""The port `Dns`, made of what asks for zones, records and health checks."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from threading import Event

from deployer.adapters.aws.route53 import checks, records, zones
from deployer.adapters.aws.session import Session
from deployer.model.dns import (
    HealthCheck,
    HealthCheckConfig,
    HealthStatus,
    HostedZone,
    RecordChange,
    RecordSet,
)


class Route53:
    """Route 53 with one profile's credentials. It is one service for all AWS regions. Safe to share between threads."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def zone(self, domain: str, zone_id: str | None = None) -> HostedZone:
        """The public hosted zone of a domain. Raises ConfigurationError when it is not one and one only."""
        return zones.find(self._session, domain, zone_id)

    def name_servers(self, zone: HostedZone) -> tuple[str, ...]:
        """The names of the zone's authoritative servers."""
        return zones.name_servers(self._session, zone)

    def records(self, zone: HostedZone, names: Collection[str]) -> tuple[RecordSet, ...]:
        """All record sets with one of these names."""
        return records.with_names(self._session, zone, names)

    def change(self, zone: HostedZone, changes: Sequence[RecordChange], comment: str) -> str:
        """Make all changes or none. Raises ConflictError when the zone is not as the changes suppose."""
        return records.change(self._session, zone, changes, comment)

    def wait_in_sync(self, change: str, *, timeout: float, stop: Event) -> None:
        """Wait until all servers know the change. Raises DeploymentFailed after `timeout` seconds or a stop."""
        records.wait_in_sync(self._session, change, timeout=timeout, stop=stop)

    def health_checks(self, wanted: Callable[[HealthCheck], bool]) -> tuple[HealthCheck, ...]:
        """Those health checks of the account that are wanted, with their tags."""
        return checks.listed(self._session, wanted)

    def create_health_check(
        self, references: Iterable[str], config: HealthCheckConfig, tags: Mapping[str, str]
    ) -> HealthCheck:
        """Make a health check, or find the one that this very request made before."""
        return checks.create(self._session, references, config, tags)

    def update_health_check(self, check: HealthCheck, config: HealthCheckConfig) -> HealthCheck:
        """Give it other settings. Raises ConflictError when it has changed since it was seen."""
        return checks.update(self._session, check, config)

    def delete_health_check(self, check: HealthCheck) -> None:
        """Delete it; one that is gone already is no error."""
        checks.delete(self._session, check)

    def tag_health_check(self, check: HealthCheck, tags: Mapping[str, str | None]) -> HealthCheck:
        """Set tags, and take away those that are None."""
        return checks.tag(self._session, check, tags)

    def status(self, check: HealthCheck) -> HealthStatus:
        """What the checkers saw last."""
        return checks.status(self._session, check)
