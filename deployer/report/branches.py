"""The apps that were deployed from branches, as lines and as a document."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

from deployer.errors import DeployError
from deployer.model.branch_release import BranchRelease
from deployer.report.document import error_entry
from deployer.report.words import age, printable

_HEADER = ("APP", "BRANCH", "REGION", "STATE", "VERSION", "DEPLOYED", "BY", "EXPIRES", "HOST")
_GIVEN_UP = ("BY", "STATE", "DEPLOYED", "VERSION")
"""The columns that a narrow terminal goes without, the first of them first."""


def branch_lines(
    releases: Sequence[BranchRelease], now: datetime, *, unseen: Sequence[str] = (), width: int | None = None
) -> Iterator[str]:
    """A table; `width` is the terminal's in columns, None where lines may have any length.

    `unseen` are regions that could not be asked.
    """
    not_asked = f"; {', '.join(unseen)} could not be asked" if unseen else ""
    if not releases:
        yield f"no branch was seen{not_asked}" if unseen else "no branch is deployed here"
        return
    rows = [tuple(printable(" ".join(cell.split())) for cell in _cells(one, now)) for one in releases]
    widths = [max(len(row[at]) for row in (_HEADER, *rows)) for at in range(len(_HEADER))]
    shown = list(range(len(_HEADER)))
    for name in _GIVEN_UP:
        if width is not None and sum(widths[at] + 2 for at in shown) - 2 > width:
            shown.remove(_HEADER.index(name))
    for row in (_HEADER, *rows):
        yield "  ".join(row[at].ljust(widths[at]) for at in shown).rstrip()
    expired = sum(one.expired(now) for one in releases)
    yield ""
    told = f"{len(releases)} release{'s' if len(releases) != 1 else ''} of branches"
    told += f", {expired} expired: `deploy branches expire` removes them" if expired else ", none expired"
    yield f"{told}{not_asked}"


def branches_document(
    stage: str, releases: Sequence[BranchRelease], errors: Sequence[DeployError], now: datetime
) -> dict[str, Any]:
    """What `--json` prints; times are in UTC, ISO 8601. `errors` are of regions that could not be asked."""
    return {
        "stage": stage,
        "ok": not errors,
        "branches": [_entry(one, now) for one in releases],
        "errors": [error_entry(leaf) for error in errors for leaf in error.leaves()],
    }


def _entry(one: BranchRelease, now: datetime) -> dict[str, Any]:
    status = one.status
    return {
        "application": status.target.app,
        "branch": status.target.branch,
        "region": status.target.region,
        "release": status.name,
        "namespace": status.namespace,
        "host": one.host,
        "state": status.standing,
        "version": status.version,
        "revision": status.revision,
        "deploymentId": status.deployment_id,
        "gitCommit": status.git_commit,
        "who": status.who,
        "updated": status.updated.isoformat(timespec="seconds") if status.updated else None,
        "expires": one.expires.isoformat(timespec="seconds") if one.expires else None,
        "expired": one.expired(now),
    }


def _cells(one: BranchRelease, now: datetime) -> tuple[str, ...]:
    status = one.status
    return (
        status.target.app,
        status.target.branch or "-",
        status.target.region,
        status.standing,
        status.version or "-",
        f"{age((now - status.updated).total_seconds())} ago" if status.updated else "-",
        status.who or "-",
        _expiry(one, now),
        one.host or "-",
    )


def _expiry(one: BranchRelease, now: datetime) -> str:
    if one.expires is None:
        return "never"
    if one.expired(now):
        return f"{age((now - one.expires).total_seconds())} ago"
    return f"{one.expires:%Y-%m-%d %H:%M} UTC"
