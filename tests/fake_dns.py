"""Fakes of the ports of traffic: a Route 53 and load balancers in memory."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from threading import Event, RLock

from deployer.errors import ConflictError, DeployError, UnreachableError
from deployer.model.dns import (
    HealthCheck,
    HealthCheckConfig,
    HealthStatus,
    HostedZone,
    LoadBalancer,
    Observation,
    RecordChange,
    RecordSet,
)

ZONE = HostedZone("Z1", "example.com")


@dataclass
class FakeDns:
    """One zone, its record sets, and health checks. `done` tells what was changed, in order; `down` is raised always.

    References stay used up after a deletion, and what is created or deleted must fit, as with Route 53. A health check
    without a status in `seen` is seen healthy by all.
    """

    zone_: HostedZone = ZONE
    stored: dict[tuple[str, str, str | None], RecordSet] = field(default_factory=dict)
    checks: dict[str, HealthCheck] = field(default_factory=dict)
    seen: dict[str, HealthStatus] = field(default_factory=dict)
    used: dict[str, HealthCheckConfig] = field(default_factory=dict)
    batches: list[tuple[RecordChange, ...]] = field(default_factory=list)
    done: list[str] = field(default_factory=list)
    down: DeployError | None = None
    looks: int = 0
    """The checkers go on looking: each time they are asked about, what they saw is new."""
    refuses: str | None = None
    """The host of which no health check is made."""
    react: Callable[[FakeDns], None] = lambda dns: None
    _atomic: RLock = field(default_factory=RLock)

    def add(self, *records: RecordSet) -> None:
        """Let records be there that somebody has made."""
        self.stored |= {record.key: record for record in records}

    def zone(self, domain: str, zone_id: str | None = None) -> HostedZone:
        self._ask()
        return self.zone_

    def name_servers(self, zone: HostedZone) -> tuple[str, ...]:
        return ("ns-1.example.net",)

    def records(self, zone: HostedZone, names: Collection[str]) -> tuple[RecordSet, ...]:
        self._ask()
        with self._atomic:
            return tuple(record for record in self.stored.values() if record.name in names)

    def change(self, zone: HostedZone, changes: Sequence[RecordChange], comment: str) -> str:
        self._ask()
        with self._atomic:
            after = dict(self.stored)
            for change in changes:
                record = change.record
                if change.action == "CREATE" and record.key in after:
                    raise ConflictError("somebody else has changed the records meanwhile", why="it already exists")
                if change.action == "DELETE" and after.pop(record.key, None) != record:
                    raise ConflictError("somebody else has changed the records meanwhile", why="it was not found")
                if record.health_check is not None and record.health_check not in self.checks:
                    raise ConflictError("a health check is gone that a record needs")
                if change.action != "DELETE":
                    after[record.key] = record
            self.stored = after
            self.batches.append(tuple(changes))
            self.done += [f"{change.action} {change.record}" for change in changes]
            return f"C{len(self.batches)}"

    def wait_in_sync(self, change: str, *, timeout: float, stop: Event) -> None:
        self.done.append(f"in sync {change}")

    def health_checks(self, wanted: Callable[[HealthCheck], bool]) -> tuple[HealthCheck, ...]:
        self._ask()
        with self._atomic:
            return tuple(check for check in self.checks.values() if wanted(replace(check, tags={})))

    def create_health_check(
        self, references: Iterable[str], config: HealthCheckConfig, tags: Mapping[str, str]
    ) -> HealthCheck:
        self._ask()
        with self._atomic:
            if config.host == self.refuses:
                raise UnreachableError("Route 53 refused route53:CreateHealthCheck")
            for reference in references:
                existing = [check for check in self.checks.values() if check.reference == reference]
                if reference in self.used and (not existing or self.used[reference] != config):
                    continue
                check = existing[0] if existing else HealthCheck(f"check-{len(self.used) + 1}", reference, 1, config)
                self.used[reference] = config
                self.checks[check.id] = replace(check, tags=dict(tags))
                self.done.append(f"create {check.id} of {config.host}")
                return self.checks[check.id]
            raise AssertionError("all references are used up")

    def update_health_check(self, check: HealthCheck, config: HealthCheckConfig) -> HealthCheck:
        self._ask()
        with self._atomic:
            if self.checks.get(check.id, check).version != check.version or check.id not in self.checks:
                raise ConflictError("somebody else has changed the health check")
            self.checks[check.id] = replace(self.checks[check.id], config=config, version=check.version + 1)
            self.done.append(f"update {check.id}")
            return self.checks[check.id]

    def delete_health_check(self, check: HealthCheck) -> None:
        self._ask()
        with self._atomic:
            self.checks.pop(check.id, None)
            self.done.append(f"delete {check.id}")

    def tag_health_check(self, check: HealthCheck, tags: Mapping[str, str | None]) -> HealthCheck:
        self._ask()
        with self._atomic:
            both = {**self.checks[check.id].tags, **tags}
            kept = {key: value for key, value in both.items() if value is not None}
            self.checks[check.id] = replace(self.checks[check.id], tags=kept)
            self.done.append(f"tag {check.id}")
            return self.checks[check.id]

    def status(self, check: HealthCheck) -> HealthStatus:
        self._ask()
        with self._atomic:
            self.looks += 1
            found = self.seen.get(check.id, seen_by(16, 16))
            now = datetime.fromtimestamp(self.looks, UTC)
            return HealthStatus(tuple(replace(one, checked=now) for one in found.observations))

    def _ask(self) -> None:
        self.react(self)
        if self.down:
            raise self.down


class FakeLoadBalancers:
    """Load balancers by name."""

    def __init__(self, *known: LoadBalancer) -> None:
        self.known = {balancer.name: balancer for balancer in known}

    def find(self, name: str) -> LoadBalancer | None:
        return self.known.get(name.lower().removeprefix("dualstack."))


def seen_by(well: int, checkers: int) -> HealthStatus:
    """What so many checkers see, some of them `well`."""
    texts = ["Success: HTTP Status Code 200, OK"] * well + ["Failure: Connection refused"] * (checkers - well)
    return HealthStatus(tuple(Observation("eu-west-1", f"203.0.113.{n}", text) for n, text in enumerate(texts, 1)))
