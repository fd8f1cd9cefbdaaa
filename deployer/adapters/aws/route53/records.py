"""Reads and changes the record sets of a hosted zone."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from threading import Event
from typing import Any

from deployer.adapters.aws.faults import one_line
from deployer.adapters.aws.session import Session
from deployer.errors import ConfigurationError, ConflictError, DeployError, DeploymentFailed
from deployer.model.dns import AliasTarget, HostedZone, RecordChange, RecordSet, normal_name

_PAGE = 300
"""The most that one answer holds."""

_FEW = 30
"""Up to so many names are looked up one by one in a zone that does not fit into one answer."""

_LONGEST_PAUSE = 5.0

_OURS = frozenset(
    {"Name", "Type", "TTL", "ResourceRecords", "AliasTarget", "SetIdentifier", "Region", "HealthCheckId"},
)
_MOVED_ON = ("but it already exists", "but it was not found", "do not match the current values")


def with_names(session: Session, zone: HostedZone, names: Collection[str]) -> tuple[RecordSet, ...]:
    """All record sets with one of these names. Most zones fit into one answer; in a big one names are looked up."""
    wanted = {normal_name(name) for name in names}
    if not wanted:
        return ()
    with session.asking("route53:ListResourceRecordSets"):
        first, following = _page(session, zone, {})
        if following is None:
            return _chosen(first, wanted)
        if len(wanted) <= _FEW:
            return tuple(record for name in sorted(wanted) for record in _named(session, zone, name))
        rest = _pages(session, zone, following)
        return _chosen([*first, *rest], wanted)


def change(session: Session, zone: HostedZone, changes: Sequence[RecordChange], comment: str) -> str:
    """Make all changes or none; the change's id. Raises ConflictError when the zone is not as they suppose."""
    client = session.client("route53")
    batch = {
        "Comment": one_line(comment, 256),
        "Changes": [{"Action": each.action, "ResourceRecordSet": request(each.record)} for each in changes],
    }
    with session.asking("route53:ChangeResourceRecordSets"):
        try:
            answer = client.change_resource_record_sets(HostedZoneId=zone.id, ChangeBatch=batch)
        except client.exceptions.InvalidChangeBatch as error:
            raise _refused(error.response, zone) from None
        except client.exceptions.NoSuchHealthCheck as error:
            why = one_line(str(error.response["Error"].get("Message", "")))
            raise ConflictError("a health check is gone that a record needs", where=zone.name, why=why) from None
    return str(answer["ChangeInfo"]["Id"]).rpartition("/")[2]


def wait_in_sync(session: Session, change_id: str, *, timeout: float, stop: Event) -> None:
    """Ask until the change is known everywhere. Raises DeploymentFailed after `timeout` seconds, or when stopped."""
    client, began, pause = session.client("route53"), time.monotonic(), 0.5
    while True:
        with session.asking("route53:GetChange"):
            status = client.get_change(Id=change_id)["ChangeInfo"]["Status"]
        if status == "INSYNC":
            return
        if stop.is_set():
            raise DeploymentFailed("stopped before all of Route 53's servers knew the change", where=change_id)
        if time.monotonic() - began >= timeout:
            raise DeploymentFailed(
                f"Route 53's servers did not all know the change within {timeout:.0f} s",
                where=change_id,
                hint="the change is made and will be known; run the same command again to be sure",
            )
        stop.wait(pause)
        pause = min(_LONGEST_PAUSE, pause * 2)


def request(record: RecordSet) -> dict[str, Any]:
    """A record set as the API takes it."""
    content: dict[str, Any] = {"Name": f"{record.name}.", "Type": record.type, **record.other}
    if record.alias is not None:
        content["AliasTarget"] = {
            "HostedZoneId": record.alias.zone_id,
            "DNSName": f"{record.alias.name}.",
            "EvaluateTargetHealth": record.alias.evaluate_health,
        }
    if record.ttl is not None:
        content["TTL"] = record.ttl
    if record.values:
        content["ResourceRecords"] = [{"Value": value} for value in record.values]
    fields = {
        "SetIdentifier": record.set_identifier,
        "Region": record.region,
        "HealthCheckId": record.health_check,
    }
    return content | {name: value for name, value in fields.items() if value is not None}


def parsed(content: Mapping[str, Any]) -> RecordSet:
    """A record set as the API gives it."""
    alias = content.get("AliasTarget")
    return RecordSet(
        normal_name(content["Name"]),
        content["Type"],
        content.get("TTL"),
        tuple(each["Value"] for each in content.get("ResourceRecords") or ()),
        AliasTarget(alias["HostedZoneId"], normal_name(alias["DNSName"]), bool(alias["EvaluateTargetHealth"]))
        if alias
        else None,
        content.get("SetIdentifier"),
        content.get("Region"),
        content.get("HealthCheckId"),
        {name: value for name, value in content.items() if name not in _OURS},
    )


def _page(
    session: Session, zone: HostedZone, start: Mapping[str, str], size: int = _PAGE
) -> tuple[list[RecordSet], dict[str, str] | None]:
    """One answer, and where the next one begins."""
    answer = session.client("route53").list_resource_record_sets(HostedZoneId=zone.id, MaxItems=str(size), **start)
    records = [parsed(content) for content in answer["ResourceRecordSets"]]
    if not answer.get("IsTruncated"):
        return records, None
    parts = ("Name", "Type", "Identifier")
    return records, {
        f"StartRecord{part}": answer[f"NextRecord{part}"] for part in parts if f"NextRecord{part}" in answer
    }


def _pages(session: Session, zone: HostedZone, start: dict[str, str] | None) -> Iterator[RecordSet]:
    while start is not None:
        records, start = _page(session, zone, start)
        yield from records


def _named(session: Session, zone: HostedZone, name: str) -> Iterator[RecordSet]:
    """The record sets of one name: they stand together, and listing can begin at a name."""
    start: dict[str, str] | None = {"StartRecordName": f"{name}."}
    while start is not None:
        records, start = _page(session, zone, start, size=100)
        for record in records:
            if record.name != name:
                return
            yield record


def _chosen(records: Iterable[RecordSet], wanted: Collection[str]) -> tuple[RecordSet, ...]:
    return tuple(record for record in records if record.name in wanted)


def _refused(response: Any, zone: HostedZone) -> DeployError:
    messages = response.get("messages") or response.get("Error", {}).get("Messages") or ()
    why = one_line("; ".join(map(str, messages)) or str(response.get("Error", {}).get("Message", "")), 600)
    if any(words in why for words in _MOVED_ON):
        return ConflictError(
            "somebody else has changed the records meanwhile",
            where=zone.name,
            why=why,
            hint="run the same command again: it plans upon what is there now",
        )
    return ConfigurationError("Route 53 refuses the records", where=zone.name, why=why)
