"""Which profiles an app chooses, and its manifests over them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from deployer.config.evaluation import Evaluator
from deployer.config.lazy import Omitted
from deployer.config.nodes import Entry, MappingNode, Node, Path, ScalarNode, SequenceNode, show_path
from deployer.config.profiles.library import PROFILES, Library
from deployer.config.profiles.merging import Merger
from deployer.config.suggestions import did_you_mean
from deployer.config.validation import show_value
from deployer.errors import ConfigurationError, DeployError, Location, raise_all

_HINT = "write Profiles: [NAME, …]; what a profile is stands in group_vars"


@dataclass(frozen=True)
class Applied:
    """A `Helm` with the profiles merged beneath its manifests.

    `root` is the tree with it. `chosen`: index of a manifest → the names of its profiles.
    """

    root: MappingNode
    chosen: dict[int, tuple[str, ...]] = field(default_factory=dict)


def apply(evaluator: Evaluator, library: Library) -> Applied:
    """The app's manifests over what it chooses of the library; the evaluator is told where values come from.

    Raises every error in the choice. What is wrong with a manifest shows when it is evaluated.
    """
    root = evaluator.root
    entry = root.entries.get("Helm")
    if entry is None or not (library or PROFILES in root.entries or _own_choice(entry.value)):
        return Applied(root)
    evaluator.origins = library.origins
    merger = Merger(evaluator, library.origins)
    helm = merger.settle(entry.value)
    names = _chosen(evaluator, library, root.entries.get(PROFILES), (PROFILES,))
    if not isinstance(helm, SequenceNode):
        return Applied(root)
    applied = _Application(evaluator, library, merger)
    items = [applied.item(item, ("Helm", index), names) for index, item in enumerate(helm.items)]
    raise_all(applied.errors)
    merged = SequenceNode(tuple(node for node, _ in items), helm.file, helm.line, helm.column)
    entries = {**root.entries, "Helm": Entry(entry.location, merged, entry.overridden)}
    return Applied(replace(root, entries=entries), {index: chosen for index, (_, chosen) in enumerate(items)})


class _Application:
    def __init__(self, evaluator: Evaluator, library: Library, merger: Merger) -> None:
        self._evaluator = evaluator
        self._library = library
        self._merger = merger
        self.errors: list[DeployError] = []

    def item(self, node: Node, path: Path, names: tuple[str, ...]) -> tuple[Node, tuple[str, ...]]:
        """One manifest over its profiles, and their names; a list of manifests (`kind: List`) over those of each."""
        manifest = self._merger.settle(node)
        if not isinstance(manifest, MappingNode):
            return node, ()
        own = manifest.entries.get(PROFILES)
        if own is not None:
            entries = {key: entry for key, entry in manifest.entries.items() if key != PROFILES}
            manifest = replace(manifest, entries=entries)
            try:
                names = _chosen(self._evaluator, self._library, own, (*path, PROFILES))
            except DeployError as error:
                self.errors += error.leaves()
        items = manifest.entries.get("items")
        kind = self._kind(manifest)
        if kind == "List" and items is not None and isinstance(items.value, SequenceNode):
            inner = [self.item(one, (*path, "items", i), names)[0] for i, one in enumerate(items.value.items)]
            merged = replace(items, value=replace(items.value, items=tuple(inner)))
            return replace(manifest, entries={**manifest.entries, "items": merged}), names
        parts = self._library.parts(names, kind) if kind else ()
        for where, part in parts:
            self._evaluator.tell(part, where)
        if parts:
            return self._merger.merge([part for _, part in parts], manifest), names
        return (manifest if own is not None else node), names

    def _kind(self, manifest: MappingNode) -> str:
        entry = manifest.entries.get("kind")
        if entry is None or not isinstance(entry.value, ScalarNode):
            return ""
        try:
            return str(self._evaluator.plain(entry.value, ("kind",)))
        except ConfigurationError:
            return ""


def _own_choice(node: Node) -> bool:
    items = node.items if isinstance(node, SequenceNode) else ()
    return any(isinstance(item, MappingNode) and PROFILES in item.entries for item in items)


def _chosen(evaluator: Evaluator, library: Library, entry: Entry | None, path: Path) -> tuple[str, ...]:
    """The names in a list of profiles, each of which the library has. Raises every error in it."""
    if entry is None:
        return ()
    errors: list[DeployError] = []
    found: list[str] = []
    with evaluator.watching() as secrets:
        names = list(_names(evaluator, entry, path))
    if secrets and any(not isinstance(name, str) or name not in library.names for name, _ in names):
        used = f"it is not shown, since it is made of {', '.join(sorted(secrets)[:3])}"
        what = f"{show_path(path)} has a profile that there is not"
        raise ConfigurationError(what, where=entry.location, why=used, hint=_HINT)
    for name, where in names:
        if not isinstance(name, str):
            what = f"{show_path(path)} must be a list of names of profiles"
            errors.append(ConfigurationError(what, where=where, why=f"it has {show_value(name)}", hint=_HINT))
        elif name not in library.names:
            errors.append(_unknown(name, where, library))
        else:
            evaluator.tell(entry.value, (PROFILES, name))
            found.append(name)
    raise_all(errors)
    return tuple(dict.fromkeys(found))


def _names(evaluator: Evaluator, entry: Entry, path: Path) -> Iterator[tuple[Any, Location]]:
    if isinstance(entry.value, SequenceNode):
        for index, item in enumerate(entry.value.items):
            value = evaluator.plain(item, (*path, index))
            if not isinstance(value, Omitted):
                yield value, item.location
        return
    with evaluator.watching() as secrets:
        value = evaluator.plain(entry.value, path)
    if isinstance(value, Omitted):
        return
    if not isinstance(value, list):
        what = f"{show_path(path)} must be a list of names of profiles"
        why = None if secrets else f"it is {show_value(value)}"
        raise ConfigurationError(what, where=entry.location, why=why, hint=_HINT)
    for one in value:
        yield one, entry.location


def _unknown(name: str, where: Location, library: Library) -> ConfigurationError:
    known = f"there are {', '.join(library.names)}" if library.names else "group_vars defines none (Profiles: …)"
    return ConfigurationError(
        f"there is no profile {name}", where=where, hint=did_you_mean(name, library.names) or known
    )
