"""The plan of an app's DNS: what is there, what will change, and what stands against it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from deployer.model import Target
from deployer.model.dns import HealthCheck, HealthCheckConfig, RecordChange, RecordSet
from deployer.plan.dns.facts import Entrance, Service

CheckAction = Literal["none", "create", "update", "replace"]


@dataclass(frozen=True)
class CheckStep:
    """What a region's health check needs. `live` is the one that is there.

    `replace`: what differs cannot be changed, so that a new one takes its place. `differences` name the fields.
    """

    action: CheckAction
    config: HealthCheckConfig
    tags: Mapping[str, str]
    live: HealthCheck | None = None
    differences: tuple[str, ...] = ()


@dataclass(frozen=True)
class RegionPlan:
    """What one region of an app needs.

    `regional` are changes of its own host, made first; `latency` those of the global host, made once the regional host
    has answered: their records get the health check then. `record` is the global host's A record as it is now.
    `obsolete` are health checks of ours that nothing needs any more. `conflicts` are records of somebody else that
    stand against it; with those taken over, the changes are in the lists. `notes` are worth knowing.
    """

    service: Service
    entrance: Entrance
    check: CheckStep
    regional: tuple[RecordChange, ...] = ()
    latency: tuple[RecordChange, ...] = ()
    record: RecordSet | None = None
    obsolete: tuple[HealthCheck, ...] = ()
    conflicts: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def target(self) -> Target:
        """The region's target."""
        return self.entrance.target

    @property
    def host(self) -> str:
        """The regional host."""
        return self.service.regional_host(self.target.region)

    @property
    def changes_anything(self) -> bool:
        """Whether there is something to do."""
        return bool(self.regional or self.latency or self.obsolete) or self.check.action != "none"

    @property
    def changes(self) -> tuple[str, ...]:
        """What will be done, in the order of doing, for people."""
        host = self.host
        checks = {
            "none": [],
            "create": [f"create the health check of {host}"],
            "update": [f"update the health check of {host}: {', '.join(self.check.differences)}"],
            "replace": [f"replace the health check of {host}: {', '.join(self.check.differences)}"],
        }
        return (
            *map(described, self.regional),
            *checks[self.check.action],
            *map(described, self.latency),
            *(f"delete the health check {check.id}, which nothing needs" for check in self.obsolete),
        )


@dataclass(frozen=True)
class Leftovers:
    """What is ours and belongs to no region of the app any more."""

    records: tuple[RecordSet, ...] = ()
    checks: tuple[HealthCheck, ...] = ()

    @property
    def lines(self) -> tuple[str, ...]:
        """Each of them, for people."""
        return (
            *(f"{record} → {record.destination}" for record in self.records),
            *(f"health check {check.id} of {check.config.host}" for check in self.checks),
        )

    def __bool__(self) -> bool:
        return bool(self.records or self.checks)


@dataclass(frozen=True)
class ServicePlan:
    """What an app needs in the regions that were asked for, and what is left of regions that it no longer has."""

    service: Service
    regions: tuple[RegionPlan, ...]
    leftovers: Leftovers = field(default_factory=Leftovers)
    notes: tuple[str, ...] = ()


def described(change: RecordChange) -> str:
    """`create myapp.example.com A (london) → lb…`."""
    verbs = {"CREATE": "create", "UPSERT": "change", "DELETE": "delete"}
    arrow = "" if change.action == "DELETE" else f" → {change.record.destination}"
    return f"{verbs[change.action]} {change.record}{arrow}"
