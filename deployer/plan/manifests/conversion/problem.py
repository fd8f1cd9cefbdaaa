"""What a conversion cannot decide for the author, and how it reads a manifest that may have any shape."""

from __future__ import annotations

from deployer.model import Json
from deployer.plan.paths import Path


class CannotConvert(Exception):
    """The manifest has to be changed by its author first; `what` follows the path in a sentence."""

    def __init__(self, path: Path, what: str, hint: str) -> None:
        super().__init__(what)
        self.path = path
        self.what = what
        self.hint = hint


def mapping(parent: Json, key: str) -> Json:
    """The mapping under a key, made when missing. Anything else there is the author's mistake."""
    value = parent.setdefault(key, {})
    if value is None:
        value = parent[key] = {}
    if not isinstance(value, dict):
        raise CannotConvert((key,), "is not a mapping", "see the kind's reference for its shape")
    return value
