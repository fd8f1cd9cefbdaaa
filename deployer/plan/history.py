"""Makes history of Helm's revisions: what each was, who made it, and what became of it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime

from deployer.model import LockState, Revision
from deployer.model.history import Deployed, HistoryEntry, RegionHistory, RevisionOutcome

_ROLLBACK = re.compile(r"Rollback to (\d+)\b")
"""What Helm itself writes into the description of a revision that `helm rollback` makes."""

_LONG_AGO = datetime.min.replace(tzinfo=UTC)


def history_of(revisions: Sequence[Revision], lock: LockState | None = None) -> tuple[HistoryEntry, ...]:
    """A release's history, newest first like `revisions`."""
    running = next((one.number for one in revisions if one.status == "deployed"), None)
    return tuple(
        _entry(one, revisions[index + 1 :], lock if index == 0 else None, running)
        for index, one in enumerate(revisions)
    )


def is_copied(revision: Revision, older: Sequence[Revision]) -> bool:
    """Whether Helm has copied the record from an older revision: somebody used Helm alone, or we were cut off."""
    return revision.record is not None and any(revision.record == one.record for one in older)


def by_deployment(regions: Sequence[RegionHistory]) -> tuple[Deployed, ...]:
    """What happened in several regions, newest first: each deployment once, with its revision in each region.

    A failed deployment and its being taken back are two. What another tool made stands for itself.
    """
    groups: dict[tuple[str | None, ...], dict[str, HistoryEntry]] = {}
    for region in regions:
        name = region.target.region
        for entry in region.entries:
            key: tuple[str | None, ...] = (entry.deployment_id, entry.action)
            if entry.deployment_id is None or name in groups.get(key, ()):
                key = (entry.deployment_id, entry.action, name, str(entry.revision))
            groups.setdefault(key, {})[name] = entry
    deployed = [Deployed(max(group.values(), key=_when), group) for group in groups.values()]
    return tuple(sorted(deployed, key=lambda one: _when(one.entry), reverse=True))


def _when(entry: HistoryEntry) -> tuple[datetime, int]:
    return entry.updated or _LONG_AGO, entry.revision


def _entry(revision: Revision, older: Sequence[Revision], lock: LockState | None, running: int | None) -> HistoryEntry:
    record = None if is_copied(revision, older) else revision.record
    copied = revision.record if record is None else None
    description = _ROLLBACK.match(revision.description)
    # A revision of another tool's that we brought back has no record, but our label.
    ours = record is not None or (description and _is_new(revision.deployment_id, older))
    known = record or copied  # a copied record still tells what runs, though not who made it so
    return HistoryEntry(
        revision=revision.number,
        outcome=_outcome(revision, ours=bool(ours), lock=lock),
        action=_action(revision, older) if ours else "helm rollback" if description else "helm",
        running=revision.number == running,
        restores=record.restores if record else f"revision {description[1]}" if description else None,
        deployment_id=record.deployment_id if record else revision.deployment_id if ours else None,
        version=known.version if known else None,
        tag=known.tag if known else None,
        digest=known.digest if known else None,
        who=record.who if record else None,
        updated=revision.updated,
        git_commit=record.git_commit if record else None,
        chart=None if revision.manifests else revision.chart or None,
    )


def _is_new(deployment_id: str | None, older: Sequence[Revision]) -> bool:
    return deployment_id is not None and all(one.deployment_id != deployment_id for one in older)


def _action(revision: Revision, older: Sequence[Revision]) -> str:
    record = revision.record
    if record is None:
        return "rollback"
    same = (one.record.deployment_id == record.deployment_id for one in older if one.record)
    return "rolled back" if record.action == "rollback" and any(same) else record.action or "deploy"


def _outcome(revision: Revision, *, ours: bool, lock: LockState | None) -> RevisionOutcome:
    if revision.verified:
        return "good"
    if revision.ended is not None:
        return revision.ended
    if lock is not None and not lock.expired and (ours or revision.status.startswith("pending")):
        return "in progress"
    if revision.status.startswith("pending"):
        return "interrupted"
    if revision.status == "failed":
        return "failed"
    return "unverified" if ours else "not ours"
