"""Reads and writes what moto keeps of Route 53 and of load balancers."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from typing import Any

from deployer.sandbox.dns.geography import ALIAS_ZONES
from deployer.sandbox.dns.ledger import Ledger
from deployer.sandbox.dns.records import Alias, HealthCheck, LoadBalancer, RecordSet, State, Zone, normal


def snapshot(ledger: Ledger) -> State:
    """All that the name servers need to know. `ledger.lock` is held."""
    zones = tuple(
        Zone(zone.resource_id, normal(zone.name), tuple(record_set(each) for each in zone.rrsets))
        for zone in list(backend().zones.values())
        if not zone.private_zone
    )
    return State(ledger.process, ledger.serial, zones, dict(ledger.checks), load_balancers())


def backend() -> Any:
    """moto's Route 53."""
    from moto.core import DEFAULT_ACCOUNT_ID
    from moto.route53.models import route53_backends

    return route53_backends[DEFAULT_ACCOUNT_ID]["aws"]


def _balancers() -> Iterable[tuple[str, Any]]:
    """moto's load balancers with their AWS regions. ELBv2 takes a second to load: not before somebody asks for it."""
    # While another thread imports it, it is among the modules without being complete.
    backends = getattr(sys.modules.get("moto.elbv2.models"), "elbv2_backends", None)
    if backends is None:
        return
    from moto.core import DEFAULT_ACCOUNT_ID

    for region, backend in list(backends[DEFAULT_ACCOUNT_ID].items()):
        for balancer in list(backend.load_balancers.values()):
            yield region, balancer


def load_balancers() -> dict[str, LoadBalancer]:
    """The load balancers of all regions by their DNS names."""
    found = [LoadBalancer(normal(each.dns_name), region, _alias_zone(region, each)) for region, each in _balancers()]
    return {balancer.name: balancer for balancer in found}


def place_load_balancers() -> None:
    """moto gives one hosted zone to the load balancers of all regions."""
    for region, balancer in _balancers():
        balancer.canonical_hosted_zone_id = _alias_zone(region, balancer)


def _alias_zone(region: str, balancer: Any) -> str:
    return ALIAS_ZONES.get(region) or str(balancer.canonical_hosted_zone_id)


def record_set(each: Any) -> RecordSet:
    """What moto keeps as a record set."""
    target = each.alias_target
    return RecordSet(
        normal(each.name),
        each.type,
        None if each.ttl is None else int(each.ttl),
        tuple(_value(each.type, value) for value in each.records or ()),
        each.set_identifier,
        each.region,
        each.health_check_id,
        Alias(target["DNSName"], target["HostedZoneId"], bool(target["EvaluateTargetHealth"])) if target else None,
    )


def _value(type_: str, value: Any) -> str:
    """moto writes a new zone's own records in other forms than those that it is asked to keep."""
    text = str(value["Value"] if isinstance(value, Mapping) else value)
    return f"{text.rstrip('.')}." if type_ == "NS" else text


def moto_record(record: RecordSet) -> Any:
    """A record set as moto keeps it."""
    from moto.route53.models import RecordSet as MotoRecordSet

    content: dict[str, Any] = {
        "Name": record.name.replace("*", "\\052"),
        "Type": record.type,
        "TTL": record.ttl,
        "ResourceRecords": list(record.values),
        "SetIdentifier": record.identifier,
        "Region": record.region,
        "HealthCheckId": record.health_check,
    }
    if record.alias is not None:
        content["AliasTarget"] = {
            "HostedZoneId": record.alias.zone,
            "DNSName": record.alias.name,
            "EvaluateTargetHealth": record.alias.evaluate_health,
        }
    return MotoRecordSet(content)


def show(shown: Any, check: HealthCheck) -> None:
    """Have moto's object say what the check is."""
    shown.type_, shown.fqdn, shown.ip_address, shown.port = check.type, check.host, check.address, check.port
    shown.resource_path, shown.search_string = check.path or None, check.search
    shown.request_interval, shown.failure_threshold = check.interval, check.threshold
    shown.inverted, shown.disabled, shown.enable_sni = check.inverted, check.disabled, check.sni
    shown.health_check_version = check.version
    shown.set_regions(list(check.regions))
