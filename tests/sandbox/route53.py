"""Route 53 as somebody else sees and changes it: no part of the tool is asked."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import boto3
import dns.message
import dns.query
from botocore.session import Session

from deployer.sandbox.layout import AWS_ENDPOINT, DNS_PORT, REGIONS, SHARED_ADDRESS, Region
from tests.sandbox.surroundings import unique

LONDON, VIRGINIA, SEOUL = REGIONS


def client(service: Any, region: Region = LONDON) -> Any:
    """boto3's client for the AWS endpoint."""
    core = Session()
    core.set_config_variable("profile", None)
    session = boto3.Session("sandbox", "sandbox", botocore_session=core)
    return session.client(service, region_name=region.aws_region, endpoint_url=AWS_ENDPOINT)


@dataclass
class Zone:
    """A hosted zone of the test's own."""

    name: str = field(default_factory=lambda: f"{unique('zone')}.test")
    route53: Any = field(default_factory=lambda: client("route53"))
    id: str = ""

    def change(self, *changes: tuple[str, dict[str, Any]]) -> dict[str, Any]:
        batch = {"Changes": [{"Action": action, "ResourceRecordSet": record} for action, record in changes]}
        info: dict[str, Any] = self.route53.change_resource_record_sets(HostedZoneId=self.id, ChangeBatch=batch)
        return info["ChangeInfo"]  # type: ignore[no-any-return]

    def apply(self, *changes: tuple[str, dict[str, Any]]) -> None:
        change = self.change(*changes)
        eventually(lambda: self.route53.get_change(Id=change["Id"])["ChangeInfo"]["Status"], "INSYNC", seconds=10)

    def records(self) -> list[dict[str, Any]]:
        pages = self.route53.get_paginator("list_resource_record_sets").paginate(HostedZoneId=self.id)
        return [
            record for page in pages for record in page["ResourceRecordSets"] if record["Type"] not in ("NS", "SOA")
        ]

    def text(self, name: str, value: str, ttl: int = 60) -> dict[str, Any]:
        values = [{"Value": f'"{value}"'}]
        return {"Name": f"{name}.{self.name}.", "Type": "TXT", "TTL": ttl, "ResourceRecords": values}

    def alias(self, name: str, region: Region, check: str | None = None) -> dict[str, Any]:
        """An alias to the region's load balancer, a latency record when it has a health check."""
        [balancer] = client("elbv2", region).describe_load_balancers(Names=[region.load_balancer])["LoadBalancers"]
        target = {"HostedZoneId": balancer["CanonicalHostedZoneId"], "DNSName": balancer["DNSName"]}
        record = {"Name": f"{name}.{self.name}.", "Type": "A", "AliasTarget": {**target, "EvaluateTargetHealth": True}}
        if check is not None:
            record |= {"SetIdentifier": region.name, "Region": region.aws_region, "HealthCheckId": check}
        return record


@contextlib.contextmanager
def zone_of_its_own() -> Iterator[Zone]:
    """A new hosted zone, removed afterwards with all its records."""
    made = Zone()
    answer = made.route53.create_hosted_zone(Name=made.name, CallerReference=made.name)
    made.id = answer["HostedZone"]["Id"].removeprefix("/hostedzone/")
    try:
        yield made
    finally:
        if left := made.records():
            made.change(*(("DELETE", record) for record in left))
        made.route53.delete_hosted_zone(Id=made.id)


def ask(name: str, region: Region = LONDON, type_: str = "A") -> list[str]:
    """The values that a client near the region gets."""
    query = dns.message.make_query(name, type_)
    answer = dns.query.udp(query, SHARED_ADDRESS, port=DNS_PORT, source=region.address, timeout=5)
    return sorted(item.to_text() for rrset in answer.answer for item in rrset)


def eventually(look: Callable[[], Any], expected: Any, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while (found := look()) != expected:
        assert time.monotonic() < deadline, f"{found} is not {expected} after {seconds} s"
        time.sleep(0.1)


def make_check(zone: Zone, region: Region, port: int, **more: Any) -> str:
    """A health check of `app.REGION.ZONE`; the same again for the same call."""
    config = {
        **{"Type": "HTTP", "FullyQualifiedDomainName": f"app.{region.name}.{zone.name}", "Port": port},
        **{"ResourcePath": "/", "RequestInterval": 10, "FailureThreshold": 1, **more},
    }
    reference = f"{zone.name} {region.name}"
    made = zone.route53.create_health_check(CallerReference=reference, HealthCheckConfig=config)
    name: str = made["HealthCheck"]["Id"]
    return name
