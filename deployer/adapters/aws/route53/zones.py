"""Finds the hosted zone of a domain."""

from __future__ import annotations

from typing import Any

from deployer.adapters.aws.session import Session
from deployer.errors import ConfigurationError
from deployer.model.dns import HostedZone, normal_name


def find(session: Session, domain: str, zone_id: str | None) -> HostedZone:
    """The zone with this id, else the public one with the longest name that the domain ends in.

    Raises ConfigurationError when there is none, or more than one of that name.
    """
    domain = normal_name(domain)
    return _with_id(session, domain, zone_id) if zone_id else _by_name(session, domain)


def name_servers(session: Session, zone: HostedZone) -> tuple[str, ...]:
    """The zone's authoritative servers."""
    with session.asking("route53:GetHostedZone"):
        answer = session.client("route53").get_hosted_zone(Id=zone.id)
    return tuple(normal_name(name) for name in answer.get("DelegationSet", {}).get("NameServers", ()))


def _with_id(session: Session, domain: str, zone_id: str) -> HostedZone:
    client = session.client("route53")
    with session.asking("route53:GetHostedZone"):
        try:
            found = client.get_hosted_zone(Id=zone_id)["HostedZone"]
        except client.exceptions.NoSuchHostedZone:
            raise ConfigurationError(
                f"there is no hosted zone {zone_id}",
                where=str(session.access),
                hint="correct Dns.HostedZoneId in group_vars, or leave it away",
            ) from None
    zone = _zone(found)
    if not zone.holds(domain):
        raise ConfigurationError(
            f"the hosted zone {zone_id} is not the one of {domain}",
            where=str(session.access),
            why=f"its name is {zone.name}",
            hint="correct Dns.HostedZoneId or DnsDomain in group_vars",
        )
    if _is_private(found):
        raise ConfigurationError(
            f"the hosted zone {zone_id} is private",
            where=str(session.access),
            why="health checks and clients ask the public one",
            hint="correct Dns.HostedZoneId in group_vars",
        )
    return zone


def _by_name(session: Session, domain: str) -> HostedZone:
    with session.asking("route53:ListHostedZones"):
        pages = session.client("route53").get_paginator("list_hosted_zones").paginate()
        public = [_zone(each) for page in pages for each in page["HostedZones"] if not _is_private(each)]
    fitting = [zone for zone in public if zone.holds(domain)]
    longest = max((len(zone.name) for zone in fitting), default=0)
    found = [zone for zone in fitting if len(zone.name) == longest]
    if not found:
        raise ConfigurationError(
            f"there is no public hosted zone for {domain}",
            where=str(session.access),
            why=f"the account's are {', '.join(sorted(zone.name for zone in public)[:10])}" if public else None,
            hint="make it in Route 53, or correct DnsDomain or AwsProfile in group_vars",
        )
    if len(found) > 1:
        raise ConfigurationError(
            f"there are {len(found)} public hosted zones called {found[0].name}",
            where=str(session.access),
            why=", ".join(sorted(zone.id for zone in found)),
            hint="name the one that its registrar delegates to: Dns: {HostedZoneId: …} in group_vars",
        )
    return found[0]


def _zone(found: Any) -> HostedZone:
    return HostedZone(str(found["Id"]).rpartition("/")[2], normal_name(found["Name"]))


def _is_private(found: Any) -> bool:
    return bool(found.get("Config", {}).get("PrivateZone"))
