"""Reports of commands in a few lines, for the description of a build, and revisions as choices for its parameter."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_MOST = 12


def description(document: Mapping[str, Any]) -> str:
    """A document of `--json` in at most a dozen lines, an app each: what became of it where."""
    stage = str(document.get("stage") or "")
    targets = document.get("targets") or []
    if not targets:
        errors = [str(error.get("what")) for error in document.get("errors") or []]
        return _some(errors) if errors else f"{stage}: nothing to do".removeprefix(": ")
    apps: dict[str, dict[str, list[str]]] = {}
    versions: dict[str, set[str]] = {}
    for target in targets:
        app = str(target.get("application"))
        became = str(target.get("health") or target.get("outcome"))
        apps.setdefault(app, {}).setdefault(became, []).append(str(target.get("region") or "no region"))
        versions.setdefault(app, set()).update({str(target["version"])} if target.get("version") else ())
    idle = [app for app, became in apps.items() if len(apps) > 1 and set(became) <= {"unchanged", "well"}]
    lines = [
        " ".join([stage, app, *sorted(versions[app])])
        + ": "
        + "; ".join(f"{outcome} in {', '.join(regions)}" for outcome, regions in became.items())
        for app, became in apps.items()
        if app not in idle
    ]
    if idle:
        lines.append(
            f"{stage}: {len(idle)} app{'s' if len(idle) > 1 else ''} {'well' if 'skew' in document else 'unchanged'}"
        )
    stopped = document.get("stoppedBy")
    return _some([*([f"stopped by {stopped}"] if stopped else []), *lines])


def choices(history: Mapping[str, Any]) -> list[str]:
    """What `deploy rollback --to` may go back to, newest first: a line each, its id the first word.

    `history` is the document of `deploy history --json`. What is no deployment of ours has a number in one region only.
    """
    regions = history.get("regions") or []
    found: dict[str, tuple[Mapping[str, Any], list[str]]] = {}
    for region in regions:
        for revision in region.get("revisions") or []:
            if revision.get("outcome") != "good" or revision.get("running"):
                continue
            number = str(revision["revision"]) if len(regions) == 1 else None
            if name := revision.get("deployment") or number:
                found.setdefault(str(name), (revision, []))[1].append(str(region.get("region")))
    newest = sorted(found.items(), key=lambda one: str(one[1][0].get("when") or ""), reverse=True)
    return [
        " · ".join(
            str(part) for part in (name, revision.get("version"), revision.get("when"), revision.get("who")) if part
        )
        + f" · {', '.join(places)}"
        for name, (revision, places) in newest
    ]


def _some(lines: list[str]) -> str:
    more = len(lines) - _MOST
    return "\n".join(lines if more <= 0 else [*lines[:_MOST], f"… and {more} more"])
