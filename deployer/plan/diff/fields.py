"""Walks two JSON values side by side; the items of lists are told apart as Kubernetes merges them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from deployer.plan.paths import Named, Path
from deployer.plan.quantities import quantity

_MERGE_KEYS: Mapping[str, tuple[str, ...]] = {
    "hostAliases": ("ip",),
    "ports": ("name", "containerPort", "port"),
    "topologySpreadConstraints": ("topologyKey",),
    "volumeDevices": ("devicePath",),
    "volumeMounts": ("mountPath",),
}
"""By which field the items of a list are told apart (`x-kubernetes-patch-merge-key` of the API); all others by name."""

_QUANTITIES = frozenset({"capacity", "default", "defaultRequest", "hard", "limits", "requests", "sizeLimit"})
"""Fields that are, or hold, resource quantities."""


def differences(old: Any, new: Any, path: Path = ()) -> Iterator[tuple[Path, Any, Any]]:
    """The places at which two values differ, with both sides; None for what is not there.

    What only one side has comes whole, unless it is an empty mapping or list: that is as good as nothing.
    """
    if isinstance(old, dict) and isinstance(new, dict):
        for key in dict.fromkeys([*old, *new]):
            yield from differences(old.get(key), new.get(key), (*path, key))
    elif isinstance(old, list) and isinstance(new, list):
        items = told_apart(path, old, new)
        if items is not None:
            yield from _item_differences(items[0], items[1], path)
        else:
            for index in range(max(len(old), len(new))):
                one, other = (side[index] if index < len(side) else None for side in (old, new))
                yield from differences(one, other, (*path, index))
    elif not _same(old, new, path):
        yield path, old, new


def told_apart(path: Path, *lists: Sequence[Any]) -> list[dict[str, Any]] | None:
    """Lists as mappings by what tells their items apart; None where nothing does, so that only their order can."""
    field = next((part for part in reversed(path) if isinstance(part, str)), "")
    for key in _MERGE_KEYS.get(field, ("name",)):
        found = [_by_key(items, key) for items in lists]
        if all(items is not None for items in found):
            return [items for items in found if items is not None]
    return None


def at(content: Any, path: Path) -> Any:
    """What stands at a path of `differences`; None where there is nothing."""
    for depth, part in enumerate(path):
        if isinstance(part, Named) and isinstance(content, list):
            items = told_apart(path[:depth], content)
            content = items[0].get(part) if items else None
        elif isinstance(part, int) and isinstance(content, list):
            content = content[part] if part < len(content) else None
        elif isinstance(content, dict):
            content = content.get(part)
        else:
            return None
    return content


def without(content: Any, before: Any, wanted: Any, path: Path = ()) -> Any:
    """The content without what an author had in a manifest before and has not in the one that is wanted now.

    Helm takes such fields away.
    """
    if isinstance(content, dict) and isinstance(before, dict) and isinstance(wanted, dict):
        return {
            key: without(value, before.get(key), wanted.get(key), (*path, key))
            for key, value in content.items()
            if not (before.get(key) is not None and wanted.get(key) is None)
        }
    if isinstance(content, list) and isinstance(before, list) and isinstance(wanted, list):
        items = told_apart(path, content, before, wanted)
        if items is not None:
            present, had, wants = items
            return [
                without(item, had.get(name), wants.get(name), (*path, Named(name)))
                for name, item in present.items()
                if not (name in had and name not in wants)
            ]
    return content


def laid_over(content: Any, manifest: Any, path: Path = ()) -> Any:
    """The content with what a manifest says, as far as that can be told without the server."""
    if isinstance(content, dict) and isinstance(manifest, dict):
        keys = dict.fromkeys([*content, *manifest])
        return {
            key: laid_over(content.get(key), manifest[key], (*path, key)) if key in manifest else content[key]
            for key in keys
        }
    if isinstance(content, list) and isinstance(manifest, list):
        items = told_apart(path, content, manifest)
        if items is not None:
            present, wants = items
            return [laid_over(present.get(name), item, (*path, Named(name))) for name, item in wants.items()]
    return content if _same(content, manifest, path) else manifest


def _item_differences(old: Mapping[str, Any], new: Mapping[str, Any], path: Path) -> Iterator[tuple[Path, Any, Any]]:
    for name in dict.fromkeys([*old, *new]):
        here = (*path, Named(name))
        if name in old and name in new:
            yield from differences(old[name], new[name], here)
        else:
            yield here, old.get(name), new.get(name)
    if old.keys() == new.keys() and list(old) != list(new):
        yield path, list(old), list(new)


def _by_key(items: Sequence[Any], key: str) -> dict[str, Any] | None:
    """The items by a field; None when they aren't mappings that have it, each another one."""
    found = {
        str(item[key]): item
        for item in items
        if isinstance(item, dict) and isinstance(item.get(key), str | int) and not isinstance(item[key], bool)
    }
    return found if len(found) == len(items) else None


def _same(old: Any, new: Any, path: Path) -> bool:
    """Equal, or both empty; 1 and True differ, 1 and 1.0 do not; of quantities the number counts."""
    if old == new:
        return isinstance(old, bool) == isinstance(new, bool)
    if old in (None, {}, []) and new in (None, {}, []):
        return True
    if not _QUANTITIES.isdisjoint(path[-2:]):
        number = quantity(old)
        return number is not None and number == quantity(new)
    return False
