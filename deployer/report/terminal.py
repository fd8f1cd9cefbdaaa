"""The report that ends a deployment on a terminal, as lines."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from deployer.model import SUCCESSES, DeploymentResult, Evidence, TargetResult
from deployer.report.diff import preview_lines
from deployer.report.partial import partial_lines
from deployer.report.words import absence_text, duration, pods, printable

_MANY = 24
"""Targets: of more, those where nothing was to be done are only counted."""

_FEW = 3
"""Apps: of more, nothing is told of those that are unchanged but their line in the table."""

_MARKS = {"unchanged": "=", "planned": "·"} | dict.fromkeys(SUCCESSES - {"unchanged", "planned"}, "✔")
_STYLES = {"✔": "\x1b[32m", "=": "\x1b[36m", "·": "\x1b[36m", "✘": "\x1b[31m"}
_NO_APP = "no app was chosen, so there was nothing to do"
_RESET = "\x1b[0m"


def terminal_lines(result: DeploymentResult, *, colour: bool = False, width: int = 100) -> Iterator[str]:
    """The report as lines: a table of the targets, what changed, and (below) what went wrong where, with evidence.

    Of what was only planned, every value that would change; `width` is the terminal's. But for our own colours there
    is nothing in it that a terminal would obey, whatever pods, hooks and servers have said.
    """
    told = _worth_telling(result.targets)
    yield from _table(told, colour=colour)
    if len(told) < len(result.targets):
        yield f"=  and {len(result.targets) - len(told)} in which nothing was to be done"
    yield from preview_lines(
        [target for target in told if target.outcome in ("planned", "unchanged")], width=width, colour=colour
    )
    yield from map(printable, _told(result, told))


def _told(result: DeploymentResult, told: Sequence[TargetResult]) -> Iterator[str]:
    """Everything below the table and the changes; `told` are the targets worth it."""
    quiet = len({one.target.application for one in told}) > _FEW
    for group in _alike([one for one in told if one.outcome != "planned" or one.preview is None]):
        if quiet and group[0].outcome == "unchanged" and not group[0].repairs:
            continue
        yield from _details(group)
    for group in _same_failures(result.targets):
        yield from _failure(group)
    for partial in result.partial:
        yield ""
        yield from partial_lines(partial)
    yield ""
    yield summary(result)


def summary(result: DeploymentResult) -> str:
    """One sentence with the counts, the time and the deployment's id."""
    counts: dict[str, int] = {}
    for target in result.targets:
        counts[target.outcome] = counts.get(target.outcome, 0) + 1
    told = ", ".join(f"{count} {outcome}" if len(result.targets) > 1 else outcome for outcome, count in counts.items())
    told = told or ("nothing was to be removed" if result.action == "remove" else _NO_APP)
    told = f"{result.origin} → {result.stage}: {told}" if result.origin else told
    told = f"stopped by {result.stopped_by}: {told}" if result.stopped_by else told
    return f"{told} in {duration(result.seconds)} (deployment {result.deployment_id})"


def _worth_telling(targets: Sequence[TargetResult]) -> Sequence[TargetResult]:
    """All, or of very many those of which there is something to say."""
    if len(targets) <= _MANY:
        return targets
    return [one for one in targets if one.outcome != "unchanged" or one.error or one.warnings or one.repairs]


def _table(targets: Sequence[TargetResult], *, colour: bool) -> Iterator[str]:
    header = ("", "APP", "REGION", "OUTCOME", "VERSION", "REVISION", "PODS", "TIME")
    if not targets:
        return
    rows = [
        (
            _MARKS.get(target.outcome, "✘"),
            target.target.application,
            target.target.region,
            target.outcome,
            printable(target.version or "-"),
            _revision(target),
            pods(target.workloads),
            duration(sum(phase.seconds for phase in target.phases)),
        )
        for target in targets
    ]
    widths = [max(len(row[column]) for row in [header, *rows]) for column in range(len(header))]
    for row in (header, *rows):
        line = "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        style = _STYLES.get(row[0], "") if colour else ""
        yield f"{style}{line}{_RESET}" if style else line


def _revision(target: TargetResult) -> str:
    """The revision with the version beside it; none where the newest one is of the way back to another version."""
    went_back = target.outcome not in SUCCESSES and any(phase.phase == "rollback" for phase in target.phases)
    return str(target.revision) if target.revision and not went_back else "-"


def _details(group: Sequence[TargetResult]) -> Iterator[str]:
    """What is known of regions that ended alike, once: their images and URLs differ by region alone."""
    first = group[0]
    image = first.image
    facts = [
        ("image", "\n".join(target.image.reference for target in group if target.image)),
        ("digest", image.digest if image else None),
        ("url", "\n".join(_url(target) for target in group if target.url)),
        ("traffic", "\n".join(_traffic(target, alone=len(group) == 1) for target in group if target.absence)),
        ("expires", _expiry(first)),
        ("repaired", "\n".join(first.repairs)),
        ("why", "" if first.outcome == "repaired" else "; ".join(first.reasons)),
        ("changes", _shortened(first.changes)),
    ]
    shown = [(name, value) for name, value in facts if value]
    if shown:
        yield ""
        yield f"{first.target.application} in {', '.join(target.target.region for target in group)}"
        for name, value in shown:
            head, *rest = value.splitlines()
            yield f"  {name:<8} {head}"
            yield from (f"  {'':<8} {line}" for line in rest)
    if first.evidence and first.error is None:
        yield from (f"  {line}" for line in evidence_lines(first.evidence))


def _expiry(target: TargetResult) -> str:
    """Until when a branch is kept that is there now."""
    if target.expires is None or target.outcome not in ("deployed", "restored", "unchanged"):
        return ""
    return f"{target.expires[:16].replace('T', ' ')} UTC, unless it is deployed again"


def _traffic(target: TargetResult, *, alone: bool) -> str:
    if target.absence is None:  # pragma: no cover -- only those that have one are told
        return ""
    told = absence_text(target.absence)
    return told if alone else f"{target.target.region} {told}"


def _url(target: TargetResult) -> str:
    return f"{target.url} (through {target.through})" if target.through else str(target.url)


def _alike(targets: Sequence[TargetResult]) -> list[list[TargetResult]]:
    """The targets in groups that differ by nothing but their region, in the order in which they come."""
    groups: dict[object, list[TargetResult]] = {}
    for target in targets:
        image = (target.image.tag, target.image.digest) if target.image else None
        shown = (target.target.application, image, target.reasons, target.changes, target.repairs, target.evidence)
        groups.setdefault(shown, []).append(target)
    return list(groups.values())


def _shortened(changes: Sequence[str], most: int = 12) -> str:
    more = len(changes) - most
    return "\n".join([*changes[:most], *([f"and {more} more"] if more > 0 else [])])


def _same_failures(targets: Sequence[TargetResult]) -> list[list[TargetResult]]:
    """Regions that ended in the same way for the same reason, together: a lock that was held ends them all."""
    groups: dict[object, list[TargetResult]] = {}
    for target in targets:
        if target.error is not None:
            alone = target.target if target.evidence else None
            key = (target.target.application, target.outcome, str(target.error), target.error.hint, alone)
            groups.setdefault(key, []).append(target)
    return list(groups.values())


def _failure(group: Sequence[TargetResult]) -> Iterator[str]:
    target = group[0]
    if target.error is None:  # pragma: no cover -- only failures are grouped
        return
    yield ""
    regions = ", ".join(one.target.region for one in group)
    outcome = "cannot be deployed like this" if target.outcome == "planned" else target.outcome
    known = filter(None, (target.target.application, regions))  # the app of a broken file, the region of no answer
    yield f"✘ {' in '.join(known)}: {outcome}"
    for error in target.error.leaves():
        yield f"  {error.what}"
        for label, text in (("where", error.where), ("why", error.why), ("next", error.hint)):
            if text:
                first, *rest = str(text).splitlines()
                yield f"    {label + ':':<6} {first}"
                yield from (f"           {line}" for line in rest)
    if target.evidence:
        yield from (f"  {line}" for line in evidence_lines(target.evidence))


def evidence_lines(evidence: Evidence) -> Iterator[str]:
    """Workloads and pods that are not well, events, and each failing container's state and last log lines."""
    for workload in evidence.workloads:
        if workload.verdict != "ready":
            yield f"{workload.key}: {workload.ready}/{workload.desired} ready; {workload.reason}".rstrip("; ")
            for pod in workload.pods:
                if pod.verdict != "ready":
                    yield f"  {pod.name}: {pod.state}, {pod.restarts} restarts; {pod.reason}".rstrip("; ")
    if evidence.events:
        yield "events"
        yield from (f"  {event}" for event in evidence.events)
    for container in evidence.containers:
        yield f"{container.pod}/{container.container}: {container.state}"
        yield from (f"  | {line}" for line in container.log)
