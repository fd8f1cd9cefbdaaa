"""Takes over objects of others, and gives them back as they were when that fails."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

from deployer.errors import DeployError, HeldError
from deployer.execute.attempt import Attempt
from deployer.execute.ports import Releases
from deployer.execute.preflight import Entry
from deployer.execute.work import Work
from deployer.model import Json, ObjectKey, Outcome, Revision
from deployer.plan.adoption import (
    Adopted,
    Adoption,
    Predecessor,
    ReleaseName,
    made_since,
    predecessor,
    sources_of,
    taken_since,
)
from deployer.plan.manifests import check_release_size, is_hook
from deployer.plan.manifests.canonical import canonical_text
from deployer.plan.manifests.ownership import owner_of

_CLAIM = "PersistentVolumeClaim"


def adoption_of(
    entry: Entry,
    revisions: Sequence[Revision],
    taken: Mapping[ObjectKey, ReleaseName | None],
    live: Mapping[ObjectKey, Json | None],
    drift: Mapping[ObjectKey, tuple[str, ...]],
) -> Adoption:
    """What an adoption would take over. Changes nothing.

    `taken` are the objects of others with their releases, `live` all objects of the manifests as they are, `drift` the
    fields that applying the manifests would change. Raises HeldError where another release is being changed just now.
    """
    texts = entry.prepared.texts if entry.prepared else ()
    before = [_text(content) for key in taken if (content := live.get(key)) is not None]
    if before:
        check_release_size((*texts, *before))
    keys = frozenset(key for key in live)
    others = [owner for owner in taken.values() if owner is not None]
    found = (
        _predecessor(entry.ports.releases, release, keys)
        for release in dict.fromkeys((*others, *sources_of(revisions)))
    )
    return Adoption(
        tuple(Adopted(key, owner, drift.get(key, ())) for key, owner in taken.items()),
        tuple(one for one in found if one is not None),
    )


def _predecessor(releases: Releases, release: ReleaseName, ours: frozenset[ObjectKey]) -> Predecessor | None:
    revisions = releases.revisions(*release)
    if revisions and revisions[0].status.startswith("pending"):
        raise HeldError(
            f"the release {release[0]} in {release[1]}, which objects are to be taken from, is being changed",
            why=f"revision {revisions[0].number} is {revisions[0].status}",
            hint=f"wait until it is done; if it was cut off, helm rollback {release[0]} frees it",
        )
    return predecessor(release, revisions, ours)


def before_taking(work: Work) -> tuple[str, ...]:
    """The objects that are about to be taken over, as they are now, as JSON texts.

    Raises HeldError for one that the plan does not have: nobody was asked whether that may be taken.
    """
    release, cluster = (work.app.app_name, work.namespace), work.ports.cluster
    texts = []
    for key, manifest in zip(work.prepared.keys, work.prepared.objects, strict=True):
        live = None if is_hook(manifest) else cluster.get(key)
        if live is None or owner_of(live) == release:
            continue
        if key not in work.plan.adoption.keys:
            raise HeldError(
                f"{key} has appeared while this adoption was being prepared, and is not {work.app.app_name}'s",
                where=work.place,
                hint="run the same command again: it shows what would be taken over",
            )
        texts.append(_text(live))
    return tuple(texts)


@contextmanager
def giving_back(attempt: Attempt, revisions: Sequence[Revision], goal: int) -> Iterator[None]:
    """Around Helm's rollback to the revision `goal`: what was taken over since is not deleted, but made what it was."""
    work, cluster = attempt.work, attempt.work.ports.cluster
    taken = taken_since(revisions, goal)
    for key in taken:
        if cluster.get(key) is not None:
            attempt.about_to_change()
            cluster.keep(key)
    try:
        yield
    finally:
        _restore(attempt, taken)
        if taken:
            for revision in revisions:
                if revision.before and revision.number > goal:
                    work.ports.releases.settle(work.app.app_name, work.namespace, revision.number)
            attempt.warn(f"given back, as it was before it was taken over: {', '.join(map(str, taken))}")


def has_taken(revisions: Sequence[Revision]) -> bool:
    """Whether a release that was never good has taken over objects, which must not be deleted with it."""
    return bool(taken_since(revisions, None))


def give_back(attempt: Attempt, revisions: Sequence[Revision]) -> tuple[Outcome, str | None]:
    """Undo a release that was never good and has taken over objects: everything is as it was before it.

    What it took over is made what it was, what it made is deleted (volume claims are kept), and its revisions are
    forgotten. Helm itself would delete what it took over.
    """
    work, cluster = attempt.work, attempt.work.ports.cluster
    name, namespace = work.app.app_name, work.namespace
    taken = taken_since(revisions, None)
    with attempt.phases("give back") as phase:
        _restore(attempt, taken)
        made = [key for key in made_since(revisions, namespace, taken) if key.kind != _CLAIM]
        for key in made:
            live = cluster.get(key)
            if live is not None and owner_of(live) == (name, namespace):
                attempt.about_to_change()
                cluster.delete(key)
        attempt.about_to_change()
        work.ports.releases.forget(name, namespace)
        attempt.revision = None
        phase.detail = f"{', '.join(map(str, taken))}: as before, and not {name}'s"
        if attempt.stopping.is_set():
            return "interrupted", None
        result = attempt.watch(tuple(taken.values()), min(work.timeout, 300.0), remove=cluster.delete)
        if not result.ready:
            return "failed", f"what was there before is given back, and does not become ready: {result.reason}"
    return "rolled back", None


def settle(work: Work, revision: int | None) -> tuple[str, ...]:
    """End an adoption that went well: its way back is dropped, and releases that have nothing left are forgotten.

    What was done, and what could not be done, as sentences.
    """
    releases, told = work.ports.releases, []
    ours = frozenset(work.prepared.keys)
    try:
        if revision is not None:
            releases.settle(work.app.app_name, work.namespace, revision)
        for one in work.plan.adoption.predecessors:
            left = predecessor(one.release, releases.revisions(*one.release), ours)
            if left is not None and left.revision == one.revision and not left.remaining:
                releases.forget(*one.release)
                told.append(f"the release {one.release[0]} in {one.release[1]} had nothing left and is forgotten")
            elif left is not None and left.revision != one.revision:
                told.append(
                    f"the release {one.release[0]} in {one.release[1]} was changed meanwhile, and is left alone"
                )
    except DeployError as error:
        told.append(f"the adoption is not settled: {error}; run the same command again")
    return tuple(told)


def _restore(attempt: Attempt, taken: Mapping[ObjectKey, Json]) -> None:
    for content in taken.values():
        attempt.about_to_change()
        attempt.work.ports.cluster.restore(content)


def _text(live: Json) -> str:
    return canonical_text({key: value for key, value in live.items() if key != "status"})
