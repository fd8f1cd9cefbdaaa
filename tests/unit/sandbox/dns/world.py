"""A small Route 53 for the tests: one zone, three regions, an app with latency records."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from deployer.sandbox.dns.answers import View
from deployer.sandbox.dns.geography import ALIAS_ZONES
from deployer.sandbox.dns.records import Alias, HealthCheck, LoadBalancer, RecordSet, State, Zone

REGIONS = ("eu-west-2", "us-east-1", "ap-northeast-2")
ADDRESSES = dict(zip(REGIONS, ("127.0.31.1", "127.0.31.2", "127.0.31.3"), strict=True))
ZONE = "Z0"
APP = "myapp.deploy.test."


def says(*lines: str) -> pytest.MarkDecorator:
    """Marks a test as one of these lines of docs/route53.md."""
    return pytest.mark.parametrize("line", lines)


def balancer(region: str) -> LoadBalancer:
    return LoadBalancer(f"lb.{region}.elb.amazonaws.com.", region, ALIAS_ZONES[region])


def alias(at: str, name: str = APP, *, evaluate: bool = True, **fields: Any) -> RecordSet:
    to = Alias(balancer(at).name, ALIAS_ZONES[at], evaluate)
    return RecordSet(name, "A", alias=to, **fields)


def latency(at: str, name: str = APP, **fields: Any) -> RecordSet:
    fields = {"identifier": at, "region": at, "health_check": f"check-{at}", **fields}
    return alias(at, name, **fields)


def own_records() -> tuple[RecordSet, ...]:
    servers = tuple(f"ns-{number}.awsdns-64.com." for number in range(4))
    soa = ("ns-0.awsdns-64.com. hostmaster.example.com. 1 7200 900 1209600 86400",)
    return (
        RecordSet("deploy.test.", "NS", 172800, servers),
        RecordSet("deploy.test.", "SOA", 900, soa),
    )


def check(name: str = "check", **fields: Any) -> HealthCheck:
    return HealthCheck(name, "HTTP", **{"host": "app.deploy.test", "interval": 10, **fields})


def state(*records: RecordSet, checks: tuple[HealthCheck, ...] = ()) -> State:
    zone = Zone(ZONE, "deploy.test.", own_records() + records)
    balancers = {balancer(region).name: balancer(region) for region in REGIONS}
    return State("moto", 1, (zone,), {each.id: each for each in checks}, balancers)


def view(*records: RecordSet, unhealthy: tuple[str, ...] = (), down: tuple[str, ...] = ()) -> View:
    """Sees these records, with the health checks `unhealthy`, and load balancers of the regions `down` unhealthy."""
    return View(state(*records), lambda name: name not in unhealthy, lambda each: each.region not in down)


def regions(*names: str) -> tuple[str, ...]:
    return tuple(f"check-{name}" for name in names)


def change(action: str, record: RecordSet) -> dict[str, Any]:
    """As ChangeResourceRecordSets takes it."""
    content: dict[str, Any] = {"Name": record.name, "Type": record.type}
    fields = {
        "TTL": record.ttl,
        "SetIdentifier": record.identifier,
        "Region": record.region,
        "HealthCheckId": record.health_check,
    }
    content |= {name: value for name, value in fields.items() if value is not None}
    if record.values:
        content["ResourceRecords"] = [{"Value": value} for value in record.values]
    if record.alias is not None:
        content["AliasTarget"] = {
            "DNSName": record.alias.name,
            "HostedZoneId": record.alias.zone,
            "EvaluateTargetHealth": record.alias.evaluate_health,
        }
    return {"Action": action, "ResourceRecordSet": content}


def without(record: RecordSet, **fields: Any) -> RecordSet:
    return replace(record, **fields)
