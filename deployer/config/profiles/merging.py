"""Merges partial manifests, weaker beneath stronger, so that every value keeps the place where it was written.

docs/profiles.md has the rules: mappings merge deeply, null takes away what lies beneath, lists replace, except those
whose items have names, and tolerations, which add up.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import reduce
from typing import Any

from deployer.config.evaluation import Evaluator
from deployer.config.lazy import OMIT, Omitted
from deployer.config.nodes import Entry, MappingNode, Node, Path, ScalarNode, SequenceNode
from deployer.errors import ConfigurationError
from deployer.model.pods import CONTAINER_LISTS

EACH = "*"
"""The name of a container in a profile that stands for each container of the list."""

_JOINED = "tolerations"
_KEYS = {
    "hostAliases": "ip",
    "topologySpreadConstraints": "topologyKey",
    "volumeDevices": "devicePath",
    "volumeMounts": "mountPath",
}
"""What tells the items of a list apart, where it is not `name`."""

_ONE_OF = (frozenset({"exec", "httpGet", "tcpSocket", "grpc", "sleep"}), frozenset({"minAvailable", "maxUnavailable"}))
"""Keys of which Kubernetes takes one: the stronger manifest's takes the place of the weaker one's."""


class Merger:
    """Merges for one app: a template that stands where both sides have something is evaluated to see what it is."""

    def __init__(self, evaluator: Evaluator, origins: Collection[Node] | Mapping[Node, Path]) -> None:
        self._evaluator = evaluator
        self._origins = origins
        self._settled: dict[ScalarNode, Node | Omitted] = {}

    def merge(self, partials: Iterable[MappingNode], manifest: MappingNode) -> MappingNode:
        """A manifest over the partial ones, which are given the weakest first."""
        merged = self._finished(reduce(self._mappings, (*partials, manifest)), "")
        assert isinstance(merged, MappingNode)  # noqa: S101 - it was one
        return merged

    def settle(self, node: Node) -> Node | Omitted:
        """A template that gives a mapping, a list, null or `omit` as what it gives; any other node as it is.

        One that fails stays as it is, too: it tells what is wrong when it is evaluated in its place.
        """
        if not isinstance(node, ScalarNode) or not node.is_template:
            return node
        if node not in self._settled:
            try:
                with self._evaluator.watching() as secrets:
                    value = self._evaluator.plain(node, ())
            except ConfigurationError:
                value = node
            if isinstance(value, Omitted):
                self._settled[node] = OMIT
            elif value is None or isinstance(value, (dict, list)):
                self._settled[node] = self._as_nodes(value, node, frozenset(secrets))
            else:
                self._settled[node] = node
        return self._settled[node]

    def _as_nodes(self, value: Any, at: ScalarNode, secrets: frozenset[str]) -> Node:
        match value:
            case dict():
                entries = {key: Entry(at.location, self._as_nodes(one, at, secrets)) for key, one in value.items()}
                return MappingNode(entries, at.file, at.line, at.column)
            case list():
                items = tuple(self._as_nodes(one, at, secrets) for one in value)
                return SequenceNode(items, at.file, at.line, at.column)
        node = ScalarNode(value, at.file, at.line, at.column, secret=bool(secrets), literal=True)
        if secrets:
            self._evaluator.made_of[node] = secrets
        return node

    # --- two of them -------------------------------------------------------------------------------------------------

    def _mappings(self, weaker: MappingNode, stronger: MappingNode) -> MappingNode:
        beneath = {key: entry for key, entry in weaker.entries.items() if not self._excluded(key, weaker, stronger)}
        entries = dict(stronger.entries)
        for key, entry in stronger.entries.items():
            if key in beneath:
                entries[key] = self._entries(beneath.pop(key), entry, key)
        return MappingNode({**entries, **beneath}, stronger.file, stronger.line, stronger.column)

    def _excluded(self, key: Any, weaker: MappingNode, stronger: MappingNode) -> bool:
        """Whether the stronger mapping has another key which cannot stand beside this one."""
        if key in stronger.entries:
            return False
        if any(key in group and not group.isdisjoint(stronger.entries) for group in _ONE_OF):
            return True
        if key != "rollingUpdate" or "type" not in stronger.entries:
            return False
        return self._text(stronger.entries["type"].value) not in ("RollingUpdate", None)

    def _entries(self, weaker: Entry, stronger: Entry, key: Any) -> Entry:
        value = self.settle(stronger.value)
        if isinstance(value, Omitted):
            return weaker
        overridden = (*weaker.overridden, weaker.value)
        if isinstance(value, ScalarNode):
            return Entry(stronger.location, value, overridden)
        beneath = self.settle(weaker.value)
        match beneath, value:
            case MappingNode(), MappingNode():
                return Entry(stronger.location, self._mappings(beneath, value), weaker.overridden)
            case SequenceNode(), SequenceNode() if (merged := self._lists(beneath, value, key)) is not None:
                return Entry(stronger.location, merged, weaker.overridden)
        return Entry(stronger.location, value, overridden)

    def _lists(self, weaker: SequenceNode, stronger: SequenceNode, key: Any) -> SequenceNode | None:
        """Both in one, what is stronger first; None where the stronger one replaces the other."""
        if not stronger.items:
            return None
        ours, theirs = self._items(stronger), self._items(weaker)
        if key == _JOINED:
            written = [_written(item) for item in ours]
            items = [*ours, *(item for item in theirs if _written(item) not in written)]
            return SequenceNode(tuple(items), stronger.file, stronger.line, stronger.column)
        for item in theirs if key in CONTAINER_LISTS else ():
            if isinstance(item, MappingNode) and "name" not in item.entries:
                raise ConfigurationError(
                    f"an item of {key} in a profile needs a name",
                    where=item.location,
                    why="it says beneath which container it lies",
                    hint=f'name: "{EACH}" lies beneath each one',
                )
        named, beneath = self._named(ours, key), self._named(theirs, key)
        if named is None or beneath is None:
            return None
        items = []
        for name, item in named.items():
            older = beneath.pop(name, None)
            if older is None:
                items.append(item)
            else:
                older = _nameless(older, _KEYS.get(key, "name"))
                items.append(self._mappings(older, item) if key in CONTAINER_LISTS else _in_place_of(older, item))
        return SequenceNode((*items, *beneath.values()), stronger.file, stronger.line, stronger.column)

    def _items(self, node: SequenceNode) -> list[Node]:
        settled = (self.settle(item) for item in node.items)
        return [item for item in settled if not isinstance(item, Omitted)]

    def _named(self, items: Sequence[Node], key: Any) -> dict[str, MappingNode] | None:
        """The items by what tells them apart; None where something does not have it, or two have the same."""
        found: dict[str, MappingNode] = {}
        for item in items:
            entry = item.entries.get(_KEYS.get(key, "name")) if isinstance(item, MappingNode) else None
            name = self._text(entry.value) if entry else None
            if name is None or name in found or not isinstance(item, MappingNode):
                return None
            found[name] = item
        return found

    def _text(self, node: Node) -> str | None:
        """A text, evaluated where it is a template."""
        try:
            value = self._evaluator.plain(node, ()) if isinstance(node, ScalarNode) else None
        except ConfigurationError:
            return None
        return value if isinstance(value, str) else None

    # --- all of them merged ------------------------------------------------------------------------------------------

    def _finished(self, node: Node, key: Any) -> Node:
        """Without what null took away, and with `*` beneath each container."""
        match node:
            case MappingNode():
                entries = {}
                for name, entry in node.entries.items():
                    if self._taken_away(entry):
                        continue
                    value = self._finished(entry.value, name)
                    if isinstance(value, SequenceNode) and not value.items and _has_items(entry.value):
                        continue  # nothing but `*`, and no container
                    entries[name] = (
                        Entry(entry.location, value, entry.overridden) if value is not entry.value else entry
                    )
                return MappingNode(entries, node.file, node.line, node.column, node.flow)
            case SequenceNode():
                items = self._each(node.items) if key in CONTAINER_LISTS else node.items
                done = tuple(self._finished(item, "") for item in items)
                return SequenceNode(done, node.file, node.line, node.column)
        return node

    def _taken_away(self, entry: Entry) -> bool:
        node = entry.value
        return isinstance(node, ScalarNode) and node.value is None and bool(entry.overridden or node in self._origins)

    def _each(self, items: Sequence[Node]) -> Sequence[Node]:
        each = [item for item in items if _is_each(item)]
        if not each:
            return items
        beneath = reduce(self._mappings, [_nameless(one) for one in each if isinstance(one, MappingNode)])
        settled = [self.settle(item) for item in items if not _is_each(item)]
        return [
            self._mappings(beneath, item) if isinstance(item, MappingNode) else item
            for item in settled
            if not isinstance(item, Omitted)
        ]


def _is_each(node: Node) -> bool:
    entry = node.entries.get("name") if isinstance(node, MappingNode) else None
    return entry is not None and isinstance(entry.value, ScalarNode) and entry.value.value == EACH


def _nameless(item: MappingNode, key: str = "name") -> MappingNode:
    """Without the key that tells it apart, which is no value that another one could override."""
    return replace(item, entries={name: entry for name, entry in item.entries.items() if name != key})


def _in_place_of(older: MappingNode, newer: MappingNode) -> MappingNode:
    """The newer item, whose values know what the older one had."""
    entries = {
        key: Entry(entry.location, entry.value, (*older.entries[key].overridden, older.entries[key].value))
        if key in older.entries
        else entry
        for key, entry in newer.entries.items()
    }
    return MappingNode(entries, newer.file, newer.line, newer.column)


def _has_items(node: Node) -> bool:
    return isinstance(node, SequenceNode) and bool(node.items)


def _written(node: Node) -> Any:
    """What a node says, for comparing: texts of templates as they are written."""
    match node:
        case MappingNode():
            return {key: _written(entry.value) for key, entry in node.entries.items()}
        case SequenceNode():
            return [_written(item) for item in node.items]
    return (type(node.value), node.value)
