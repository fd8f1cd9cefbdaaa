"""Decides what an adoption takes over, and what a failed one has to give back."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from deployer.model import Json, ObjectKey, Revision
from deployer.plan.difference import shortened
from deployer.plan.manifests import object_key
from deployer.plan.stored import members_of

ReleaseName = tuple[str, str]
"""A Helm release: its name and namespace."""


@dataclass(frozen=True)
class Adopted:
    """A live object that is not the release's. `owner` is its release, None for one that was made by hand.

    `changes` are the paths of the fields that taking it over changes.
    """

    key: ObjectKey
    owner: ReleaseName | None
    changes: tuple[str, ...] = ()

    def __str__(self) -> str:
        whose = f"of the release {self.owner[0]} in {self.owner[1]}" if self.owner else "made by hand"
        shown, more = ", ".join(map(shortened, self.changes[:6])), len(self.changes) - 6
        shown += f" and {more} more" if more > 0 else ""
        return f"{self.key}: taken over, {whose}; {f'changes {shown}' if shown else 'nothing in it changes'}"


@dataclass(frozen=True)
class Predecessor:
    """Another release that objects are taken from. `remaining` are those of its objects that stay its own.

    Without any it is forgotten once all is well: its stored revisions would let `helm uninstall` delete what is ours.
    """

    release: ReleaseName
    revision: int
    remaining: tuple[ObjectKey, ...] = ()

    def __str__(self) -> str:
        name, namespace = self.release
        if not self.remaining:
            return f"release {name} in {namespace}: forgotten afterwards, since all its objects are taken over"
        return f"release {name} in {namespace}: stays, with {_listed(self.remaining)}"

    @property
    def warning(self) -> str | None:
        """What its reader must know of a release that stays."""
        name, namespace = self.release
        if not self.remaining:
            return None
        return (
            f"the release {name} in {namespace} stays, since {_listed(self.remaining)} is not part of this app; "
            f"`helm uninstall {name}` would delete what was taken over from it, too"
        )


@dataclass(frozen=True)
class Adoption:
    """What an adoption takes over in one region, and from which releases. `records` are those of DNS, for people."""

    objects: tuple[Adopted, ...] = ()
    predecessors: tuple[Predecessor, ...] = field(default=())
    records: tuple[str, ...] = ()

    @property
    def keys(self) -> frozenset[ObjectKey]:
        """The keys of the objects."""
        return frozenset(one.key for one in self.objects)

    @property
    def lines(self) -> tuple[str, ...]:
        """One line for each object, each other release and each record."""
        return (*map(str, self.objects), *map(str, self.predecessors), *self.records)

    @property
    def sources(self) -> str | None:
        """The other releases, as the record keeps them."""
        return ",".join(f"{one.release[1]}/{one.release[0]}" for one in self.predecessors) or None


def sources_of(revisions: Sequence[Revision]) -> tuple[ReleaseName, ...]:
    """The releases that objects were taken from by the newest revision, as its record names them."""
    record = revisions[0].record if revisions else None
    pairs = (one.partition("/") for one in record.adopted_from.split(",")) if record and record.adopted_from else ()
    return tuple((name, namespace) for namespace, _, name in pairs)


def predecessor(release: ReleaseName, revisions: Sequence[Revision], ours: frozenset[ObjectKey]) -> Predecessor | None:
    """What remains of another release once `ours` are taken from it; None where nothing is stored of it."""
    if not revisions:
        return None
    known = {_identity(key) for key in ours}
    objects = members_of(revisions[0], release[1])
    remaining = tuple(key for key in objects if _identity(key) not in known)
    return Predecessor(release, revisions[0].number, remaining)


def taken_since(revisions: Sequence[Revision], good: int | None) -> dict[ObjectKey, Json]:
    """The objects that revisions newer than a good one have taken over, as they were before any of them did."""
    found: dict[ObjectKey, Json] = {}
    for revision in sorted(revisions, key=lambda one: one.number):
        if good is not None and revision.number <= good:
            continue
        for text in revision.before:
            content = json.loads(text)
            found.setdefault(object_key(content, content["metadata"].get("namespace")), content)
    return found


def made_since(revisions: Sequence[Revision], namespace: str, taken: Mapping[ObjectKey, Json]) -> tuple[ObjectKey, ...]:
    """The objects of these revisions that were not there before: those that they have not taken over."""
    known = {_identity(key) for key in taken}
    found = {key: None for revision in revisions for key in members_of(revision, namespace)}
    return tuple(key for key in found if _identity(key) not in known)


def _identity(key: ObjectKey) -> tuple[str, str | None, str]:
    return key.kind, key.namespace, key.name


def _listed(keys: Sequence[ObjectKey], most: int = 5) -> str:
    rest = len(keys) - most
    return ", ".join(map(str, keys[:most])) + (f" and {rest} more" if rest > 0 else "")
