"""Decides what a removal takes away and what it leaves: from the release's revisions and what is live."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from deployer.model import Json, ObjectKey, Revision, Target
from deployer.plan.manifests.kinds import dig, is_hook, mappings, object_key, stays
from deployer.plan.manifests.ownership import owner_of
from deployer.plan.steps import TargetPlan
from deployer.plan.stored import members_of

_CLAIM = "PersistentVolumeClaim"


@dataclass(frozen=True)
class Removal:
    """What one target's removal is about.

    `goes` are the objects that Helm deletes, `strays` those of older revisions that it no longer knows and that are the
    release's by their own marks. `kept` stays, with its reason; `lost` are volume claims that go with their data.
    `uids` are of everything whose pods are waited for; `lifted` are Secrets beside the release that go with it.
    `beyond` is what Helm would leave and goes all the same, volume claims (also in `lost`) and hooks among it.
    """

    goes: tuple[ObjectKey, ...] = ()
    strays: tuple[ObjectKey, ...] = ()
    kept: Mapping[ObjectKey, str] = field(default_factory=dict)
    lost: tuple[ObjectKey, ...] = ()
    uids: frozenset[str] = frozenset()
    lifted: tuple[ObjectKey, ...] = ()
    beyond: tuple[ObjectKey, ...] = ()

    @property
    def lines(self) -> tuple[str, ...]:
        """One line for each object, as the plan and the report tell it."""
        lost = set(self.lost)
        return (
            *(f"{key}: {'removed with its data' if key in lost else 'removed'}" for key in self.goes),
            *(f"{key}: removed (of an older revision)" for key in self.strays),
            *(f"{key}: removed" for key in (*self.lifted, *self.beyond) if key not in lost),
            *(f"{key}: removed with its data" for key in self.lost if key not in self.goes),
            *(f"{key}: kept, {why}" for key, why in self.kept.items()),
        )

    def with_nothing_kept(self, hooks: Iterable[ObjectKey]) -> Removal:
        """The removal of something that nobody wants to keep anything of; `hooks` are what its hooks have left."""
        claims = tuple(key for key in self.kept if key.kind == _CLAIM)
        return replace(self, kept={}, lost=(*self.lost, *claims), beyond=(*self.kept, *hooks))


def hooks_of(revisions: Sequence[Revision], namespace: str) -> list[ObjectKey]:
    """The objects that the hooks of a release's revisions have made, each once; they are there or gone."""
    found: dict[ObjectKey, None] = {}
    for revision in revisions:
        for content in revision.objects():
            if is_hook(content) and content["metadata"].get("name") and "apiVersion" in content:
                found.setdefault(object_key(content, namespace))
    return list(found)


def older_objects(revisions: Sequence[Revision], namespace: str, *, everything: bool = False) -> list[ObjectKey]:
    """The objects that only older revisions have: something may be left of them after a failed upgrade.

    With `everything` also those that Helm has left when they went out of the release.
    """
    known = {_identity(key) for key in members_of(revisions[0], namespace)} if revisions else set()
    found: dict[tuple[str, str | None, str], ObjectKey] = {}
    for revision in revisions[1:]:
        for key, content in members_of(revision, namespace).items():
            if _identity(key) not in known and (everything or not stays(content)):
                found.setdefault(_identity(key), key)
    return list(found.values())


def removal_of(
    revisions: Sequence[Revision],
    release: tuple[str, str],
    *,
    live: Mapping[ObjectKey, Json],
    older: Mapping[ObjectKey, Json],
    claims: Iterable[Json],
    uids: frozenset[str] = frozenset(),
) -> Removal:
    """What removing the release (name, namespace) does.

    `live` are its newest revision's objects as they are, `older` those that only older revisions have, `claims` all
    volume claims of the namespace.
    """
    objects = members_of(revisions[0], release[1])
    goes = [key for key, content in objects.items() if not stays(content)]
    kept = {key: "as its manifest says" for key, content in objects.items() if stays(content) and key in live}
    lost = [key for key in goes if key.kind == _CLAIM and key in live]
    for claim, dies in _claims_of_sets(live, claims):
        key = object_key(claim, release[1])
        if key in objects:
            continue
        if dies:
            lost.append(key)
        else:
            kept[key] = "with its data: a StatefulSet claimed it"
    strays = [key for key, content in older.items() if owner_of(content) == release]
    return Removal(
        goes=tuple(key for key in goes if key in live),
        strays=tuple(strays),
        kept={key: _why_kept(key, why) for key, why in kept.items()},
        lost=tuple(lost),
        uids=uids,
    )


def plan_removal(target: Target, revisions: Sequence[Revision], removal: Removal, place: str) -> TargetPlan:
    """The removal as a plan, to be shown, confirmed and carried out; `place` says where the release would be."""
    if not revisions and removal.lifted:
        reasons = (f"there is no release {place}, but Secrets of it are left",)
        return TargetPlan(
            target, release_action="uninstall", reasons=reasons, changes=removal.lines, deletions=removal.lifted
        )
    if not revisions:
        return TargetPlan(target, reasons=(f"there is no release {place}",))
    current = revisions[0]
    state = f"revision {current.number} is {current.status}"
    made_by = "" if current.record else f", made by another tool ({current.chart or 'an unknown chart'})"
    return TargetPlan(
        target,
        release_action="uninstall",
        current_revision=current.number,
        reasons=(f"{state}{made_by}",),
        changes=removal.lines,
        deletions=(
            *removal.goes,
            *removal.strays,
            *removal.lifted,
            *(key for key in removal.beyond if key not in removal.lost),
            *(key for key in removal.lost if key not in removal.goes),
        ),
    )


def _claims_of_sets(live: Mapping[ObjectKey, Json], claims: Iterable[Json]) -> Iterator[tuple[Json, bool]]:
    """The claims that StatefulSets have made, each with whether Kubernetes deletes it with its set."""
    named = {str(dig(claim, ("metadata", "name"))): claim for claim in claims}
    for key, content in live.items():
        if key.kind != "StatefulSet":
            continue
        policy = dig(content, ("spec", "persistentVolumeClaimRetentionPolicy", "whenDeleted"))
        for template in mappings(dig(content, ("spec", "volumeClaimTemplates"))):
            pattern = re.compile(re.escape(f"{dig(template, ('metadata', 'name'))}-{key.name}-") + r"\d+\Z")
            for name in sorted(filter(pattern.match, named)):
                yield named[name], policy == "Delete"


def _why_kept(key: ObjectKey, why: str) -> str:
    return "with its data" if key.kind == _CLAIM and why == "as its manifest says" else why


def _identity(key: ObjectKey) -> tuple[str, str | None, str]:
    return key.kind, key.namespace, key.name
