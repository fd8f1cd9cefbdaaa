"""Hosted zones, record sets, health checks and load balancers, as the AWS endpoint hands them to the name servers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Self

ALIAS_TTL = 60
"""Seconds that an answer from an alias to a load balancer may be kept."""


def normal(name: str) -> str:
    """A domain name as the simulation keeps it: lower case, ending in a dot, a wildcard as `*`."""
    return name.lower().replace("\\052", "*").rstrip(".") + "."


@dataclass(frozen=True, slots=True)
class Alias:
    """Where an alias record points: a load balancer or another record of the same zone."""

    name: str
    zone: str
    evaluate_health: bool


@dataclass(frozen=True, slots=True)
class RecordSet:
    """One resource record set. Either `alias`, or `ttl` in seconds and `values` as in a zone file."""

    name: str
    type: str
    ttl: int | None = None
    values: tuple[str, ...] = ()
    identifier: str | None = None
    region: str | None = None
    health_check: str | None = None
    alias: Alias | None = None

    @property
    def key(self) -> tuple[str, str, str | None]:
        """What makes it the same record set: name, type and set identifier."""
        return self.name, self.type, self.identifier

    def equals(self, other: RecordSet) -> bool:
        """Whether all values are the same; those of the resource records in any order."""
        return self._comparable() == other._comparable()

    def _comparable(self) -> tuple[object, ...]:
        alias = self.alias and (normal(self.alias.name), self.alias.zone, self.alias.evaluate_health)
        return (*self.key, self.ttl, sorted(self.values), self.region, self.health_check, alias)

    @classmethod
    def of(cls, content: Mapping[str, Any]) -> Self:
        """From the JSON form that `dataclasses.asdict` gives."""
        alias = content["alias"]
        fields = {**content, "values": tuple(content["values"]), "alias": Alias(**alias) if alias else None}
        return cls(**fields)


@dataclass(frozen=True, slots=True)
class HealthCheck:
    """The settings of a health check of an endpoint; `interval` is in seconds."""

    id: str
    type: str
    host: str | None = None
    address: str | None = None
    port: int = 80
    path: str = ""
    search: str | None = None
    interval: int = 30
    threshold: int = 3
    inverted: bool = False
    disabled: bool = False
    sni: bool = False
    regions: tuple[str, ...] = ()
    version: int = 1

    @classmethod
    def of(cls, content: Mapping[str, Any]) -> Self:
        """From the JSON form that `dataclasses.asdict` gives."""
        return cls(**{**content, "regions": tuple(content["regions"])})


@dataclass(frozen=True, slots=True)
class Zone:
    """A public hosted zone."""

    id: str
    name: str
    records: tuple[RecordSet, ...]


@dataclass(frozen=True, slots=True)
class LoadBalancer:
    """A load balancer of ELBv2: its DNS name, its AWS region and the hosted zone for aliases to it."""

    name: str
    region: str
    zone: str


@dataclass(frozen=True, slots=True)
class State:
    """All that Route 53 is told. `serial` counts the changes; `process` names the AWS endpoint that counts them."""

    process: str = ""
    serial: int = 0
    zones: tuple[Zone, ...] = ()
    checks: Mapping[str, HealthCheck] = field(default_factory=dict)
    load_balancers: Mapping[str, LoadBalancer] = field(default_factory=dict)

    def json(self) -> dict[str, Any]:
        """Its JSON form."""
        return asdict(self)

    @classmethod
    def of(cls, content: Mapping[str, Any]) -> Self:
        """From its JSON form."""
        zones = tuple(
            Zone(each["id"], each["name"], tuple(RecordSet.of(record) for record in each["records"]))
            for each in content["zones"]
        )
        checks = {name: HealthCheck.of(each) for name, each in content["checks"].items()}
        balancers = {name: LoadBalancer(**each) for name, each in content["load_balancers"].items()}
        return cls(content["process"], content["serial"], zones, checks, balancers)
