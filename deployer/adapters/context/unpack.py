"""What an archive unpacks to: listed once per archive and kept, and written out when an image is built."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import tempfile
from collections import defaultdict
from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import astuple, replace
from pathlib import Path

from deployer.adapters.context.archive import Limits, walk
from deployer.adapters.context.tree import leaves
from deployer.errors import ConfigurationError
from deployer.model import ContextEntry

_FORMAT = 2
_CHUNK = 1024 * 1024


def listing(archive: Path, source: str, file: Path, limits: Limits) -> tuple[ContextEntry, ...]:
    """The entries that an archive unpacks to, the last one winning where a path is repeated.

    They are kept as JSON in `file`, whose name has the archive's digest, and read from there the next time.
    Directories that are not empty may be among them.
    Raises ConfigurationError as `archive.walk` does, and for links that leave the archive.
    """
    with contextlib.suppress(OSError, ValueError, TypeError, KeyError):
        known = json.loads(file.read_bytes())
        if known["format"] == _FORMAT:
            return tuple(ContextEntry(*row) for row in known["entries"])
    entries = _list(archive, source, limits)
    _write(file, {"format": _FORMAT, "entries": [astuple(entry) for entry in entries]})
    return entries


def unpack(
    archive: Path, source: str, wanted: Mapping[str, ContextEntry], top: Path, limits: Limits
) -> Sequence[ContextEntry]:
    """Write the wanted files of an archive, by their paths in it, below the directory `top`, which is ours alone.

    Returns those of them that did not become what their entries say, by size and SHA-256. Only contents are written
    here: no links, directories or modes. Raises as `listing` does, and OSError.
    """
    became: dict[str, tuple[int, str]] = {}
    missing: dict[int, list[str]] = defaultdict(list)
    for path, number in _write_once(archive, source, wanted, top, limits, became).items():
        missing[number].append(path)
    for number, member in enumerate(walk(archive, source, limits)) if missing else ():
        if number in missing:
            first, *others = missing[number]
            became[first] = _write_file(top / first, member.chunks())
            for path in others:
                became[path] = _write_file(top / path, _chunks(top / first))
    return [entry for path, entry in wanted.items() if became.get(path) != (entry.size, entry.sha256)]


def _write_once(
    archive: Path, source: str, wanted: Container[str], top: Path, limits: Limits, became: dict[str, tuple[int, str]]
) -> dict[str, int]:
    """Write what one reading gives, and note what it became. Returns the wanted hard links whose content it does not
    give, since only they are wanted of it: each with the number of the member that holds the content."""
    held: dict[str, int] = {}
    missing: dict[str, int] = {}
    for number, member in enumerate(walk(archive, source, limits)):
        if member.kind != "file":
            continue
        path, original = member.path, member.same_as
        held[path] = held[original] if original else number
        # GNU tar stores a file that it was told to pack twice as a hard link to itself.
        if path not in wanted or path == original:
            continue
        missing.pop(path, None)
        if not original:
            became[path] = _write_file(top / path, member.chunks())
        elif original in wanted and original not in missing:
            became[path] = _write_file(top / path, _chunks(top / original))
        else:
            missing[path] = held[original]
    return missing


def _write_file(path: Path, chunks: Iterator[bytes]) -> tuple[int, str]:
    """Write a new file in the place of what may be there. Returns its size and SHA-256."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    digest = hashlib.sha256()
    size = 0
    with path.open("xb") as file:
        for chunk in chunks:
            file.write(chunk)
            digest.update(chunk)
            size += len(chunk)
    return size, digest.hexdigest()


def _chunks(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            yield chunk


def _list(archive: Path, source: str, limits: Limits) -> tuple[ContextEntry, ...]:
    entries: dict[str, ContextEntry] = {}
    for member in walk(archive, source, limits):
        if member.same_as:
            entry = replace(entries[member.same_as], path=member.path, executable=member.executable)
        elif member.kind == "file":
            digest = hashlib.sha256()
            size = 0
            for chunk in member.chunks():
                digest.update(chunk)
                size += len(chunk)
            entry = ContextEntry(member.path, "file", member.executable, size, digest.hexdigest())
        else:
            entry = ContextEntry(member.path, member.kind, target=member.target)
        entries[member.path] = entry
    links = {entry.path: entry.target for entry in entries.values() if entry.kind == "link"}
    for path, target in links.items():
        if leaves(path, target, links):
            raise ConfigurationError(
                "the archive cannot be unpacked", where=source, why=f"the link {path} to {target} leads out of it"
            )
    return tuple(entries.values())


def _write(file: Path, document: object) -> None:
    """A list that cannot be kept is made anew the next time."""
    with contextlib.suppress(OSError):
        file.parent.mkdir(parents=True, exist_ok=True)
        descriptor, name = tempfile.mkstemp(dir=file.parent)
        try:
            with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
                json.dump(document, stream)
            Path(name).replace(file)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise
