"""The objects that differ between what is live and what is wanted, each with its fields."""

from __future__ import annotations

from collections.abc import Iterator

from deployer.model import Json, ObjectKey
from deployer.model.changes import FieldChange, ObjectChange, Refusal
from deployer.plan.diff.describing import facts_of, losses
from deployer.plan.diff.fields import differences
from deployer.plan.diff.visible import Sides
from deployer.plan.difference import theirs
from deployer.plan.manifests.kinds import stays
from deployer.plan.paths import Path, path_text

_TEXTS = ("binaryData", "data", "stringData")
"""Fields of ConfigMaps and Secrets whose keys are told one by one, also when the first or the last of them goes."""


def created(key: ObjectKey, manifest: Json) -> ObjectChange:
    """An object that is not there yet."""
    return ObjectChange(key, "create", facts=facts_of(manifest))


def deleted(key: ObjectKey, manifest: Json | None) -> ObjectChange:
    """An object of the old revision that the new one does not have; `manifest` is what it was made from."""
    if manifest is None:
        return ObjectChange(key, "delete")
    return ObjectChange(key, "keep" if stays(manifest) else "delete", facts=losses(manifest))


def changed(key: ObjectKey, sides: Sides, refused: tuple[Refusal, ...] = ()) -> ObjectChange | None:
    """An object whose fields change; None when none does."""
    found: dict[tuple[str, str], FieldChange] = {}
    for path, old, new in _by_keys(sides):
        change = sides.change(path, old, new)
        if change is not None:
            found.setdefault((change.path, change.change if not change.secret else "secret"), change)
    if not found and not refused:
        return None
    return ObjectChange(key, "change", tuple(sorted(found.values(), key=lambda one: one.path)), refused=refused)


def refusal(path: Path, hint: str) -> Refusal:
    """A field that may not change."""
    return Refusal(path_text(path), hint)


def _by_keys(sides: Sides) -> Iterator[tuple[Path, object, object]]:
    for path, old, new in differences(theirs(sides.old), theirs(sides.new)):
        if len(path) == 1 and path[0] in _TEXTS:
            yield from differences(old or {}, new or {}, path)
        else:
            yield path, old, new
