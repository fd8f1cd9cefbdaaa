"""Route 53 as we see it: zones, record sets, health checks, and the load balancers that records point to.

Names of hosts are in lower case and without a final dot, wildcards as `*.example.com`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

RecordAction = Literal["CREATE", "UPSERT", "DELETE"]

HEALTHY_SHARE = 0.18
"""An endpoint is healthy when more than this share of the checkers say so (page "How Amazon Route 53 determines
whether a health check is healthy")."""


@dataclass(frozen=True)
class HostedZone:
    """A public hosted zone. `id` goes without `/hostedzone/`."""

    id: str
    name: str

    def holds(self, name: str) -> bool:
        """Whether a host's records are in this zone."""
        return name == self.name or name.endswith(f".{self.name}")


@dataclass(frozen=True)
class AliasTarget:
    """Where an alias points: a name in a zone of AWS (a load balancer's) or of ours."""

    zone_id: str
    name: str
    evaluate_health: bool


@dataclass(frozen=True)
class RecordSet:
    """One resource record set: an `alias`, or `ttl` (seconds) and `values` as in a zone file (TXT in quotes).

    `set_identifier`, `region` and `health_check` are those of latency-based routing. `other` are the fields of other
    routing policies as the API spells them (`Weight`, `Failover`, …): kept, since a deletion has to name them all.
    """

    name: str
    type: str
    ttl: int | None = None
    values: tuple[str, ...] = ()
    alias: AliasTarget | None = None
    set_identifier: str | None = None
    region: str | None = None
    health_check: str | None = None
    other: Mapping[str, Any] = field(default_factory=dict)

    @property
    def key(self) -> tuple[str, str, str | None]:
        """What makes it the same record set: name, type and set identifier."""
        return self.name, self.type, self.set_identifier

    @property
    def destination(self) -> str:
        """Where it leads, for people."""
        return self.alias.name if self.alias else ", ".join(self.values)

    def __str__(self) -> str:
        return f"{self.name} {self.type}" + (f" ({self.set_identifier})" if self.set_identifier else "")


@dataclass(frozen=True)
class RecordChange:
    """One change of a batch. A DELETE has to name the record set exactly as it is."""

    action: RecordAction
    record: RecordSet


@dataclass(frozen=True)
class HealthCheckConfig:
    """What is asked, how often, and what is made of it. `interval` is in seconds.

    `type` is `HTTP`, `HTTPS`, `HTTP_STR_MATCH` or `HTTPS_STR_MATCH` for those that we make. `disabled` alone counts as
    healthy, `disabled` and `inverted` as unhealthy: that is a drain. `other` are further fields as the API spells them.
    """

    type: str
    host: str | None
    port: int | None
    path: str | None = None
    search_string: str | None = None
    interval: int = 30
    failure_threshold: int = 3
    enable_sni: bool = False
    inverted: bool = False
    disabled: bool = False
    other: Mapping[str, Any] = field(default_factory=dict)

    @property
    def drained(self) -> bool:
        """Whether it counts as unhealthy whatever the checkers would see."""
        return self.disabled and self.inverted


@dataclass(frozen=True)
class HealthCheck:
    """A health check. `reference` is the CallerReference it was made with; `version` counts its updates."""

    id: str
    reference: str
    version: int
    config: HealthCheckConfig
    tags: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Observation:
    """What one of Route 53's checkers saw last. `region` is the checker's, `text` its words."""

    region: str
    address: str
    text: str
    checked: datetime | None = None

    @property
    def healthy(self) -> bool:
        """Whether the endpoint answered it well."""
        return self.text.startswith("Success")


@dataclass(frozen=True)
class HealthStatus:
    """What all checkers of a health check saw last. Empty while it is new."""

    observations: tuple[Observation, ...] = ()

    @property
    def agreeing(self) -> int:
        """How many checkers saw it healthy."""
        return sum(one.healthy for one in self.observations)

    @property
    def healthy(self) -> bool | None:
        """What the checkers make of the endpoint by their last looks; None while there were none."""
        if not self.observations:
            return None
        return self.agreeing > HEALTHY_SHARE * len(self.observations)


@dataclass(frozen=True)
class Answered:
    """What a name server answers for a host: its addresses, none when it has none, and for how many seconds."""

    addresses: frozenset[str]
    ttl: int = 0


@dataclass(frozen=True)
class LoadBalancer:
    """A load balancer: `zone_id` is the hosted zone that an alias to it names; `dual_stack`: it has IPv6 as well."""

    name: str
    zone_id: str
    dual_stack: bool = False


def normal_name(name: str) -> str:
    """A name as we keep it: `MYAPP.example.com.` → `myapp.example.com`, `\\052.x.` → `*.x`."""
    return name.lower().replace("\\052", "*").rstrip(".")
