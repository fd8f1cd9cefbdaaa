"""Decides what may be shown of a field that differs: never a secret, nor what may have been one."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from deployer.masking import MARK
from deployer.model import Json
from deployer.model.changes import Change, FieldChange, SecretUse
from deployer.plan.diff.fields import at
from deployer.plan.diff.secrets import Place
from deployer.plan.manifests.lifted import looks_lifted
from deployer.plan.paths import Named, Path, path_text

_SECRET_DATA = ("data", "stringData")
_SECRET_NAMES = ("secretName", "name")

_TELLING = re.compile("auth|credential|key|pass|private|secret|token", re.IGNORECASE)
"""Names of variables whose values in the cluster may be secrets that no file knows."""

Mask = Callable[[str], str]
"""The text without the secrets that are known."""


@dataclass(frozen=True)
class Sides:
    """An object before and after, with the manifests (None where there is none) that its author wrote for each.

    `uses` is what becomes of the secrets of its pods, by container and variable.
    """

    old: Json
    new: Json
    wrote: Json | None
    writes: Json | None
    mask: Mask
    uses: Mapping[Place, SecretUse] = field(default_factory=dict)

    def change(self, path: Path, old: Any, new: Any) -> FieldChange | None:
        """The difference as it may be shown; None for one that says nothing to anybody."""
        change: Change = "added" if old is None else "removed" if new is None else "changed"
        text = path_text(path)
        if self.new.get("kind") == "Secret" and path[0] in _SECRET_DATA:
            return FieldChange(text, change, secret=True)
        if (entry := _env_entry(path)) is not None:
            before, after = at(self.old, entry), at(self.new, entry)
            if _is_lifted(before) or _is_lifted(after):
                use = self.uses.get((str(entry[-3]), str(entry[-1])))
                # The Secret has another name where any of what it holds has changed, maybe not this.
                return _of_secret(entry, use, before, after)
            literal = isinstance(after, dict) and "value" in after
            if literal and path == entry:
                return self.change((*path, "value"), None, after["value"])
            if literal and old is not None and self._shown(old) == old and _TELLING.search(str(entry[-1])):
                old = MARK  # somebody may have moved it out of the secrets, or another tool have had it in the open
            if not literal and isinstance(before, dict) and "value" in before:
                # What is a value no more may have been a secret of its time, which no file knows today.
                return FieldChange(path_text(entry), _change(before, after), new=self._shown(after))
        if any(isinstance(side, str) and looks_lifted(side) for side in (old, new)) and path[-1] in _SECRET_NAMES:
            return FieldChange(path_text(path[:-1]), "changed", secret=True)
        old, new = self._as_written(old, self.wrote, path), self._as_written(new, self.writes, path)
        shown = self._shown(old, gone=new is None), self._shown(new)
        if not isinstance(old, dict | list) and not isinstance(new, dict | list) and shown != (old, new):
            several_lines = all(isinstance(side, str) and "\n" in side for side in shown)
            if not several_lines or shown[0] == shown[1]:
                return FieldChange(text, change, secret=True)
        return FieldChange(text, change, *shown)

    def _as_written(self, value: Any, manifest: Json | None, path: Path) -> Any:
        """A whole subtree as its author wrote it: without the defaults that the server has filled in."""
        written = at(manifest, path) if isinstance(value, dict | list) else None
        return value if written is None else written

    def _shown(self, value: Any, *, gone: bool = False) -> Any:
        """The value without secrets; of what is `gone`, values of environments are hidden as well."""
        match value:
            case dict():
                hidden = gone and "name" in value and "value" in value
                return {
                    key: MARK if hidden and key == "value" else self._shown(item, gone=gone)
                    for key, item in value.items()
                }
            case list():
                return [self._shown(item, gone=gone) for item in value]
            case str():
                return self.mask(value)
            case int() | float() if not isinstance(value, bool):
                return value if self.mask(str(value)) == str(value) else MARK
        return value


def _is_lifted(entry: Any) -> bool:
    """Whether a variable's value is in a Secret that we make of what is secret in manifests."""
    name = at(entry, ("valueFrom", "secretKeyRef", "name"))
    return isinstance(name, str) and looks_lifted(name)


def _of_secret(entry: Path, use: SecretUse | None, before: Any, after: Any) -> FieldChange | None:
    if use is not None and use.change == "same" and _is_lifted(before) and _is_lifted(after):
        return None
    return FieldChange(path_text(entry), _change(before, after), secret=True)


def _env_entry(path: Path) -> Path | None:
    """The part of a path that leads to an entry of a container's environment."""
    for index, part in enumerate(path[:-1], 1):
        if part == "env" and isinstance(path[index], Named):
            return path[: index + 1]
    return None


def _change(before: Any, after: Any) -> Change:
    return "added" if before is None else "removed" if after is None else "changed"
