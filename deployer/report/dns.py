"""DNS as text and as JSON: what would change, what has become of it, and how clients are led to apps."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from deployer.errors import DeployError
from deployer.model import Target
from deployer.model.dns import HealthCheck, RecordSet
from deployer.model.traffic import TrafficStatus
from deployer.plan.dns import RegionPlan, ServicePlan
from deployer.report.document import error_entry
from deployer.report.words import printable

Errors = Sequence[tuple[Target | None, DeployError]]

_MARKS = {"healthy": "✔", "unhealthy": "✘", "drained": "◌", "unknown": "?"}


def plan_lines(plans: Sequence[ServicePlan], errors: Errors = (), *, pruned: bool = False) -> Iterator[str]:
    """Each app's regions with what changes in them, and what is left over."""
    failed = {target for target, _ in errors}
    for plan in plans:
        yield printable(f"{plan.service.host}  ({plan.service.application} in {plan.service.stage})")
        for region in plan.regions:
            yield from _region_lines(region, failed=region.target in failed)
        yield from (f"  note: {note}" for note in plan.notes)
        if plan.leftovers:
            yield "  deleted, was left over" if pruned else "  left over (`deploy dns apply --prune` deletes it)"
            yield from (printable(f"    - {line}") for line in plan.leftovers.lines)


def _region_lines(region: RegionPlan, *, failed: bool) -> Iterator[str]:
    name = region.target.region
    todo = [*region.changes]
    state = "failed" if failed else "" if todo or region.conflicts else "as it should be"
    yield f"  {name}  {state}".rstrip()
    signs = {"create": "+", "delete": "-"}
    yield from (printable(f"    {signs.get(line.split(' ', 1)[0], '~')} {line}") for line in todo)
    yield from (printable(f"    ! {line}") for line in region.conflicts)
    yield from (printable(f"    note: {line}") for line in region.notes)


def plan_document(
    stage: str, plans: Sequence[ServicePlan], errors: Errors = (), *, applied: bool = False, pruned: bool = False
) -> dict[str, Any]:
    """The JSON document of `deploy dns plan` and `deploy dns apply` (docs/json.md)."""
    failed = {target: error for target, error in errors if target is not None}
    targets = [
        _target_document(region, failed.pop(region.target, None), applied) for p in plans for region in p.regions
    ]
    targets += [
        {"application": target.application, "region": target.region, "outcome": "failed", "errors": _entries(error)}
        for target, error in failed.items()
    ]
    left = [line for plan in plans for line in plan.leftovers.lines]
    return {
        "action": "dns apply" if applied else "dns plan",
        "stage": stage,
        "ok": not errors,
        "targets": targets,
        "leftovers": left,
        "pruned": pruned,
        "errors": [entry for target, error in errors if target is None for entry in _entries(error)],
    }


def _target_document(region: RegionPlan, error: DeployError | None, applied: bool) -> dict[str, Any]:
    done = "applied" if applied else "planned"
    return {
        "application": region.target.application,
        "region": region.target.region,
        "outcome": "failed" if error else done if region.changes_anything else "unchanged",
        "host": region.host,
        "globalHost": region.service.host,
        "loadBalancer": region.entrance.balancer.name,
        "changes": list(region.changes),
        "conflicts": list(region.conflicts),
        "notes": list(region.notes),
        "errors": _entries(error) if error else [],
    }


def traffic_lines(found: Sequence[TrafficStatus]) -> Iterator[str]:
    """A table for each app: region, health, what the checkers see, where the record leads, who has drained it."""
    for application in dict.fromkeys(one.target.application for one in found):
        rows = [one for one in found if one.target.application == application]
        hosts = dict.fromkeys(one.global_host for one in rows if one.global_host)
        yield printable(f"{application} → {rows[0].target.stage}" + (f"  {', '.join(hosts)}" if hosts else ""))
        cells = [("", "region", "health", "checkers", "record")]
        cells += [
            (_MARKS.get(one.health, "-"), one.target.region, health_words(one), checkers(one), _record(one))
            for one in rows
        ]
        widths = [max(len(row[column]) for row in cells) for column in range(5)]
        for number, row in enumerate(cells):
            text = "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))
            yield printable(f"  {text}".rstrip())
            if number and (drain := rows[number - 1].drain) is not None:
                yield printable(f"     drained {drain}")


def traffic_document(stage: str, found: Sequence[TrafficStatus]) -> dict[str, Any]:
    """The JSON document of `deploy dns status` (docs/json.md)."""
    return {
        "action": "dns status",
        "stage": stage,
        "ok": all(one.error is None for one in found),
        "targets": [{"application": one.target.application, **traffic_entry(one)} for one in found],
    }


def traffic_entry(one: TrafficStatus) -> dict[str, Any]:
    """One region of an app, in any of our documents."""
    return {
        "region": one.target.region,
        "globalHost": one.global_host,
        "host": one.host,
        "health": one.health,
        "record": _record_entry(one.record, one.foreign) if one.record else None,
        "healthCheck": _check_entry(one.check, one) if one.check else None,
        "drained": {
            "who": one.drain.who or None,
            "since": one.drain.since or None,
            "why": one.drain.why or None,
            "deployment": one.drain.deployment_id or None,
        }
        if one.drain
        else None,
        "errors": _entries(one.error) if one.error else [],
    }


def _record_entry(record: RecordSet, foreign: bool) -> dict[str, Any]:
    return {"type": record.type, "target": record.destination, "awsRegion": record.region, "ours": not foreign}


def _check_entry(check: HealthCheck, one: TrafficStatus) -> dict[str, Any]:
    status = one.status
    return {
        "id": check.id,
        "interval": check.config.interval,
        "failureThreshold": check.config.failure_threshold,
        "checkers": len(status.observations) if status else None,
        "agreeing": status.agreeing if status else None,
        "reasons": _reasons(one),
    }


def health_words(one: TrafficStatus) -> str:
    """The health of a region, for people: `healthy`, `no record`, …"""
    if one.error is None and one.record is None:
        return "no record" if one.check is None else f"{one.health}, no record"
    if one.foreign:
        return "not ours"
    if one.health == "unknown" and one.error is None:
        return "not asked"
    return one.health


def checkers(one: TrafficStatus) -> str:
    """`16/16`, and where some do not see it well, what they say."""
    if one.status is None or not one.status.observations:
        return "-"
    count = f"{one.status.agreeing}/{len(one.status.observations)}"
    reasons = _reasons(one)
    return f"{count} ({reasons[0]})" if reasons else count


def _reasons(one: TrafficStatus) -> list[str]:
    texts = [each.text for each in one.status.observations if not each.healthy] if one.status else []
    return sorted(dict.fromkeys(texts), key=lambda text: (-texts.count(text), text))


def _record(one: TrafficStatus) -> str:
    return f"{one.record.type} → {one.record.destination}" if one.record else "-"


def _entries(error: DeployError) -> list[dict[str, Any]]:
    return [error_entry(leaf) for leaf in error.leaves()]
