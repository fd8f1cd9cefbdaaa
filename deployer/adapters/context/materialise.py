"""Makes a Docker context real: a private directory, for as long as it is needed."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import shutil
import tempfile
from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from deployer.adapters.context.archive import Limits
from deployer.adapters.context.hashing import hash_files
from deployer.adapters.context.tree import Copied, Item, Text, Unpacked
from deployer.adapters.context.unpack import unpack
from deployer.errors import ConfigurationError, DeployError
from deployer.model import ContextEntry

_YEAR_2000 = 946_684_800
_TWENTY_YEARS = 20 * 365 * 24 * 3600


@contextmanager
def materialised(items: Mapping[str, Item], parent: Path, limits: Limits) -> Iterator[Path]:
    """A new directory below `parent` with all the items in it, removed when the block is left, however that happens.

    What a killed run left below `parent` is removed as well. Raises ConfigurationError when a file is no longer what
    it was when its context was observed, DeployError when it cannot be written (disk full).
    """
    with _private_directory(parent) as directory:
        with _translated(directory):
            _write(items, directory, limits)
        _verify(items, directory)
        yield directory


def _write(items: Mapping[str, Item], directory: Path, limits: Limits) -> None:
    archives: dict[Unpacked, dict[str, ContextEntry]] = defaultdict(dict)
    for path, item in items.items():
        target = directory / path
        match item.source:
            case Unpacked() as source:
                archives[source][path.removeprefix(f"{source.top}/") if source.top else path] = item.entry
                continue
            case Text(content):
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(content)
            case Copied() as source:
                target.parent.mkdir(parents=True, exist_ok=True)
                _copy(source, target)
            case None if item.entry.kind == "directory":
                target.mkdir(parents=True, exist_ok=True)
    for source, wanted in archives.items():
        _check_archive(source)
        other = unpack(source.archive.path, str(source.archive.path), wanted, directory / source.top, limits)
        if other:
            raise _unlike(source, items[other[0].path].origin)
    # Last, so that nothing was written through them.
    for path, item in items.items():
        if item.entry.kind == "link":
            (directory / path).parent.mkdir(parents=True, exist_ok=True)
            (directory / path).symlink_to(item.entry.target)
    _normalise(items, directory)


def _copy(source: Copied, target: Path) -> None:
    if source.cached:
        with contextlib.suppress(OSError):  # another file system, or one without hard links
            os.link(source.path, target)
            return
    shutil.copyfile(source.path, target)


def _normalise(items: Mapping[str, Item], directory: Path) -> None:
    """Modes and times that are the same on every machine."""
    for path, item in items.items():
        target = directory / path
        if item.entry.kind == "file":
            target.chmod(0o755 if item.entry.executable else 0o644)
            moment = _time(item.entry)
            os.utime(target, (moment, moment))
        elif item.entry.kind == "link":
            os.utime(target, (_YEAR_2000, _YEAR_2000), follow_symlinks=False)
    for folder, _, _ in os.walk(directory, topdown=False):
        if folder != os.fspath(directory):
            Path(folder).chmod(0o755)
            os.utime(folder, (_YEAR_2000, _YEAR_2000))


def _time(entry: ContextEntry) -> int:
    """A time that depends on the content alone, and changes with it.

    With one constant, web servers that make their ETag from time and size would call a changed file unchanged.
    """
    return _YEAR_2000 + int(entry.sha256[:8], 16) % _TWENTY_YEARS


def _verify(items: Mapping[str, Item], directory: Path) -> None:
    """That what was copied is what the content hash was made of."""
    copied = [item for item in items.values() if isinstance(item.source, Copied)]
    for item, facts in zip(copied, hash_files([directory / item.entry.path for item in copied]), strict=True):
        if facts.sha256 != item.entry.sha256:
            assert isinstance(item.source, Copied)  # noqa: S101 -- for the type checker
            raise _changed(item.source, item.origin)


def _check_archive(source: Unpacked) -> None:
    if hash_files([source.archive.path])[0].sha256 != source.sha256:
        raise _changed(source.archive, str(source.archive.path))


def _changed(source: Copied, origin: str) -> DeployError:
    if source.cached:
        source.path.unlink(missing_ok=True)
        return ConfigurationError(
            f"the cached copy of {origin} was damaged, and has been removed",
            hint="run the same command again: it is downloaded anew",
        )
    return ConfigurationError(
        f"{origin} changed while it was being deployed", where=str(source.path), hint="run the same command again"
    )


def _unlike(source: Unpacked, origin: str) -> DeployError:
    """Without its list the archive is listed anew: the list was damaged, or made by another version of ours."""
    source.listed.unlink(missing_ok=True)
    return ConfigurationError(
        f"{origin} is not unpacked to what was listed of it",
        where=str(source.archive.path),
        hint="run the same command again: the archive is listed anew",
    )


@contextmanager
def _private_directory(parent: Path) -> Iterator[Path]:
    """A directory that nobody else can enter. Beside it lies a lock, held while it is in use, so that what was left by
    a run that was killed can be told from what another run is using."""
    with _translated(parent):
        parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        _remove_abandoned(parent)
        descriptor, lock = tempfile.mkstemp(suffix=".lock", dir=parent)
    directory = Path(lock.removesuffix(".lock"))
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        with _translated(parent):
            directory.mkdir(mode=0o700)
        yield directory
    finally:
        shutil.rmtree(directory, ignore_errors=True)
        Path(lock).unlink(missing_ok=True)
        os.close(descriptor)


def _remove_abandoned(parent: Path) -> None:
    for lock in parent.glob("*.lock"):
        with contextlib.suppress(OSError):
            descriptor = os.open(lock, os.O_RDWR | os.O_CLOEXEC)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(lock.with_suffix(""), ignore_errors=True)
                lock.unlink()
            finally:
                os.close(descriptor)


@contextmanager
def _translated(place: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        raise DeployError(
            "the Docker context cannot be written",
            where=str(place),
            why=error.strerror or str(error),
            hint="free some space there, or point XDG_CACHE_HOME to another disk" if full else None,
        ) from error
