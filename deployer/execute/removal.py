"""Takes a release away: its DNS first, then Helm uninstalls it, and its pods are waited for; and what of it stays."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial

from deployer.errors import DeployError, DeploymentFailed, HeldError
from deployer.execute.attempt import Attempt
from deployer.execute.dns.withdrawing import WITHDRAWAL
from deployer.execute.lifted import stored
from deployer.execute.parallel import values_of
from deployer.execute.ports import Cluster
from deployer.execute.restore import Place
from deployer.execute.work import Work
from deployer.model import Json, ObjectKey, Revision, TargetResult
from deployer.plan.adoption import taken_since
from deployer.plan.manifests.kinds import POD_TEMPLATES, dig, mappings
from deployer.plan.removal import Removal, hooks_of, older_objects, removal_of
from deployer.plan.stored import members_of

_UNINSTALL = "uninstall"
_POLL = 1.0
_AT_ONCE = 8
_SHOWN = 5

_MIDDLEMEN: Mapping[str, tuple[str, str]] = {"Deployment": ("apps/v1", "ReplicaSet"), "CronJob": ("batch/v1", "Job")}
"""What stands between a workload and its pods."""


def look(place: Place, revisions: Sequence[Revision], *, everything: bool = False) -> Removal:
    """What removing a release does, from what is live; with `everything` nothing is kept. Changes nothing."""
    name, namespace, cluster = place.app.app_name, place.settings.namespace, place.ports.cluster
    found = stored(cluster, namespace, name)
    lifted = tuple(ObjectKey("v1", "Secret", namespace, one) for one in found)
    if not revisions:
        return Removal(lifted=lifted)
    live = _live(cluster, list(members_of(revisions[0], namespace)))
    older = _live(cluster, older_objects(revisions, namespace, everything=everything))
    claims = (
        cluster.list("v1", "PersistentVolumeClaim", namespace) if any(key.kind == "StatefulSet" for key in live) else ()
    )
    uids = frozenset(_uid(content) for key, content in live.items() if key.kind in POD_TEMPLATES)
    removal = removal_of(revisions, (name, namespace), live=live, older=older, claims=claims, uids=uids)
    if everything:
        removal = removal.with_nothing_kept(_live(cluster, hooks_of(revisions, namespace)))
    return replace(removal, lifted=lifted)


def take_away(attempt: Attempt, clock: Callable[[], float] = time.monotonic) -> None:
    """Uninstall the release of an attempt whose work has a removal, and wait until its pods are gone.

    Where its DNS is managed no client is led there any more before anything ends. Without a release only DNS goes.
    Raises DeployError; what was removed until then stays removed, and the same command goes on with the rest.
    """
    work = attempt.work
    removal, cluster = work.removal or Removal(), work.ports.cluster
    if work.withdrawal is not None:
        try:
            work.withdrawal.carry_out(attempt)
        except DeployError as error:
            told = "nothing was uninstalled; run the same command again"
            for leaf in error.leaves():
                leaf.hint = f"{leaf.hint}\n{told}" if leaf.hint else told
            raise
        attempt.stop_if_asked()
    if work.plan.current_revision is None:
        return
    owners = removal.uids | _middlemen(cluster, removal, work.namespace)
    with attempt.phases(_UNINSTALL) as phase:
        for key in removal.beyond:  # while the release still tells of them, should we be cut off
            attempt.about_to_change()
            cluster.delete(key)
        with attempt.changing():
            work.ports.releases.uninstall(work.app.app_name, work.namespace, timeout=work.timeout)
        for key in removal.strays:
            attempt.about_to_change()
            cluster.delete(key)
        phase.detail = f"{len(removal.goes) + len(removal.strays) + len(removal.beyond)} objects removed"
        phase.detail += f", {len(removal.kept)} kept" if removal.kept else ""
    if owners:
        with attempt.phases("pods") as phase:
            count = _await_end(attempt, owners, clock)
            phase.detail = f"{count} ended" if count else "none was left"


def uninstall(work: Work, revisions: Sequence[Revision], *, timeout: float) -> str:
    """Take away a release that was never good, by Helm alone; what is to be told of what stays.

    Of a branch nothing is kept, neither of what Helm would leave.
    """
    leftovers: tuple[ObjectKey, ...] = ()
    if work.target.branch is not None:
        place = Place(work.target, work.settings, work.app, work.ports)
        leftovers = look(place, revisions, everything=True).beyond
    work.ports.releases.uninstall(work.app.app_name, work.namespace, timeout=timeout)
    for key in leftovers:
        work.ports.cluster.delete(key)
    return "" if work.target.branch is not None else "claimed volumes are kept"


def not_taken_away(attempt: Attempt, error: DeployError) -> TargetResult:
    """The result of a removal that did not end: nothing of it is taken back, since it was asked for."""
    if not attempt.stopping.is_set() or attempt.lost:
        return attempt.result("failed", error)
    begun = any(timing.phase in (WITHDRAWAL, _UNINSTALL) for timing in attempt.phases.timings)
    error.hint = "run the same command again: it goes on with what is left"
    return attempt.result("interrupted" if begun else "not started", error)


def _await_end(attempt: Attempt, owners: frozenset[str], clock: Callable[[], float]) -> int:
    """Wait until no pod of these owners is left; how many there were at first."""
    work, first = attempt.work, None
    deadline = clock() + work.timeout
    while True:
        left = [pod for pod in work.ports.cluster.list("v1", "Pod", work.namespace) if _belongs(pod, owners)]
        first = len(left) if first is None else first
        if not left:
            return first
        names = sorted(str(dig(pod, ("metadata", "name"))) for pod in left)
        shown = ", ".join(names[:_SHOWN]) + (f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else "")
        if clock() >= deadline:
            raise DeploymentFailed(
                f"the release is gone, but {len(left)} of its pods did not end in time",
                where=work.place,
                why=shown,
                hint="they may still end by themselves; a pod that hangs has a finalizer, or a node that is gone",
            )
        if attempt.stopping.wait(_POLL):
            raise DeploymentFailed(
                "the release is gone, and its pods are ending", where=work.place, why=f"not awaited: {shown}"
            )


def _middlemen(cluster: Cluster, removal: Removal, namespace: str) -> frozenset[str]:
    """The uids of what the release's workloads have made to run their pods."""
    kinds = {key.kind for key in removal.goes}
    return frozenset(
        _uid(content)
        for kind, made in _MIDDLEMEN.items()
        if kind in kinds
        for content in cluster.list(*made, namespace)
        if _belongs(content, removal.uids)
    )


def _live(cluster: Cluster, keys: Sequence[ObjectKey]) -> dict[ObjectKey, Json]:
    found: dict[ObjectKey, Json] = {}
    for at in range(0, len(keys), _AT_ONCE):
        portion = keys[at : at + _AT_ONCE]
        contents = values_of([partial(cluster.get, key) for key in portion])
        found |= {key: content for key, content in zip(portion, contents, strict=True) if content is not None}
    return found


def _belongs(content: Json, owners: frozenset[str]) -> bool:
    references = mappings(dig(content, ("metadata", "ownerReferences")))
    return _uid(content) in owners or any(str(one.get("uid")) in owners for one in references)


def _uid(content: Json) -> str:
    return str(dig(content, ("metadata", "uid")))


def refuse_unsettled(place: Place, revisions: Sequence[Revision]) -> None:
    """Raises HeldError for a release that an adoption was cut off in: its objects were others' before."""
    good = next((one.number for one in revisions if one.verified), None)
    if taken := taken_since(revisions, good):
        raise HeldError(
            f"an adoption of {place.app.app_name} was cut off: removing it would delete what was others' before",
            where=place.target.environment,
            why=f"taken over: {', '.join(map(str, taken))}",
            hint=f"`deploy recover {place.target}` gives them back, `deploy adopt {place.target}` goes on",
        )


def refuse_others(place: Place, revisions: Sequence[Revision]) -> None:
    """Raises HeldError for a release that this tool has not made for this stage and region."""
    record = revisions[0].record if revisions else None
    if not revisions or (
        record is not None and (record.stage, record.region) == (place.target.stage, place.target.region)
    ):
        return
    whose = f"this tool made it for {record.stage} {record.region}" if record else "another tool made it"
    raise HeldError(
        f"the release {place.app.app_name} is not one of {place.target.environment}",
        where=f"namespace {place.settings.namespace}",
        why=whose,
        hint=f"helm uninstall {place.app.app_name} --namespace {place.settings.namespace}, if that is meant",
    )
