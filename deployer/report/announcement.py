"""What the team's channel is told: one message that grows from started to its result, and a thread for evidence.

Texts are as long as they are: whoever sends them masks them, and then cuts them to what the channel takes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from deployer.execute.ports import Announcement
from deployer.model import SUCCESSES, DeploymentResult, Json, Target, TargetResult
from deployer.plan.steps import Plan, TargetPlan
from deployer.report.document import json_document
from deployer.report.partial import partial_lines
from deployer.report.terminal import evidence_lines
from deployer.report.words import absence_text, duration, pods, short_image

_MOST_SECTIONS = 40
"""Targets that a message tells of; Slack takes 50 blocks (the same reference)."""

_MOST_NAMES = 6
"""Apps that a headline names."""

_DOING = {
    "deploy": ("is deploying", "to"),
    "rollback": ("is rolling back", "in"),
    "promote": ("is promoting", "to"),
    "adopt": ("is adopting", "in"),
    "remove": ("is removing", "from"),
    "recover": ("is recovering", "in"),
}
"""How the beginning of a command is told, by its name."""


def started(
    plan: Plan,
    *,
    deployment_id: str,
    stage: str,
    who: str,
    git_commit: str | None,
    action: str = "deploy",
    origin: str | None = None,
) -> Announcement:
    """The message at the beginning: what goes where, by whom.

    `action` is the command's name, `origin` the stage that a promotion comes from.
    """
    doing, where = _DOING.get(action, _DOING["deploy"])
    headline = f":hourglass_flowing_sand: {who} {doing} {_subject([p.target.application for p in plan.targets])}"
    headline += f" from {origin}" if origin else ""
    headline += f" {where} {stage} {_subject([p.target.region for p in plan.targets])}"
    several = len({target.target.application for target in plan.targets}) > 1
    lines = [_planned(one, several=several) for one in plan.targets if one.changes_anything or not several]
    return _message(headline, lines, _context(deployment_id, git_commit))


def finished(result: DeploymentResult) -> Announcement:
    """The message at the end, in the place of the first; failures' evidence goes into the thread."""
    subject = _subject([target.target.application for target in result.targets])
    regions = _subject([target.target.region for target in result.targets])
    if result.failed or result.stopped_by:
        stopped = f", stopped by {result.stopped_by}" if result.stopped_by else ""
        headline = f":x: {subject} in {result.stage} {regions}: {_outcomes(result.targets)}{stopped}"
    else:
        headline = f":white_check_mark: {subject} in {result.stage} {regions}: {_outcomes(result.targets)}"
    headline += f", by {result.who} in {duration(result.seconds)}"
    several = len({target.target.application for target in result.targets}) > 1
    lines = [_ended(one, several=several) for one in result.targets if not several or one.outcome != "unchanged"]
    lines += [_escape("\n".join(partial_lines(one))) for one in result.partial]
    message = _message(headline, lines, _context(result.deployment_id, result.git_commit))
    return Announcement(
        message.text, message.blocks, tuple(_evidence(result.targets, several=several)), json_document(result)
    )


def _place(target: Target, *, several: bool) -> str:
    return f"{target.application} {target.region}" if several else target.region


def _planned(target: TargetPlan, *, several: bool) -> str:
    image = f" `{short_image(target.image)}`" if target.image else ""
    changed = f"\n{_bullets(target.changes)}" if target.changes else ""
    place = _place(target.target, several=several)
    return f"*{place}*{image}: {_escape('; '.join(target.reasons))}{changed}"


def _ended(target: TargetResult, *, several: bool) -> str:
    mark = ":white_check_mark:" if target.outcome in SUCCESSES else ":x:"
    image = f" `{short_image(target.image)}`" if target.image else ""
    version = f" version {target.version}," if target.version else ""
    revision = f", revision {target.revision}" if target.revision else ""
    time = duration(sum(phase.seconds for phase in target.phases))
    line = f"{mark} *{_place(target.target, several=several)}*{image}{version} {target.outcome}{revision}, "
    line += f"{pods(target.workloads)} pods, {time}"
    line += f"\n• {absence_text(target.absence)}" if target.absence else ""
    line += f"\n{_bullets(target.repairs)}" if target.repairs else ""
    if target.error is not None:
        line += "\n" + "\n".join(f"> {_escape(str(leaf))}" for leaf in target.error.leaves())
    elif target.changes:
        line += f"\n{_bullets(target.changes)}"
    return line


def _evidence(targets: Sequence[TargetResult], *, several: bool) -> list[str]:
    texts = []
    for target in targets:
        if target.evidence is not None:
            lines = "\n".join(evidence_lines(target.evidence))
            texts.append(f"*{_place(target.target, several=several)}*\n```{_escape(lines)}```")
    return texts


def _message(headline: str, lines: Sequence[str], context: str) -> Announcement:
    if len(lines) > _MOST_SECTIONS:
        lines = [*lines[: _MOST_SECTIONS - 1], f"and {len(lines) - _MOST_SECTIONS + 1} more"]
    blocks: list[Json] = [_section(f"*{headline}*"), *(_section(line) for line in lines)]
    blocks.append({"type": "context", "elements": [{"type": "mrkdwn", "text": context}]})
    return Announcement("\n".join([headline, *lines]), tuple(blocks))


def _section(text: str) -> Json:
    return {"type": "section", "text": {"type": "mrkdwn", "text": text}}


def _context(deployment_id: str, git_commit: str | None) -> str:
    return f"deployment `{deployment_id}`" + (f", commit `{git_commit[:12]}`" if git_commit else "")


def _bullets(changes: Sequence[str], most: int = 8) -> str:
    more = len(changes) - most
    return "\n".join(
        f"• {_escape(change)}" for change in [*changes[:most], *([f"and {more} more"] if more > 0 else [])]
    )


def _outcomes(targets: Sequence[TargetResult]) -> str:
    """`deployed`; where targets differ, with their numbers: `2 deployed, 1 failed`."""
    counts = Counter(target.outcome for target in targets)
    if len(counts) == 1:
        return next(iter(counts))
    return ", ".join(f"{counts[outcome]} {outcome}" for outcome in sorted(counts))


def _subject(names: Sequence[str]) -> str:
    """`london`, `london and seoul`, `london, seoul and virginia`; each name once, in the order given; very many cut."""
    unique = list(dict.fromkeys(names))
    if len(unique) > _MOST_NAMES:
        unique = [*unique[: _MOST_NAMES - 1], f"{len(unique) - _MOST_NAMES + 1} more"]
    return " and ".join([", ".join(unique[:-1]), unique[-1]]) if len(unique) > 1 else "".join(unique)


def _escape(text: str) -> str:
    """Slack's three control characters as entities (its guide to formatting text)."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
