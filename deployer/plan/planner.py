"""Facts in, plan out: decides what a target needs, and why."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from deployer.model import Revision
from deployer.plan.difference import Gone, changes_between, removed_objects
from deployer.plan.facts import ImageFacts, ReleaseFacts, TargetFacts
from deployer.plan.revisions import is_foreign, manifest_texts
from deployer.plan.steps import ImageAction, TargetPlan


def plan_target(facts: TargetFacts) -> TargetPlan:
    """The plan of one target.

    Nothing is to be done when the registry has the image, the newest revision is deployed, verified and holds the same
    manifests, the live objects match them, and the rollout is complete. Anything else makes a new revision.
    """
    image_action = _image_action(facts.image)
    release = facts.release
    reasons = tuple(_reasons(release, image_action))
    current = release.current
    old = manifest_texts(current) if current else ()
    gone = removed_objects(old, release.texts, release.namespace) if reasons else Gone()
    taken = tuple(f"{key}: " for key in release.adoption.keys)
    changes = changes_between(old, release.texts, release.secrets, namespace=release.namespace)
    changed = [one for one in changes if not taken or not one.startswith(taken)]
    return TargetPlan(
        target=facts.target,
        image=facts.image.image if facts.image else None,
        image_action=image_action,
        copy_from=facts.image.elsewhere if facts.image and image_action == "copy" else None,
        release_action="none" if not reasons else "upgrade" if current else "install",
        current_revision=current.number if current else None,
        repair=current.number if current and current.status.startswith("pending") else None,
        good_revision=last_good(release.revisions),
        foreign_revision=_last_foreign(release.revisions),
        reasons=reasons,
        changes=(*release.adoption.lines, *changed) if reasons else release.adoption.lines,
        deletions=gone.deleted,
        kept=gone.kept,
        warnings=(*facts.warnings, *(one.warning for one in release.adoption.predecessors if one.warning)),
        adoption=release.adoption,
    )


def last_good(revisions: Sequence[Revision]) -> int | None:
    """The newest revision that we verified ourselves: what Helm calls deployed may never have run."""
    return next((revision.number for revision in revisions if revision.verified), None)


def _last_foreign(revisions: Sequence[Revision]) -> int | None:
    """The newest working revision that someone else's Helm made: what to return to where we verified nothing yet."""
    return next((revision.number for revision in revisions if is_foreign(revision)), None)


def _image_action(facts: ImageFacts | None) -> ImageAction:
    if facts is None:
        return "none"
    if facts.image.digest:
        return "present"
    return "copy" if facts.elsewhere else "build"


def _reasons(release: ReleaseFacts, image_action: ImageAction) -> Iterator[str]:
    """Why a new revision is needed, most telling first; nothing when none is."""
    current, taken = release.current, len(release.adoption.objects)
    if taken:
        yield f"{taken} object{'s are' if taken != 1 else ' is'} taken over"
    if current is None:
        yield "not installed yet"
        return
    if current.status.startswith("pending"):
        yield f"revision {current.number} was interrupted ({current.status})"
    elif current.status != "deployed":
        yield f"revision {current.number} is {current.status}"
    if image_action in ("build", "copy"):
        yield "new image"
    elif current.manifests != release.texts:
        yield "manifests changed"
    if current.status == "deployed" and not current.verified:
        yield f"revision {current.number} was never verified"
    for key in release.missing:
        yield f"{key} is missing in the cluster"
    for key, paths in release.drift.items():
        shown = ", ".join(paths[:3]) + (f" and {len(paths) - 3} more" if len(paths) > 3 else "")
        yield f"{key} was changed in the cluster: {shown}"
    for workload in release.workloads:
        if workload.verdict != "ready":
            yield f"{workload.key} is not ready" + (f": {workload.reason}" if workload.reason else "")
