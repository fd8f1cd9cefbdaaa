"""Judges one app in one region: what became of its newest revision, and what it consists of."""

from __future__ import annotations

from collections.abc import Sequence

from deployer.model import Json, LockState, ObjectKey, Revision, Target, WorkloadState
from deployer.model.status import ReleaseHead, ReleaseStatus, Standing
from deployer.plan.readiness import RUNNING

_DONE: dict[str | None, Standing] = {"rollback": "restored", "promote": "promoted", "adopt": "adopted"}
_HOOK = "helm.sh/hook"


def release_status(
    target: Target,
    name: str,
    namespace: str,
    head: ReleaseHead | None,
    workloads: Sequence[WorkloadState],
    lock: LockState | None,
) -> ReleaseStatus:
    """One row of a stage's status, without what a comparison of regions adds."""
    if head is None:
        standing: Standing = "in progress" if lock is not None and not lock.expired else "missing"
        return ReleaseStatus(target, standing, name, namespace, lock=lock)
    newest, record = head.newest, head.newest.record
    return ReleaseStatus(
        target=target,
        standing=_standing(head, lock),
        name=name,
        namespace=namespace,
        revision=newest.number,
        good=head.good.number if head.good else None,
        version=record.version if record else None,
        tag=record.tag if record else None,
        digest=record.digest if record else None,
        git_commit=record.git_commit if record else None,
        deployment_id=record.deployment_id if record else newest.deployment_id,
        who=record.who if record else None,
        updated=newest.updated,
        objects=frozenset(f"{one['kind']}/{one['metadata'].get('name')}" for one in newest.objects()),
        workloads=tuple(workloads),
        lock=lock,
    )


def running_objects(revision: Revision, namespace: str) -> tuple[ObjectKey, ...]:
    """The objects of a revision that keep pods running; Helm's hooks are none of them."""
    return tuple(
        ObjectKey(str(one["apiVersion"]), one["kind"], one["metadata"].get("namespace") or namespace, str(name))
        for one in revision.objects()
        if one["kind"] in RUNNING
        and "apiVersion" in one
        and not _is_hook(one)
        and (name := one["metadata"].get("name"))
    )


def _standing(head: ReleaseHead, lock: LockState | None) -> Standing:
    revision = head.newest
    if revision.verified:
        return "rolled back" if head.takes_back else _DONE.get(_action(revision), "deployed")
    if lock is not None and not lock.expired:
        return "in progress"
    if revision.ended == "interrupted" or revision.status.startswith(("pending", "uninstalling")):
        return "interrupted"
    if revision.ended == "failed" or revision.status == "failed":
        return "failed"
    if revision.status == "uninstalled":  # Helm keeps the history when it is asked to
        return "missing"
    return "unverified" if revision.record else "not ours"


def _action(revision: Revision) -> str | None:
    """What made it; a revision of another tool's that was brought back has no record of ours."""
    if revision.record is not None:
        return revision.record.action
    return "rollback" if revision.is_helms_rollback else None


def _is_hook(content: Json) -> bool:
    return _HOOK in (content["metadata"].get("annotations") or {})
