"""Facts in, plan out: each region's health check, its own host's record, and its part of the global host."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from deployer.model.dns import AliasTarget, HealthCheck, RecordChange, RecordSet
from deployer.plan.dns.checks import plan_check
from deployer.plan.dns.facts import Entrance, Seen, Service
from deployer.plan.dns.ownership import heritage, is_ours, marked_by, marker_name, region_of
from deployer.plan.dns.steps import Leftovers, RegionPlan, ServicePlan

_MARKER_TTL = 300
_ADDRESSES = ("A", "AAAA")


def plan_service(
    service: Service, entrances: Sequence[Entrance], seen: Seen, *, adopt: Collection[str] = ()
) -> ServicePlan:
    """The plan of an app. `entrances` are those of the regions that were asked for.

    `adopt` are the regions in which records and health checks that somebody else has made are taken over.
    """
    ours = {check.id: region_of(service, check) for check in seen.checks if is_ours(service, check)}
    regions = tuple(
        _Region(service, entrance, seen, ours, adopt=entrance.target.region in adopt).plan() for entrance in entrances
    )
    gone = {change.record.key for region in regions for change in region.latency if change.action == "DELETE"}
    with_ipv6 = {entrance.target.region for entrance in entrances if entrance.balancer.dual_stack}
    notes = []
    if with_ipv6 and len(with_ipv6) < len(entrances):
        notes.append(f"only {', '.join(sorted(with_ipv6))} has IPv6: clients that use it all go there")
    return ServicePlan(service, regions, _leftovers(service, seen, ours, gone), tuple(notes))


@dataclass
class _Region:
    """One region on its way from facts to plan; the lists grow."""

    service: Service
    entrance: Entrance
    seen: Seen
    ours: Mapping[str, str | None]
    adopt: bool
    conflicts: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def plan(self) -> RegionPlan:
        service, entrance, host = self.service, self.entrance, self.service.host
        region = entrance.target.region
        taken = [record.health_check for record in self.seen.named(host) if self._stands_for_us(record)]
        check, obsolete = plan_check(service, entrance, self.seen, taken if self.adopt else ())
        regional = [*self._regional()]
        keep = check.live.id if check.live else None
        latency = [*self._latency(keep, replaced=check.action in ("create", "replace"))] if entrance.global_too else []
        if not entrance.global_too:
            self.notes.append(f"no Ingress in {region} serves {host}: it gets no record there")
        record = next((each for each in self.seen.named(host) if each.type == "A" and self._stands_for_us(each)), None)
        used = {each.health_check for each in self.seen.records}
        return RegionPlan(
            service,
            entrance,
            check,
            tuple(regional),
            tuple(latency),
            record,
            tuple(each for each in obsolete if each.id not in used),
            tuple(self.conflicts),
            tuple(self.notes),
        )

    # The regional host.

    def _regional(self) -> Iterator[RecordChange]:
        host = self.service.regional_host(self.entrance.target.region)
        marker, exact = self.seen.named(marker_name(host)), self.seen.named(host)
        exact = [record for record in exact if record.type in (*_ADDRESSES, "CNAME")]
        value = heritage(self.service, self.entrance.target.region)
        marked = any(value in record.values for record in marker)
        if not marked and not self.adopt:
            if exact and all(self._leads_here(record) for record in exact):
                return  # somebody else's, and right
            if exact:
                self.conflicts.append(_conflict(exact, f"the load balancer of {host}"))
                return
            if self._wildcard_serves(host):
                return
        elif not exact and not marked and self._wildcard_serves(host):
            return
        if not marked and any(record.type == "TXT" for record in marker):
            self.conflicts.append(_conflict(marker, f"the sign that {host} is ours"))
            return
        wanted = self._aliases(RecordSet(host, "A"), evaluate_health=False)
        changes = [*_changes(wanted, exact)]
        if changes or not marked:
            yield from changes
        if not marked:
            yield RecordChange("CREATE", RecordSet(marker_name(host), "TXT", _MARKER_TTL, (value,)))

    def _wildcard_serves(self, host: str) -> bool:
        name = f"*.{host.partition('.')[2]}"
        found = [record for record in self.seen.named(name) if record.type in (*_ADDRESSES, "CNAME")]
        if not found:
            return False
        if all(self._leads_here(record) for record in found):
            return True
        where = ", ".join(dict.fromkeys(record.destination for record in found))
        self.notes.append(f"{name} goes to {where}: {host} gets a record of its own")
        return False

    def _leads_here(self, record: RecordSet) -> bool:
        """Whether a record, whoever made it, goes to the region's load balancer."""
        names = [record.alias.name] if record.alias else list(record.values) if record.type == "CNAME" else []
        here = self.entrance.balancer.name
        return bool(names) and all(_plain(name) == here for name in names) and record.set_identifier is None

    # The global host.

    def _latency(self, check: str | None, *, replaced: bool) -> Iterator[RecordChange]:
        service, entrance = self.service, self.entrance
        region = entrance.target.region
        wanted = self._aliases(
            RecordSet(service.host, "A", set_identifier=region, region=entrance.aws_region, health_check=check),
            evaluate_health=True,
        )
        present = [record for record in self.seen.named(service.host) if record.type in (*_ADDRESSES, "CNAME")]
        mine = [record for record in present if self._is_mine(record) and self._stands_for_us(record)]
        in_the_way = [record for record in present if record not in mine and self._in_the_way(record, wanted)]
        twins = [record for record in in_the_way if record.health_check in self.ours]
        if twins:
            self.conflicts.append(
                f"{twins[0]} is in the same AWS region, {entrance.aws_region}: Route 53 takes one record for each"
            )
            return
        if in_the_way and not self.adopt:
            self.conflicts.append(_conflict(in_the_way, f"a record for {region}"))
            return
        changes = [*_changes(wanted, [*mine, *in_the_way], also=replaced)]
        yield from changes

    def _is_mine(self, record: RecordSet) -> bool:
        """Whether a record is ours to change: its health check is this region's, or of a region that is no more."""
        if record.health_check is None or record.health_check not in self.ours:
            return False
        region = self.ours[record.health_check]
        return region == self.entrance.target.region or region not in self.service.regions

    def _stands_for_us(self, record: RecordSet) -> bool:
        """Whether it is the region's record, as far as its identifier and its AWS region tell."""
        return record.set_identifier is not None and (
            record.set_identifier == self.entrance.target.region or record.region == self.entrance.aws_region
        )

    def _in_the_way(self, record: RecordSet, wanted: Sequence[RecordSet]) -> bool:
        """Whether Route 53 would not have it beside ours: another policy, a CNAME, or the same AWS region."""
        if record.type == "CNAME":
            return True
        if record.type not in {each.type for each in wanted}:
            return self._stands_for_us(record)
        return record.region is None or self._stands_for_us(record)

    def _aliases(self, model: RecordSet, *, evaluate_health: bool) -> list[RecordSet]:
        balancer = self.entrance.balancer
        target = AliasTarget(balancer.zone_id, balancer.name, evaluate_health)
        types = _ADDRESSES if balancer.dual_stack else _ADDRESSES[:1]
        return [replace(model, type=type_, alias=target) for type_ in types]


def _changes(
    wanted: Sequence[RecordSet], present: Sequence[RecordSet], *, also: bool = False
) -> Iterator[RecordChange]:
    """What makes the records that are wanted of those that are ours to change. `also` changes what is right, too.

    A record set of another shape (policy, identifier, type) is deleted in the same batch as ours is created.
    """
    keys = {record.key for record in wanted}
    policies = {record.key: record.region is None for record in wanted}
    kept = {r.key: r for r in present if r.key in keys and not r.other and (r.region is None) == policies[r.key]}
    for record in present:
        if record.key not in kept:
            yield RecordChange("DELETE", record)
    for record in wanted:
        if record.key not in kept:
            yield RecordChange("CREATE", record)
        elif also or not _same(record, kept[record.key]):
            yield RecordChange("UPSERT", record)


def _same(one: RecordSet, other: RecordSet) -> bool:
    return _comparable(one) == _comparable(other)


def _comparable(record: RecordSet) -> RecordSet:
    alias = record.alias and replace(record.alias, name=_plain(record.alias.name))
    return replace(record, alias=alias, values=tuple(sorted(record.values)))


def _plain(name: str) -> str:
    return name.lower().rstrip(".").removeprefix("dualstack.")


def _conflict(records: Iterable[RecordSet], instead: str) -> str:
    shown = "; ".join(f"{record} → {record.destination}" for record in records)
    return f"{shown}: made by somebody else, in the place of {instead}"


def _leftovers(
    service: Service, seen: Seen, ours: Collection[str], gone: Collection[tuple[str, str, str | None]]
) -> Leftovers:
    """What is ours in regions that the app no longer has, or under a name that it no longer has.

    `gone` are the record sets that will not be there any more.
    """
    checks: list[HealthCheck] = []
    records: dict[tuple[str, str, str | None], RecordSet] = {}
    for check in (each for each in seen.checks if each.id in ours):
        if not _is_wanted(service, region_of(service, check), check.config.host):
            checks.append(check)
            records |= {record.key: record for record in seen.records if record.health_check == check.id}
    for record in seen.records:
        sign = marked_by(service, record)  # there is one also where no health check was made any more
        if sign is not None and not _is_wanted(service, sign.region, sign.host):
            addresses = (each for each in seen.named(sign.host) if each.type in _ADDRESSES)
            records |= {each.key: each for each in (*addresses, record)}
    return Leftovers(tuple(record for key, record in records.items() if key not in gone), tuple(checks))


def _is_wanted(service: Service, region: str | None, host: str | None) -> bool:
    return region in service.regions and host == service.regional_host(region)
