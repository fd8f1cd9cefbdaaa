"""The tree that a Docker context is put together as: who put what where, and whether it fits."""

from __future__ import annotations

import hashlib
import posixpath
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from deployer.errors import ConfigurationError, Location
from deployer.model import ContextEntry

_MOST_LINKS = 40


@dataclass(frozen=True, slots=True)
class Text:
    """Content that is held in memory: the Dockerfile, files of the app file, rendered templates."""

    content: bytes


@dataclass(frozen=True, slots=True)
class Copied:
    """A file to copy. `cached`: it lies in the artefact cache, where nobody changes it; `own`: from `apps/NAME/`."""

    path: Path
    cached: bool = False
    own: bool = False


@dataclass(frozen=True, slots=True)
class Unpacked:
    """A member of an archive: `top` is the directory in the context that the archive is unpacked into.

    `listed` is the file that keeps the list of the archive's entries.
    """

    archive: Copied
    sha256: str
    top: str
    listed: Path


Source = Text | Copied | Unpacked | None
"""Where content comes from; links and directories have none."""


@dataclass(frozen=True, slots=True)
class Item:
    """An entry of the context, who put it there (`origin`, for messages) and where its content comes from."""

    entry: ContextEntry
    origin: str
    source: Source = None


def text_item(path: str, text: str, origin: str, *, executable: bool = False) -> Item:
    """A file that is held in memory. Raises ConfigurationError for what cannot be written as UTF-8."""
    try:
        content = text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise ConfigurationError(f"{path} cannot be written as UTF-8", where=origin, why=str(error)) from None
    entry = ContextEntry(path, "file", executable, len(content), hashlib.sha256(content).hexdigest())
    return Item(entry, origin, Text(content))


def assemble(items: Iterable[Item], where: Location) -> dict[str, Item]:
    """The items by path, in the order of the paths' UTF-8 bytes; directories that are not empty are left off.

    Raises ConfigurationError, naming both origins, for two things under one path or something below a file or link,
    and for links that leave the context.
    """
    tree: dict[str, Item] = {}
    for item in items:
        other = tree.setdefault(item.entry.path, item)
        if other is not item and not (item.entry.kind == other.entry.kind == "directory"):
            raise _conflict(f"{item.entry.path} comes from two places", other, item, where)
    parents: dict[str, Item] = {}
    for item in tree.values():
        parent = posixpath.dirname(item.entry.path)
        while parent and parent not in parents:
            parents[parent] = item
            parent = posixpath.dirname(parent)
    for path in parents.keys() & tree.keys():
        if tree[path].entry.kind != "directory":
            raise _conflict(
                f"{path} is both a {tree[path].entry.kind} and a directory", tree[path], parents[path], where
            )
        del tree[path]
    links = {path: item.entry.target for path, item in tree.items() if item.entry.kind == "link"}
    for path, target in links.items():
        if leaves(path, target, links):
            raise ConfigurationError(
                f"the link {path} leads out of the Docker context",
                where=where,
                why=f"it points to {target}, and comes from {tree[path].origin}",
            )
    return dict(sorted(tree.items(), key=lambda pair: pair[0].encode()))


def leaves(path: str, target: str, links: Mapping[str, str]) -> bool:
    """Whether a link leads out of the tree, as the file system would follow it through the tree's other links.

    A loop stays inside: it leads nowhere.
    """
    if target.startswith("/"):
        return True
    place = path.split("/")[:-1]
    rest = target.split("/")[::-1]
    followed = 0
    while rest:
        part = rest.pop()
        if part in ("", "."):
            continue
        if part == "..":
            if not place:
                return True
            place.pop()
            continue
        place.append(part)
        through = links.get("/".join(place))
        if through is None:
            continue
        followed += 1
        if followed > _MOST_LINKS:
            return False
        if through.startswith("/"):
            return True
        place.pop()
        rest += through.split("/")[::-1]
    return False


def _conflict(what: str, one: Item, other: Item, where: Location) -> ConfigurationError:
    return ConfigurationError(what, where=where, why=f"one is from {one.origin}, the other from {other.origin}")
