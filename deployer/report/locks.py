"""Locks as text and as JSON."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

from deployer.model import LockState, ReleaseLock
from deployer.report.document import error_entry
from deployer.report.words import printable


def lock_lines(locks: Sequence[ReleaseLock]) -> Iterator[str]:
    """A line for each lock that could be read: `london myapp: freed; anna@laptop held it …`."""
    for lock in locks:
        place = f"{lock.target.region} {lock.target.application}"
        if lock.freed:
            yield f"{place}: freed"
        elif lock.state is not None:
            yield printable(f"{place}: locked: {lock.state}")
        elif lock.error is None:
            yield f"{place}: not locked"


def locks_document(locks: Sequence[ReleaseLock]) -> dict[str, Any]:
    """The JSON document of `deploy unlock` (docs/json.md)."""
    return {
        "ok": all(lock.error is None for lock in locks),
        "targets": [
            {
                "application": lock.target.application,
                "region": lock.target.region,
                "outcome": _outcome(lock),
                "lock": lock_document(lock.state) if lock.state else None,
                "errors": [error_entry(leaf) for leaf in lock.error.leaves()] if lock.error else [],
            }
            for lock in locks
        ],
    }


def lock_document(lock: LockState) -> dict[str, Any]:
    """A lock that somebody holds: the fields of its holder are null where it is another tool's Lease."""
    held = lock.holder
    return {
        "who": held.who if held else None,
        "machine": held.machine if held else None,
        "deployment": held.deployment_id if held else None,
        "action": held.action if held else None,
        "since": held.since if held else None,
        "alive": lock.alive,
        "expired": lock.expired,
        "expiresIn": round(lock.expires_in) if math.isfinite(lock.expires_in) else None,
    }


def _outcome(lock: ReleaseLock) -> str:
    if lock.error is not None:
        return "failed"
    return "freed" if lock.freed else "locked" if lock.state else "not locked"
