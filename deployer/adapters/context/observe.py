"""Finds out what an app's Docker context consists of, without copying anything."""

from __future__ import annotations

import posixpath
import stat
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import unquote, urlsplit

from deployer.adapters.context.archive import Limits
from deployer.adapters.context.directory import Renderer, find, read
from deployer.adapters.context.ignore import IGNORE_FILES, excluded
from deployer.adapters.context.materialise import materialised
from deployer.adapters.context.secrets import refuse_secrets
from deployer.adapters.context.tree import Copied, Item, Text, Unpacked, assemble, text_item
from deployer.adapters.context.unpack import listing, unpack
from deployer.errors import ConfigurationError, Location
from deployer.masking import Masker
from deployer.model import App, Artefact, ContextEntry, DockerSpec, Download


class Contexts:
    """Observes Docker contexts (the port `ContextObserver`).

    `root` is the deployment repository, `cache` a directory of our own: it keeps the lists of unpacked archives, and
    contexts while they are in use (on the artefact cache's file system, so that artefacts need no copying).
    """

    def __init__(self, root: Path, cache: Path, masker: Masker, limits: Limits | None = None) -> None:
        self._root = root
        self._cache = cache
        self._masker = masker
        self._limits = limits or Limits()

    def observe(self, app: App, artefacts: Sequence[Artefact], render: Renderer) -> Context:
        """What the port says. Without artefacts that need unpacking for the first time this reads only own files."""
        if app.docker is None:
            raise ValueError(f"{app.name} has no Docker part")
        where = app.docker_place or Location("apps")
        found = list(find(app.context_directory, self._root)) if app.context_directory else []
        given = [
            *_inline(app.docker, where),
            *read([one for one in found if one.name in IGNORE_FILES], render),
            *self._downloads(app.docker.download, artefacts, where),
        ]
        own = [one for one in found if one.name not in IGNORE_FILES]
        paths = {*(item.entry.path for item in given), *(one.name for one in own)}
        ignored = excluded(paths, *self._ignore_file(given, app.context_directory))
        kept = [item for item in given if item.entry.path not in ignored]
        kept += read([one for one in own if one.name not in ignored], render)
        tree = assemble(kept, where)
        refuse_secrets(app.docker, tree.values(), where, self._masker)
        return Context(tree, self._cache / "contexts", self._limits)

    def _downloads(
        self, downloads: Sequence[Download], artefacts: Sequence[Artefact], where: Location
    ) -> Iterator[Item]:
        for download, artefact in zip(downloads, artefacts, strict=True):
            cached = "://" in download.src  # else it lies in the repository
            source = Copied(artefact.path, cached)
            if download.unpack:
                top = _inside(download.dest, where) if download.dest not in (None, "", ".", "./") else ""
                listed = self._cache / "listings" / f"{artefact.sha256}.json"
                unpacked = Unpacked(source, artefact.sha256, top, listed)
                for entry in listing(artefact.path, artefact.source, listed, self._limits):
                    yield _at(entry, top, f"{artefact.source} ({entry.path})", unpacked)
            else:
                name = _file_name(download.src)
                dest = download.dest or name
                path = _inside(f"{dest}{name}" if dest.endswith("/") else dest, where)
                executable = not cached and bool(artefact.path.stat().st_mode & stat.S_IXUSR)
                entry = ContextEntry(path, "file", executable, artefact.size, artefact.sha256)
                yield Item(entry, artefact.source, source)

    def _ignore_file(self, items: Sequence[Item], directory: Path | None) -> tuple[str, str]:
        """Its text, and where it is from; empty without one."""
        given = {item.entry.path: item for item in items if item.entry.path in IGNORE_FILES}
        for name in IGNORE_FILES:
            if name in given:
                return self._content(given[name], directory).decode("utf-8", "replace"), given[name].origin
        return "", ""

    def _content(self, item: Item, directory: Path | None) -> bytes:
        match item.source:
            case Text(content):
                return content
            case Copied(path):
                return path.read_bytes()
            case Unpacked(archive=archive, top=top):
                name = item.entry.path.removeprefix(f"{top}/") if top else item.entry.path
                with TemporaryDirectory() as place:
                    if not unpack(archive.path, item.origin, {name: item.entry}, Path(place), self._limits):
                        return Path(place, name).read_bytes()
            case None if item.entry.kind == "link" and directory is not None:
                path = directory / item.entry.path
                if path.is_file() and path.resolve().is_relative_to(directory.resolve()):
                    return path.read_bytes()
        return b""


@dataclass(frozen=True)
class Context:
    """An observed Docker context (the port `DockerContext`)."""

    items: Mapping[str, Item]
    parent: Path
    limits: Limits

    @property
    def entries(self) -> tuple[ContextEntry, ...]:
        """All entries, in the order of their paths."""
        return tuple(item.entry for item in self.items.values())

    def materialise(self) -> AbstractContextManager[Path]:
        """See `materialise.materialised`."""
        return materialised(self.items, self.parent, self.limits)


def _inline(docker: DockerSpec, where: Location) -> Iterator[Item]:
    yield text_item("Dockerfile", docker.dockerfile, f"Docker.Dockerfile of {where.file}")
    for name, file in docker.files.items():
        yield text_item(_inside(name, where), file.content, f"Docker.Files of {where.file}", executable=file.executable)


def _file_name(source: str) -> str:
    """The last part of a download's `Src`."""
    scheme, separator, rest = source.partition("://")
    if scheme in ("http", "https"):
        return unquote(posixpath.basename(urlsplit(source).path))
    return posixpath.basename(rest.partition("?versionId=")[0] if separator else source)


def _at(entry: ContextEntry, top: str, origin: str, source: Unpacked) -> Item:
    moved = replace(entry, path=f"{top}/{entry.path}") if top else entry
    return Item(moved, origin, source if entry.kind == "file" else None)


def _inside(path: str, where: Location) -> str:
    """A path in the context as users write it, normalised."""
    parts = [part for part in path.split("/") if part not in ("", ".")]
    if not parts or path.startswith("/") or ".." in parts or "\0" in path:
        raise ConfigurationError(
            f"{path!r} is not a path inside the Docker context", where=where, hint="write a relative path without `..`"
        )
    return "/".join(parts)
