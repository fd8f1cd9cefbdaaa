"""Finds out what an app's Docker context consists of, without copying anything."""

from __future__ import annotations

import hashlib
import os
import posixpath
import stat
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import unquote, urlsplit

from deployer.adapters.context.archive import Limits
from deployer.adapters.context.hashing import hash_files
from deployer.adapters.context.ignore import IGNORE_FILES, excluded
from deployer.adapters.context.materialise import materialised
from deployer.adapters.context.secrets import refuse_secrets
from deployer.adapters.context.tree import Copied, Item, Text, Unpacked, assemble
from deployer.adapters.context.unpack import listing
from deployer.errors import ConfigurationError, Location
from deployer.masking import Masker
from deployer.model import App, Artefact, ContextEntry, DockerSpec, Download

_TEMPLATE = ".j2"

Renderer = Callable[[str, Location], str]


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
        items = [
            *_inline(app.docker, where),
            *self._directory(app.context_directory, render),
            *self._downloads(app.docker.download, artefacts, where),
        ]
        tree = assemble(items, where)
        ignored = excluded(tree.keys(), *_ignore_file(tree))
        kept = {path: item for path, item in tree.items() if path not in ignored}
        refuse_secrets(app.docker, kept.values(), where, self._masker)
        return Context(kept, self._cache / "contexts", self._limits)

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

    def _directory(self, directory: Path | None, render: Renderer) -> Iterator[Item]:
        """What lies in `apps/NAME/`. Directories are not counted for themselves: Git does not keep empty ones."""
        if directory is None:
            return
        try:
            paths = list(_files_below(directory))
            copied = [path for path in paths if not path.is_symlink() and path.suffix != _TEMPLATE]
            facts = dict(zip(copied, hash_files(copied), strict=True))
            for path in paths:
                name, origin = self._names(path, directory)
                if path.is_symlink():
                    target = os.fsencode(os.readlink(path)).decode("utf-8")  # noqa: PTH115 -- Path would tidy it
                    yield Item(ContextEntry(name, "link", target=target), origin)
                elif path in facts:
                    known = facts[path]
                    entry = ContextEntry(name, "file", known.executable, known.size, known.sha256)
                    yield Item(entry, origin, Copied(path, own=True))
                else:
                    text = render(_decoded(path, origin), Location(origin, 1))
                    executable = bool(path.stat().st_mode & stat.S_IXUSR)
                    yield _text(name.removesuffix(_TEMPLATE), text, origin, executable=executable)
        except OSError as error:
            place = Path(error.filename) if error.filename else directory
            raise ConfigurationError(
                "a file of the Docker context cannot be read", where=self._relative(place), why=error.strerror
            ) from error

    def _names(self, path: Path, directory: Path) -> tuple[str, str]:
        """A file's path in the context and in the repository."""
        try:
            return os.fsencode(path.relative_to(directory)).decode("utf-8"), self._relative(path)
        except UnicodeDecodeError:
            raise ConfigurationError("the name of a file is not UTF-8", where=ascii(self._relative(path))) from None

    def _relative(self, path: Path) -> str:
        return path.relative_to(self._root).as_posix() if path.is_relative_to(self._root) else path.as_posix()


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
    yield _text("Dockerfile", docker.dockerfile, f"Docker.Dockerfile of {where.file}")
    for name, file in docker.files.items():
        yield _text(_inside(name, where), file.content, f"Docker.Files of {where.file}", executable=file.executable)


def _file_name(source: str) -> str:
    """The last part of a download's `Src`."""
    scheme, separator, rest = source.partition("://")
    if scheme in ("http", "https"):
        return unquote(posixpath.basename(urlsplit(source).path))
    return posixpath.basename(rest.partition("?versionId=")[0] if separator else source)


def _decoded(path: Path, origin: str) -> str:
    try:
        return path.read_bytes().decode("utf-8")
    except UnicodeDecodeError as error:
        raise ConfigurationError("a template is not UTF-8", where=origin, why=str(error)) from None


def _text(path: str, text: str, origin: str, *, executable: bool = False) -> Item:
    try:
        content = text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise ConfigurationError(f"{path} cannot be written as UTF-8", where=origin, why=str(error)) from None
    entry = ContextEntry(path, "file", executable, len(content), hashlib.sha256(content).hexdigest())
    return Item(entry, origin, Text(content))


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


def _files_below(directory: Path) -> Iterator[Path]:
    with os.scandir(directory) as listing_:
        items = list(listing_)
    for item in items:
        if item.is_dir(follow_symlinks=False):
            yield from _files_below(Path(item.path))
        elif item.is_symlink() or item.is_file():
            yield Path(item.path)
        else:
            raise ConfigurationError(
                "the Docker context holds something that is neither file, directory nor link", where=item.path
            )


def _ignore_file(tree: Mapping[str, Item]) -> tuple[str, str]:
    """Its text, and where it is from."""
    for name in IGNORE_FILES:
        match tree.get(name):
            case Item(source=Text(content), origin=origin):
                return content.decode("utf-8", "replace"), origin
            case Item(source=Copied(path), origin=origin):
                return path.read_text("utf-8", "replace"), origin
    return "", ""
