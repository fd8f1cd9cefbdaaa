"""Decides what becomes of a release that an interrupted or failed run has left, from what the cluster shows alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from deployer.errors import DeployError, DeploymentFailed
from deployer.model import Image, Revision, Target
from deployer.model.recovery import PartialFleet
from deployer.plan.difference import changes_between, removed_objects
from deployer.plan.history import is_copied
from deployer.plan.planner import last_good
from deployer.plan.revisions import is_foreign, last_complete, manifest_texts, named
from deployer.plan.steps import TargetPlan

_ENDED = {"failed": "failed", "interrupted": "was interrupted", "reverted": "was taken back"}


@dataclass(frozen=True)
class Recovery:
    """What is to be done with one region's release. `revision` is the one that runs afterwards, if any."""

    plan: TargetPlan
    revision: Revision | None = None


def plan_recovery(target: Target, revisions: Sequence[Revision], *, namespace: str | None = None) -> Recovery:
    """What repairs a release; `revisions` are newest first, `namespace` is where it lives.

    What Helm has deployed and nobody has verified is looked at, and goes back if it does not run well. What was
    interrupted or failed goes back to the last good revision, or to the last complete one where none ever was good; an
    installation that never got so far is taken away. Raises DeployError for a removal that was cut off.
    """
    if not revisions:
        return Recovery(TargetPlan(target, reasons=("it is not deployed",)))
    current, older = revisions[0], revisions[1:]
    if current.status in ("uninstalling", "uninstalled"):
        raise _half_removed(target, current)
    plan = TargetPlan(target, current_revision=current.number)
    if current.verified:
        return Recovery(
            replace(plan, reasons=(f"{named(current)} is verified, and nothing is left to repair",)), current
        )
    if is_foreign(current):
        return Recovery(replace(plan, reasons=(f"{named(current)} is another tool's",)), current)
    good, foreign = last_good(older), next((one.number for one in older if is_foreign(one)), None)
    if current.status == "deployed" and current.ended is None:
        reason = f"{named(current)} was never verified"
        plan = replace(plan, release_action="verify", good_revision=good, foreign_revision=foreign, reasons=(reason,))
        return Recovery(replace(plan, image=_image(current)), current)
    reason = f"{named(current)} {_fault(current)}"
    goal = next((one for one in older if one.number == (good or foreign)), None) or last_complete(older)
    if goal is None:
        return Recovery(replace(plan, release_action="uninstall", reasons=(reason,)))
    old, new = manifest_texts(current), manifest_texts(goal)
    gone = removed_objects(old, new, namespace)
    plan = replace(
        plan,
        image=_image(goal),
        release_action="rollback",
        rollback_to=goal.number,
        reasons=(reason,),
        changes=changes_between(old, new, namespace=namespace),
        deletions=gone.deleted,
        kept=gone.kept,
    )
    return Recovery(plan, goal)


def partial_fleet(releases: Mapping[Target, Sequence[Revision]]) -> PartialFleet | None:
    """The newest deployment of an app that runs in some of its regions and has not reached others; None without one.

    `releases` are the revisions of each region that was looked at, newest first. A region that has had a newer
    deployment since, or was rolled back on purpose, does not lack it.
    """
    runs = {target: _running(revisions) for target, revisions in releases.items()}
    newest = sorted({name for name, _ in runs.values() if name is not None}, reverse=True)
    for deployment in newest:
        reached = {target: one for target, (name, one) in runs.items() if name == deployment and one is not None}
        record = next(iter(reached.values())).record
        fleet = record.fleet.split(",") if record is not None and record.fleet else []
        lacking = {
            target: one
            for target, (name, one) in runs.items()
            if target.region in fleet and (name is None or name < deployment)
        }
        if record is not None and lacking:
            seen = {target.region for target in releases}
            return _partial(deployment, reached, lacking, releases, tuple(one for one in fleet if one not in seen))
    return None


def _partial(
    deployment: str,
    reached: Mapping[Target, Revision],
    lacking: Mapping[Target, Revision | None],
    releases: Mapping[Target, Sequence[Revision]],
    unseen: tuple[str, ...],
) -> PartialFleet:
    target, one = next(iter(reached.items()))
    version = one.record.version if one.record else None
    with_it, without_it = [each.region for each in reached], [each.region for each in lacking]
    before = {_before(releases[each], current) for each, current in reached.items()}
    return PartialFleet(
        deployment_id=deployment,
        application=target.application,
        reached=tuple(with_it),
        lacking={
            each.region: named(current) if current else "nothing that is verified" for each, current in lacking.items()
        },
        version=version,
        unseen=unseen,
        finish=f"deploy {target.stage} {','.join(without_it)} {target.application}"
        + (f" --version {version}" if version else ""),
        take_back=f"deploy rollback {target.stage} {','.join(with_it)} {target.application} --to {before.pop()}"
        if len(before) == 1 and None not in before
        else None,
    )


def _running(revisions: Sequence[Revision]) -> tuple[str | None, Revision | None]:
    """The deployment that a region has as its good one, and its revision.

    One that was taken back, by itself or by us, has brought back an older one.
    """
    good = next((one for one in revisions if one.verified), None)
    if good is None or good.record is None:
        return None, good
    record = good.record
    older = [one for one in revisions if one.number < good.number]
    itself = any(one.record is not None and one.record.deployment_id == record.deployment_id for one in older)
    taken_back = record.action == "recover" or (record.action == "rollback" and itself) or is_copied(good, older)
    return (good.origin if taken_back else record.deployment_id), good


def _before(revisions: Sequence[Revision], current: Revision) -> str | None:
    """The deployment that was good before the current one."""
    older = (one for one in revisions if one.number < current.number and one.verified and one.origin != current.origin)
    return next((one.origin for one in older), None)


def _fault(revision: Revision) -> str:
    if revision.status.startswith("pending"):
        return f"was left {revision.status}"
    return _ENDED[revision.ended or "failed"]


def _image(revision: Revision) -> Image | None:
    record = revision.record
    image = Image.parse(record.image) if record and record.image else None
    return replace(image, digest=record.digest) if image and record else None


def _half_removed(target: Target, revision: Revision) -> DeployError:
    return DeploymentFailed(
        f"{target.application} was being removed from {target.region}, and that was not finished",
        why=f"revision {revision.number} is {revision.status}",
        hint=f"`deploy remove {target}` finishes it, `deploy rollback {target}` brings it back",
    )
