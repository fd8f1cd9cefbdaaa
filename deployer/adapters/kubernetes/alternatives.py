"""Fields that exclude each other, such as `value` and `valueFrom` of a variable: the new one is applied, the old goes.

A server-side apply leaves what somebody else has set, and the API server then refuses to have both. Helm's own patch
takes away what its last revision had; so does a strategic merge patch that names the old field.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

from deployer.model import Json

STRATEGIC = "application/strategic-merge-patch+json"

_CONTAINERS = ("containers", "initContainers", "ephemeralContainers")
_OF_VARIABLE = frozenset({"value", "valueFrom"})


def instead(applied: Json, live: Json) -> Json | None:
    """The manifest as a strategic merge patch, where it has other alternatives than the live object; None elsewhere."""
    patch = copy.deepcopy(applied)
    found = False
    for wanted, present in _pods(patch, live):
        for new, old in _pairs(wanted.get("volumes"), present.get("volumes")):
            found |= _drop(new, old, old.keys() - {"name"})
        for field in _CONTAINERS:
            for container, before in _pairs(wanted.get(field), present.get(field)):
                for new, old in _pairs(container.get("env"), before.get("env")):
                    found |= _drop(new, old, _OF_VARIABLE)
                    source, former = new.get("valueFrom"), old.get("valueFrom")
                    if isinstance(source, dict) and isinstance(former, dict):
                        found |= _drop(source, former, former.keys())
    return patch if found else None


def _drop(new: Json, old: Json, alternatives: Any) -> bool:
    """Name in the new item what the old one has of the alternatives and the new one has not."""
    gone = [name for name in alternatives if old.get(name) and name not in new]
    new.update(dict.fromkeys(gone))
    return bool(gone)


def _pods(wanted: Any, present: Any) -> Iterator[tuple[Json, Json]]:
    """The descriptions of pods in two objects of the same kind."""
    if not isinstance(wanted, dict) or not isinstance(present, dict):
        return
    if isinstance(wanted.get("containers"), list):
        yield wanted, present
        return
    for name in ("spec", "template", "jobTemplate"):
        if name in wanted and name in present:
            yield from _pods(wanted[name], present[name])


def _pairs(wanted: Any, present: Any) -> Iterator[tuple[Json, Json]]:
    """The items of two lists that have the same name."""
    known = {one.get("name"): one for one in present or () if isinstance(one, dict)} if _is_list(present) else {}
    for one in wanted if _is_list(wanted) else ():
        if isinstance(one, dict) and one.get("name") in known:
            yield one, known[one["name"]]


def _is_list(value: Any) -> bool:
    return isinstance(value, list)
