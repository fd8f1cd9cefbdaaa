"""What one stored revision is: its content, its name to people, and the deployments that it is of."""

from __future__ import annotations

from collections.abc import Sequence

from deployer.model import Revision
from deployer.plan.manifests.canonical import canonical_text


def same_content(one: Revision, other: Revision) -> bool:
    """Whether two revisions consist of the same manifests."""
    return (one.manifests or one.manifest) == (other.manifests or other.manifest)


def manifest_texts(revision: Revision) -> tuple[str, ...]:
    """A revision's manifests as JSON texts, also where another tool made it, or it knows of more than its own."""
    if revision.manifests and not revision.is_unfinished_rollback:
        return revision.manifests
    return tuple(canonical_text(content) for content in revision.objects() if content["metadata"].get("name"))


def last_complete(revisions: Sequence[Revision]) -> Revision | None:
    """The newest revision that was deployed as a whole, although nobody has seen it run well."""
    return next((one for one in revisions if one.status in ("deployed", "superseded") and one.ended is None), None)


def named(revision: Revision) -> str:
    """`revision 5 (version 0.0.1, deployment 20261121-070905-3f9a1c)`."""
    record = revision.record
    version = f"version {record.version}" if record and record.version else record.tag if record else revision.chart
    told = [part for part in (version, f"deployment {revision.origin}" if revision.origin else None) if part]
    return f"revision {revision.number}" + (f" ({', '.join(told)})" if told else "")


def deployments_of(revision: Revision, revisions: Sequence[Revision]) -> set[str | None]:
    """The deployments that a revision is of: its own, and for a rollback the one that it restored.

    One that took back its own failed deployment is not of that one.
    """
    record = revision.record
    if record is None:
        return {revision.deployment_id}
    same = any(
        one.number < revision.number and one.record and one.record.deployment_id == record.deployment_id
        for one in revisions
    )
    return {revision.origin} if record.action == "rollback" and same else {revision.origin, record.deployment_id}


def is_foreign(revision: Revision) -> bool:
    """Whether it is another tool's, and worked as far as Helm knows."""
    return revision.record is None and revision.status in ("deployed", "superseded")


def version_of(revision: Revision) -> str | None:
    """The version that runs in it, or the tag of its image."""
    return (revision.record.version or revision.record.tag) if revision.record else None
