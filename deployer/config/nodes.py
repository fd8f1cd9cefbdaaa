"""The tree that configuration files become: mappings, sequences and scalars that know where they were written."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from deployer.errors import Location

Path = tuple[Any, ...]
"""The way from the root to a node: keys of mappings and indexes of sequences."""

TEMPLATE_MARKS = ("{{", "{%", "{#")


@dataclass(frozen=True, slots=True, eq=False)
class ScalarNode:
    """A text, number, boolean or null.

    `block`: its text begins on the line after `line` (YAML's `|`), so that lines inside it can be counted.
    `secret`: it was encrypted. `literal`: it is never read as a template.
    """

    value: Any = field(repr=False)
    file: str
    line: int | None = None
    column: int | None = None
    block: bool = False
    secret: bool = False
    literal: bool = False

    @property
    def location(self) -> Location:
        """Where it begins."""
        return Location(self.file, self.line, self.column)

    @property
    def is_template(self) -> bool:
        """Whether it is to be evaluated."""
        return isinstance(self.value, str) and not self.literal and any(mark in self.value for mark in TEMPLATE_MARKS)

    def line_of(self, template_line: int | None) -> Location:
        """Where the given line (from 1) of this scalar's text stands in its file."""
        if template_line is None or self.line is None or not self.block:
            return self.location
        return Location(self.file, self.line + template_line)


@dataclass(frozen=True, slots=True, eq=False)
class SequenceNode:
    """A list."""

    items: tuple[Node, ...] = field(repr=False)
    file: str
    line: int | None = None
    column: int | None = None

    @property
    def location(self) -> Location:
        """Where it begins."""
        return Location(self.file, self.line, self.column)


@dataclass(frozen=True, slots=True, eq=False)
class MappingNode:
    """A mapping, in the order of its file. `flow` is YAML's `{…}` spelling."""

    entries: dict[Any, Entry] = field(repr=False)
    file: str
    line: int | None = None
    column: int | None = None
    flow: bool = False

    @property
    def location(self) -> Location:
        """Where it begins."""
        return Location(self.file, self.line, self.column)


@dataclass(frozen=True, slots=True, eq=False)
class Entry:
    """One key of a mapping: where the key stands, its value, and what less specific layers had in its place.

    `overridden` goes from the least specific layer to the most specific one.
    """

    location: Location
    value: Node
    overridden: tuple[Node, ...] = ()


Node = ScalarNode | SequenceNode | MappingNode


def show_path(path: Path) -> str:
    """`('Helm', 0, 'metadata', 'name')` → `Helm[0].metadata.name`."""
    text = ""
    for part in path:
        if isinstance(part, int) and not isinstance(part, bool):
            text += f"[{part}]"
        else:
            text += f".{part}" if text else str(part)
    return text


def plain(node: Node) -> Any:
    """The values alone, no template evaluated: mappings, lists and scalars."""
    match node:
        case MappingNode():
            return {key: plain(entry.value) for key, entry in node.entries.items()}
        case SequenceNode():
            return [plain(item) for item in node.items]
    return node.value


def node_at(root: Node, path: Path) -> Node | None:
    """The node at a path, None when there is none."""
    node = root
    for part in path:
        match node:
            case MappingNode() if part in node.entries:
                node = node.entries[part].value
            case SequenceNode() if isinstance(part, int) and part < len(node.items):
                node = node.items[part]
            case _:
                return None
    return node


Kept = Mapping[SequenceNode, Sequence[int]]
"""Of lists of which items were left out, where the items stand that are left."""


def locate(root: Node, path: Path, kept: Kept | None = None) -> Location:
    """Where the given path was written: the place of its key, or that of the innermost node which exists.

    With `kept`, the path is one in what the nodes became.
    """
    node, place = root, root.location
    for part in path:
        if kept and isinstance(node, SequenceNode) and node in kept and isinstance(part, int):
            part = kept[node][part] if part < len(kept[node]) else part
        match node:
            case MappingNode() if part in node.entries:
                entry = node.entries[part]
                node, place = entry.value, entry.location
            case SequenceNode() if isinstance(part, int) and part < len(node.items):
                node = node.items[part]
                place = node.location
            case _:
                return place
    return place


def scalars(node: Node, path: Path = ()) -> Iterator[tuple[Path, ScalarNode]]:
    """Every scalar below a node, with its path."""
    match node:
        case ScalarNode():
            yield path, node
        case SequenceNode():
            for index, item in enumerate(node.items):
                yield from scalars(item, (*path, index))
        case MappingNode():
            for key, entry in node.entries.items():
                yield from scalars(entry.value, (*path, key))
