"""Checks a change batch as Route 53 does, and says what the zone holds after it: all of the changes, or none."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from deployer.sandbox.dns.answers import is_in
from deployer.sandbox.dns.records import Alias, LoadBalancer, RecordSet, Zone, normal

_OTHER_POLICIES = ("Weight", "Failover", "GeoLocation", "MultiValueAnswer", "CidrRoutingConfig", "GeoProximityLocation")
_MOST_VALUES = 1000
_QUOTED = re.compile(r'"(?:[^"\\]|\\.)*"(?:\s+"(?:[^"\\]|\\.)*")*')


class Refused(Exception):
    """Why a request is refused: `code` is the error's name in the service model."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What the changes of a zone refer to: load balancers by name, and the ids of all health checks."""

    load_balancers: Mapping[str, LoadBalancer]
    checks: Collection[str]


def changed(zone: Zone, changes: Sequence[Mapping[str, Any]], around: Surroundings) -> tuple[RecordSet, ...]:
    """The zone's record sets after a batch of changes, each `{Action, ResourceRecordSet}` as in the API.

    The changes are made one after the other. Raises Refused, naming everything that is wrong.
    """
    if sum(_weight(change) for change in changes) > _MOST_VALUES:
        raise Refused("InvalidChangeBatch", "[Number of records limit of 1000 exceeded.]")
    parsed = [(str(change["Action"]), _parsed(change)) for change in changes]
    records = {record.key: record for record in zone.records}
    errors: list[str] = []
    for action, record in parsed:
        existing = records.get(record.key)
        if action == "DELETE":
            if existing is None:
                errors.append(f"Tried to delete resource record set {_shown(record)} but it was not found")
            elif not existing.equals(record):
                said = "but the values provided do not match the current values"
                errors.append(f"Tried to delete resource record set {_shown(record)} {said}")
            else:
                del records[record.key]
        elif action == "CREATE" and existing is not None:
            errors.append(f"Tried to create resource record set {_shown(record)} but it already exists")
        elif wrong := [*_wrong_values(zone, record, around), *_conflicts(zone, record, records)]:
            errors += wrong
        else:
            records[record.key] = record
    after = tuple(records.values())
    errors += _broken_targets(zone, [record for action, record in parsed if action != "DELETE"], after, around)
    errors += [
        f"A HostedZone must contain at least one {type_} record for the zone itself."
        for type_ in ("NS", "SOA")
        if not any((record.name, record.type) == (zone.name, type_) for record in after)
    ]
    if errors:
        raise Refused("InvalidChangeBatch", f"[{', '.join(errors)}]")
    return after


def _weight(change: Mapping[str, Any]) -> int:
    count = len(change["ResourceRecordSet"].get("ResourceRecords") or ())
    return count * 2 if change["Action"] == "UPSERT" else count


def _parsed(change: Mapping[str, Any]) -> RecordSet:
    """The record set of a change. Raises Refused (InvalidInput) when its fields do not belong together."""
    content = change["ResourceRecordSet"]
    values = tuple(each["Value"] for each in content.get("ResourceRecords") or ())
    target, ttl, identifier = content.get("AliasTarget"), content.get("TTL"), content.get("SetIdentifier")
    if change["Action"] not in ("CREATE", "DELETE", "UPSERT"):
        raise Refused("InvalidInput", f"Invalid XML ; Value '{change['Action']}' is not one of CREATE, DELETE, UPSERT")
    if unknown := [policy for policy in _OTHER_POLICIES if content.get(policy) is not None]:
        raise Refused("InvalidInput", f"the sandbox simulates simple and latency records only, not {unknown[0]}")
    problem = None
    if target and (ttl is not None or values):
        found = "more than one"
        problem = f"Expected exactly one of [AliasTarget, all of [TTL, and ResourceRecords]], but found {found}"
    elif not target and (ttl is None or not values):
        problem = "Expected exactly one of [AliasTarget, all of [TTL, and ResourceRecords]], but found none"
    elif identifier and not content.get("Region"):
        problem = "Expected exactly one of [Weight, Region, Failover, GeoLocation, or MultiValueAnswer], but found none"
    elif content.get("Region") and not identifier:
        problem = "Missing field 'SetIdentifier'"
    if problem:
        raise Refused("InvalidInput", f"Invalid request: {problem} in Change with {_described(change)}")
    return RecordSet(
        normal(content["Name"]),
        content["Type"],
        None if ttl is None else int(ttl),
        values,
        identifier,
        content.get("Region"),
        content.get("HealthCheckId"),
        Alias(normal(target["DNSName"]), target["HostedZoneId"], bool(target["EvaluateTargetHealth"]))
        if target
        else None,
    )


def _described(change: Mapping[str, Any]) -> str:
    content = change["ResourceRecordSet"]
    identifier = content.get("SetIdentifier") or "null"
    return f"[Action={change['Action']}, Name={content['Name']}, Type={content['Type']}, SetIdentifier={identifier}]"


def _shown(record: RecordSet) -> str:
    identifier = f", set-identifier='{record.identifier}'" if record.identifier else ""
    return f"[name='{_escaped(record.name)}', type='{record.type}'{identifier}]"


def _escaped(name: str) -> str:
    return name.replace("*", "\\052")


def _wrong_values(zone: Zone, record: RecordSet, around: Surroundings) -> list[str]:
    found = []
    if not is_in(record.name, zone.name):
        found.append(f"RRSet with DNS name {_escaped(record.name)} is not permitted in zone {zone.name}")
    if record.health_check is not None and record.health_check not in around.checks:
        raise Refused("NoSuchHealthCheck", f"A health check with id {record.health_check} does not exist.")
    if record.type == "CNAME" and record.name == zone.name:
        found.append(f"RRSet of type CNAME with DNS name {record.name} is not permitted at apex in zone {zone.name}")
    if record.region and len(record.values) > 1:
        found.append(f"Only one value is allowed in a latency RRSet: {_shown(record)}")
    for value in record.values:
        if record.values.count(value) > 1:
            found.append(f"Duplicate Resource Record: '{value}'")
            break
        if record.type == "TXT":
            found += _wrong_text(value)
        if record.type == "A" and not _is_ipv4(value):
            problem = "ARRDATAIllegalIPv4Address (Value is not a valid IPv4 address)"
            found.append(f"Invalid Resource Record: 'FATAL problem: {problem} encountered with '{value}''")
    return found


def _wrong_text(value: str) -> list[str]:
    problem = None
    if not _QUOTED.fullmatch(value):
        problem = "InvalidCharacterString (Value should be enclosed in quotation marks)"
    elif any(len(part) - 2 > 255 for part in re.findall(r'"(?:[^"\\]|\\.)*"', value)):
        problem = "CharacterStringTooLong (Value is too long)"
    return [f"Invalid Resource Record: 'FATAL problem: {problem} encountered with '{value}''"] if problem else []


def _is_ipv4(value: str) -> bool:
    try:
        ipaddress.IPv4Address(value)
    except ValueError:
        return False
    return True


def _conflicts(zone: Zone, record: RecordSet, records: Mapping[tuple[str, str, str | None], RecordSet]) -> list[str]:
    """What stands against having this record beside the others of its name."""
    others = [other for other in records.values() if other.name == record.name and other.key != record.key]
    name = _escaped(record.name)
    found = []
    if record.type == "CNAME" and any(other.type != "CNAME" for other in others):
        conflict = "is not permitted as it conflicts with other records with the same DNS name"
        found.append(f"RRSet of type CNAME with DNS name {name} {conflict} in zone {zone.name}")
    if record.type != "CNAME" and any(other.type == "CNAME" for other in others):
        conflict = "is not permitted because a conflicting RRSet of type CNAME with the same DNS name already exists"
        found.append(f"RRSet of type {record.type} with DNS name {name} {conflict} in zone {zone.name}")
    same = [other for other in others if other.type == record.type]
    if any((other.region is None) != (record.region is None) for other in same):
        conflict = "cannot be created as other RRSets exist with the same name and type."
        identifier = f", SetIdentifier {record.identifier}" if record.identifier else ""
        found.append(f"RRSet with DNS name {name}, type {record.type}{identifier} {conflict}")
    elif any(other.region == record.region for other in same):
        found.append(
            f"RRSet with DNS name {name}, type {record.type}, SetIdentifier {record.identifier}, and Region "
            f"Name={record.region} cannot be created because a latency RRSet with the same name, type and region "
            "already exists."
        )
    return found


def _broken_targets(
    zone: Zone, written: Sequence[RecordSet], after: Sequence[RecordSet], around: Surroundings
) -> list[str]:
    """What stands against the aliases among the records that were written."""
    found = []
    for record in written:
        if record.alias is None:
            continue
        name = record.alias.name
        start = f"Tried to create an alias that targets {name}, type {record.type} in zone {record.alias.zone}"
        balancer = around.load_balancers.get(name.removeprefix("dualstack."))
        if balancer is not None:
            right = balancer.zone == record.alias.zone
            exists = record.type in ("A", "AAAA")
        else:
            right = record.alias.zone == zone.id and is_in(name, zone.name)
            exists = any((other.name, other.type) == (name, record.type) for other in after)
        if not right:
            found.append(f"{start}, but the alias target name does not lie within the target zone")
        if not exists or not right:
            found.append(f"{start}, but that target was not found")
    return found
