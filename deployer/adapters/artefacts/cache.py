"""The machine's cache of artefacts: contents by their digest, and what each source had when it was last asked."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from threading import Event

from deployer.errors import DeployError

CAPACITY = 10 * 1024**3
"""Bytes of contents that are kept. Beyond, those not used for longest are removed, but none used within an hour."""

_IN_USE = 3600.0
_ABANDONED = 7 * 24 * 3600.0


@dataclass(frozen=True, slots=True)
class Record:
    """What a source had: its identity for the source (None: it has none), size in bytes and SHA-256 in hex digits."""

    identity: str | None
    size: int
    sha256: str


class Cache:
    """Below `directory`, which only its owner may enter: `content/` by digest, `sources/` with a record per source,
    `partial/` downloads that can be continued, `locks/`. Every file appears whole or not at all; several processes may
    use it at once.
    """

    def __init__(self, directory: Path, capacity: int = CAPACITY) -> None:
        self._directory = directory
        self._capacity = capacity

    def content(self, sha256: str, size: int | None = None) -> Path | None:
        """The file with this digest; its time of access is set to now, since the one used last goes last."""
        path = self._content(sha256)
        try:
            status = path.stat()
            if size is not None and status.st_size != size:
                return None
            os.utime(path, (time.time(), status.st_mtime))
        except OSError:
            return None
        return path

    def record(self, key: str) -> Record | None:
        """What was remembered of a source, if its content is still there."""
        try:
            known = json.loads(self._named("sources", key, ".json").read_bytes())
            record = Record(known["identity"], int(known["size"]), str(known["sha256"]))
        except (OSError, ValueError, KeyError, TypeError):
            return None
        return record if self.content(record.sha256, record.size) else None

    def remember(self, key: str, record: Record) -> None:
        """Keep what a source has. Where that fails, it is asked again the next time."""
        with contextlib.suppress(OSError):
            _write_whole(self._named("sources", key, ".json"), json.dumps(asdict(record)))

    def partial(self, key: str) -> Path:
        """Where to download a source's content to. Its directory exists."""
        path = self._named("partial", key, "")
        try:
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        except OSError as error:
            raise unwritable(self._directory, error) from error
        return path

    def keep(self, partial: Path, sha256: str) -> Path:
        """Make a finished download the content with this digest. It must have been synchronised."""
        path = self._content(sha256)
        try:
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            partial.chmod(0o644)  # a Docker context may link to it
            partial.replace(path)
            _synchronise(path.parent)
        except OSError as error:
            raise unwritable(self._directory, error) from error
        return path

    @contextmanager
    def lock(self, key: str, stop: Event) -> Iterator[None]:
        """Held by one thread of one process at a time; waits for it, until `stop` is set."""
        from filelock import FileLock, Timeout

        path = self._named("locks", key, ".lock")
        try:
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            lock = FileLock(path, thread_local=False)
            while True:
                with contextlib.suppress(Timeout):
                    lock.acquire(timeout=0.5)
                    break
                if stop.is_set():
                    raise DeployError("stopped while waiting for another download of the same artefact")
        except OSError as error:
            raise unwritable(self._directory, error) from error
        try:
            yield
        finally:
            lock.release()

    def trim(self) -> None:
        """Remove what was not used for longest until the contents fit the capacity, and downloads left for a week."""
        now = time.time()
        contents: list[tuple[float, int, Path]] = []
        for path in self._directory.glob("content/*/*"):
            with contextlib.suppress(OSError):
                status = path.stat()
                contents.append((max(status.st_atime, status.st_ctime), status.st_size, path))
        excess = sum(size for _, size, _ in contents) - self._capacity
        for used, size, path in sorted(contents):
            if excess <= 0 or now - used < _IN_USE:
                break
            with contextlib.suppress(OSError):
                path.unlink()
            excess -= size
        for path in self._directory.glob("partial/*"):
            with contextlib.suppress(OSError):
                if now - path.stat().st_mtime > _ABANDONED:
                    path.unlink()

    def _content(self, sha256: str) -> Path:
        return self._directory / "content" / sha256[:2] / sha256

    def _named(self, kind: str, key: str, suffix: str) -> Path:
        return self._directory / kind / (hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()[:40] + suffix)


def unwritable(place: Path, error: OSError) -> DeployError:
    """What is said when the cache cannot be written: disk full, no permission."""
    full = error.errno in (errno.ENOSPC, errno.EDQUOT)
    return DeployError(
        "there is no space left for artefacts" if full else "the cache of artefacts cannot be written",
        where=str(place),
        why=error.strerror or str(error),
        hint="free some space there, or point XDG_CACHE_HOME to another disk" if full else None,
    )


def _write_whole(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    descriptor, name = tempfile.mkstemp(dir=path.parent)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def _synchronise(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
