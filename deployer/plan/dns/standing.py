"""Which record and which health check are a region's, of all that Route 53 has."""

from __future__ import annotations

from deployer.model import Target
from deployer.model.traffic import TrafficStatus
from deployer.plan.dns.facts import Seen, Service
from deployer.plan.dns.ownership import is_ours, region_of
from deployer.plan.drain import drain_of


def standing(service: Service, target: Target, seen: Seen) -> TrafficStatus:
    """How a region stands, but for what the checkers see."""
    region, host = target.region, service.regional_host(target.region)
    records = [record for record in seen.named(service.host) if record.type in ("A", "AAAA", "CNAME")]
    used = {record.health_check for record in records}
    checks = [each for each in seen.checks if is_ours(service, each) and region_of(service, each) == region]
    checks.sort(key=lambda each: (each.id not in used, each.config.host != host, each.id))
    check = checks[0] if checks else None
    own = [record for record in records if check is not None and record.health_check == check.id]
    named = [record for record in records if record.set_identifier == region]
    record = next(iter(own or named), None)
    return TrafficStatus(
        target,
        service.host,
        host,
        record,
        foreign=record is not None and not own,
        check=check,
        drain=drain_of(check) if check else None,
    )
