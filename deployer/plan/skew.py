"""Compares an app's regions: which of them differs from the others, and in what."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import TypeVar

from deployer.model.status import BROKEN, Difference, ReleaseStatus, Standing

T = TypeVar("T")

_ABSENT: frozenset[Standing] = frozenset({"missing", "unknown"})

_FACTS: dict[str, Callable[[ReleaseStatus], str | None]] = {
    "version": lambda row: row.version,
    "tag": lambda row: row.tag,
    "digest": lambda row: row.digest,
}
"""In the order of how much they say: of these only the first that differs is told."""


def compared(rows: Sequence[ReleaseStatus]) -> tuple[ReleaseStatus, ...]:
    """The rows of one app, each with what sets it apart from the others.

    What most regions have is the measure, and the newest revision where no value has a majority. Regions that could not
    be read are left out. An app that is missing everywhere is not deployed to the stage, which is no difference.
    """
    present = [row for row in rows if row.standing not in _ABSENT and row.revision is not None]
    regions = [row.target.region for row in rows]
    objects = [_region_free(row.objects, regions) for row in present]
    return tuple(replace(row, differences=_differences(row, present, objects)) for row in rows)


def _region_free(names: Iterable[str], regions: Iterable[str]) -> frozenset[str]:
    """The names with one word for all regions: `Deployment/myapp-london` is the same in Seoul under Seoul's name."""
    pattern = re.compile("|".join(re.escape(region) for region in sorted(regions, key=len, reverse=True)))
    return frozenset(pattern.sub("REGION", name) for name in names)


def _differences(
    row: ReleaseStatus, present: Sequence[ReleaseStatus], objects: Sequence[frozenset[str]]
) -> tuple[Difference, ...]:
    if row.standing == "unknown":
        return ()
    if row.standing == "missing":
        return (Difference("state", "missing", "deployed"),) if present else ()
    found = [Difference("state", row.standing)] if row.standing in BROKEN else []
    if row not in present:  # its first deployment is under way
        return tuple(found)
    for what, fact in _FACTS.items():
        here, usual = fact(row), _usual([(fact(one), one) for one in present])
        if here != usual:
            found.append(Difference(what, here or "none", usual or "none"))
            break
    usual_objects = _usual(list(zip(objects, present, strict=True)))
    return (*found, *_objects(objects[present.index(row)], usual_objects))


def _objects(here: frozenset[str], usual: frozenset[str]) -> list[Difference]:
    """Objects that only this region has, or lacks: its revision was made from other manifests."""
    if here == usual:
        return []
    lacks, has = sorted(usual - here), sorted(here - usual)
    told = [f"{verb} {', '.join(names)}" for verb, names in (("lacks", lacks), ("alone has", has)) if names]
    return [Difference("objects", "; ".join(told))]


def _usual(values: Sequence[tuple[T, ReleaseStatus]]) -> T:
    """What more regions have than anything else; what the newest revision has where several are equally frequent."""
    counts = Counter(value for value, _ in values).most_common()
    if len(counts) > 1 and counts[0][1] == counts[1][1]:
        most = {value for value, count in counts if count == counts[0][1]}
        candidates = [
            (row.updated.timestamp() if row.updated else 0.0, value) for value, row in values if value in most
        ]
        return max(candidates, key=lambda pair: pair[0])[1]
    return counts[0][0]
