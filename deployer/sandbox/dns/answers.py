"""Decides what Route 53 answers to a question: which record sets, chosen by health and by the client's region."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from enum import Enum

from deployer.sandbox.dns.geography import latency, region_address
from deployer.sandbox.dns.records import ALIAS_TTL, LoadBalancer, RecordSet, State, Zone, normal

_LONGEST_CHAIN = 8
"""Aliases and CNAMEs that are followed before a loop is assumed."""


class Code(Enum):
    """The outcome of a question. NODATA is NOERROR without an answer."""

    NOERROR = "NOERROR"
    NODATA = "NODATA"
    NXDOMAIN = "NXDOMAIN"
    REFUSED = "REFUSED"


@dataclass(frozen=True, slots=True)
class Answered:
    """Records of one owner name and type: `ttl` in seconds, values as in a zone file."""

    name: str
    type: str
    ttl: int
    values: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Answer:
    """What is answered. `zone` is the hosted zone that the question belongs to, whose SOA a negative answer shows."""

    code: Code
    records: tuple[Answered, ...] = ()
    zone: Zone | None = None


@dataclass(frozen=True)
class View:
    """What a name server knows: the state, and how healthy the checks and load balancers are."""

    state: State
    is_healthy: Callable[[str], bool] = field(default=lambda check: True)
    """Health check id → whether it counts as healthy."""
    balancer_is_healthy: Callable[[LoadBalancer], bool] = field(default=lambda balancer: True)

    def answer(self, name: str, type_: str, client: str) -> Answer:
        """The answer to a question from a client in the AWS region `client`."""
        wanted = normal(name)
        balancer = self._balancer(wanted)
        if balancer is not None:
            address = region_address(balancer.region)
            if type_ != "A" or address is None:
                return Answer(Code.NODATA)
            return Answer(Code.NOERROR, (Answered(wanted, "A", ALIAS_TTL, (address,)),))
        zone = self._zone(wanted)
        if zone is None:
            return Answer(Code.REFUSED)
        return self._in_zone(zone, wanted, type_, client, ())

    def healthy(self, zone: Zone, record: RecordSet, depth: int = 0) -> bool:
        """Whether a record is: its health check's status and, where it evaluates that, its target's health."""
        if record.health_check is not None and not self.is_healthy(record.health_check):
            return False
        if record.alias is None or not record.alias.evaluate_health:
            return True
        balancer = self._balancer(record.alias.name)
        if balancer is not None:
            return self.balancer_is_healthy(balancer)
        targets = _matching(zone, normal(record.alias.name), record.type)
        return depth < _LONGEST_CHAIN and any(self.healthy(zone, target, depth + 1) for target in targets)

    def _in_zone(self, zone: Zone, name: str, type_: str, client: str, chain: tuple[Answered, ...]) -> Answer:
        owner = _owner(zone, name)
        if owner is None:
            return Answer(Code.NOERROR if chain else Code.NXDOMAIN, chain, zone)
        group = [record for record in zone.records if record.name == owner and record.type == type_]
        if not group and type_ != "CNAME":
            aliased = [record for record in zone.records if record.name == owner and record.type == "CNAME"]
            if aliased and len(chain) < _LONGEST_CHAIN:
                return self._follow(zone, name, self._choose(zone, aliased, client), type_, client, chain)
        if not group:
            return Answer(Code.NOERROR if chain else Code.NODATA, chain, zone)
        found = self._values(zone, name, self._choose(zone, group, client), client, 0)
        if found is None:
            return Answer(Code.NOERROR if chain else Code.NODATA, chain, zone)
        return Answer(Code.NOERROR, (*chain, found), zone)

    def _follow(
        self, zone: Zone, name: str, record: RecordSet, type_: str, client: str, chain: tuple[Answered, ...]
    ) -> Answer:
        link = self._values(zone, name, record, client, 0)
        if link is None:
            return Answer(Code.NODATA, chain, zone)
        target, chain = normal(link.values[0]), (*chain, link)
        if self._zone(target) is not zone:
            return Answer(Code.NOERROR, chain, zone)
        return self._in_zone(zone, target, type_, client, chain)

    def _choose(self, zone: Zone, group: Sequence[RecordSet], client: str) -> RecordSet:
        """Of the healthy ones the nearest; where none is healthy, of all."""
        healthy = [record for record in group if self.healthy(zone, record)] or group
        return min(healthy, key=lambda record: latency(client, record.region or ""))

    def _values(self, zone: Zone, name: str, record: RecordSet, client: str, depth: int) -> Answered | None:
        """The record's values as those of `name`, aliases resolved; None when the target has none."""
        if record.alias is None:
            return Answered(name, record.type, record.ttl or 0, record.values)
        balancer = self._balancer(record.alias.name)
        if balancer is not None:
            address = region_address(balancer.region)
            return Answered(name, "A", ALIAS_TTL, (address,)) if address and record.type == "A" else None
        targets = _matching(zone, normal(record.alias.name), record.type)
        if not targets or depth >= _LONGEST_CHAIN:
            return None
        return self._values(zone, name, self._choose(zone, targets, client), client, depth + 1)

    def _balancer(self, name: str) -> LoadBalancer | None:
        return self.state.load_balancers.get(normal(name).removeprefix("dualstack."))

    def _zone(self, name: str) -> Zone | None:
        """The zone with the longest name that the name is in."""
        return max(
            (zone for zone in self.state.zones if is_in(name, zone.name)), key=lambda zone: len(zone.name), default=None
        )


def is_in(name: str, zone: str) -> bool:
    """Whether a normal name is the zone's own or below it."""
    return name == zone or name.endswith(f".{zone}")


def _matching(zone: Zone, name: str, type_: str) -> list[RecordSet]:
    owner = _owner(zone, name)
    return [record for record in zone.records if record.name == owner and record.type == type_]


def _owner(zone: Zone, name: str) -> str | None:
    """The name whose records answer for `name`: itself, or the wildcard next to its closest encloser (RFC 4592).

    A name that only has others below it exists too, and has no records.
    """
    names = {record.name for record in zone.records}
    if _exists(names, name):
        return name
    encloser = name
    while encloser != zone.name:
        encloser = encloser.partition(".")[2]
        if _exists(names, encloser):
            break
    wildcard = f"*.{encloser}"
    return wildcard if wildcard in names else None


def _exists(names: Iterable[str], name: str) -> bool:
    return any(is_in(each, name) for each in names)
