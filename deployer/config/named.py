"""Finds what a user names by a dotted path (`Values.myapp`, `Helm[0].spec`) in a tree of configuration."""

from __future__ import annotations

from typing import Any

from deployer.config.nodes import Entry, MappingNode, Node, Path, SequenceNode


def parts(key: str) -> Path:
    """`Helm[0].spec` → `('Helm', 0, 'spec')`."""
    found: list[Any] = []
    for word in key.replace("[", ".[").split("."):
        index = word[1:-1] if word.startswith("[") and word.endswith("]") else ""
        found.append(int(index) if index.isascii() and index.isdigit() else index.strip("'\"") or word)
    return tuple(part for part in found if part != "")


def find(root: MappingNode, key: str) -> tuple[Path, Entry] | None:
    """The entry that a dotted path names. Keys may have dots in them themselves (`kubernetes.io/ingress.class`)."""
    return _walk(root, key, ())


def _walk(node: Node, rest: str, path: Path) -> tuple[Path, Entry] | None:
    rest = rest.removeprefix(".") if path else rest
    if isinstance(node, MappingNode):
        for key, entry in node.entries.items():
            for name in (str(key), f"['{key}']", f'["{key}"]'):
                if rest == name:
                    return (*path, key), entry
                if rest.startswith((f"{name}.", f"{name}[")) and (
                    found := _walk(entry.value, rest[len(name) :], (*path, key))
                ):
                    return found
    if isinstance(node, SequenceNode):
        for index, item in enumerate(node.items):
            name = f"[{index}]"
            if rest == name:
                return (*path, index), Entry(item.location, item)
            if rest.startswith(name) and (found := _walk(item, rest[len(name) :], (*path, index))):
                return found
    return None


def entry_at(root: MappingNode, path: Path) -> Entry | None:
    """The entry at a path, None when there is none."""
    node: Node = root
    entry: Entry | None = None
    for part in path:
        if isinstance(node, MappingNode) and part in node.entries:
            entry = node.entries[part]
        elif isinstance(node, SequenceNode) and isinstance(part, int) and part < len(node.items):
            entry = Entry(node.items[part].location, node.items[part])
        else:
            return None
        node = entry.value
    return entry
