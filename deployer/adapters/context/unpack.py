"""What an archive unpacks to: listed once per archive and kept, and written out when an image is built."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import tempfile
from collections.abc import Iterator, Set
from dataclasses import astuple, replace
from pathlib import Path

from deployer.adapters.context.archive import Limits, Member, walk
from deployer.adapters.context.tree import leaves
from deployer.errors import ConfigurationError
from deployer.model import ContextEntry

_FORMAT = 1


def listing(archive: Path, sha256: str, source: str, kept: Path, limits: Limits) -> tuple[ContextEntry, ...]:
    """The entries that an archive (whose digest is `sha256`) unpacks to, the last one winning where a path is repeated.

    Lists are kept as JSON in the directory `kept`, one per digest. Directories that are not empty may be among them.
    Raises ConfigurationError as `archive.walk` does, and for links that leave the archive.
    """
    file = kept / f"{sha256}.json"
    with contextlib.suppress(OSError, ValueError, TypeError, KeyError):
        known = json.loads(file.read_bytes())
        if known["format"] == _FORMAT:
            return tuple(ContextEntry(*row) for row in known["entries"])
    entries = _list(archive, source, limits)
    _write(file, {"format": _FORMAT, "entries": [astuple(entry) for entry in entries]})
    return entries


def unpack(archive: Path, source: str, wanted: Set[str], top: Path, limits: Limits) -> None:
    """Write those members of an archive whose paths are wanted below the directory `top`, which is ours alone.

    Only file contents and directories are made here, links are not. Raises as `listing` does, and OSError.
    """
    for member in walk(archive, source, limits):
        path = top / member.path
        if member.kind != "file" or member.path not in wanted:
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        path.unlink(missing_ok=True)
        with path.open("xb") as file:
            for chunk in _content(member, archive, top, source, limits):
                file.write(chunk)


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


def _content(member: Member, archive: Path, top: Path, source: str, limits: Limits) -> Iterator[bytes]:
    if not member.same_as:
        yield from member.chunks()
        return
    original = top / member.same_as
    if original.is_file():
        with original.open("rb") as file:
            while chunk := file.read(1024 * 1024):
                yield chunk
        return
    # What it is linked to was left out by `.dockerignore`, so it has to be found in the archive once more.
    for other in walk(archive, source, limits):
        if other.path == member.same_as:
            yield from _content(other, archive, top, source, limits)
            return


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
