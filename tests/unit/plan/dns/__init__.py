"""What the tests of an app's DNS have in common."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from deployer.model import HealthCheckSettings, Target
from deployer.model.dns import AliasTarget, HealthCheck, LoadBalancer, RecordSet
from deployer.plan.dns import Entrance, Service, heritage, marker_name, references, tags_of
from deployer.plan.dns.checks import wanted_config

SERVICE = Service("prod", "myapp", "myapp", "example.com", ("london", "seoul"))
AWS = {"london": "eu-west-2", "seoul": "ap-northeast-2", "paris": "eu-west-3"}
HEALTH = HealthCheckSettings(path="/up")


def balancer(region: str, **fields: Any) -> LoadBalancer:
    return LoadBalancer(f"lb-{region}.{AWS[region]}.elb.amazonaws.com", f"ZELB{region.upper()}", **fields)


def entrance(region: str = "london", **fields: Any) -> Entrance:
    values: dict[str, Any] = {"health": HEALTH, "balancer": balancer(region), **fields}
    return Entrance(Target("prod", region, "myapp"), AWS[region], **values)


def check(region: str = "london", service: Service = SERVICE, **fields: Any) -> HealthCheck:
    """A health check of ours, as it should be."""
    config = wanted_config(service.regional_host(region), HEALTH)
    reference = next(references(service, region, "20261121"))
    values: dict[str, Any] = {"config": config, "tags": tags_of(service, region), **fields}
    return HealthCheck(f"check-{region}", reference, 1, **values)


def alias(region: str, *, evaluate: bool) -> AliasTarget:
    return AliasTarget(balancer(region).zone_id, balancer(region).name, evaluate)


def latency(region: str = "london", **fields: Any) -> RecordSet:
    """The global host's record for a region, as it should be."""
    record = RecordSet(
        SERVICE.host,
        "A",
        alias=alias(region, evaluate=True),
        set_identifier=region,
        region=AWS[region],
        health_check=f"check-{region}",
    )
    return replace(record, **fields)


def regional(region: str = "london", **fields: Any) -> RecordSet:
    """The regional host's own record, as it should be."""
    return replace(RecordSet(SERVICE.regional_host(region), "A", alias=alias(region, evaluate=False)), **fields)


def marker(region: str = "london") -> RecordSet:
    return RecordSet(marker_name(SERVICE.regional_host(region)), "TXT", 300, (heritage(SERVICE, region),))


def everything(region: str = "london") -> tuple[RecordSet, ...]:
    """All records of a region."""
    return regional(region), marker(region), latency(region)
