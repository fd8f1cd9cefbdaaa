"""Brings one artefact into a file: hashed while it comes in, continued where it broke off, and checked at its end."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from threading import Event
from typing import Any, BinaryIO

from deployer.adapters.artefacts.cache import unwritable
from deployer.adapters.artefacts.remote import Body, Changed, Remote, Transient, Version
from deployer.adapters.artefacts.retry import with_attempts
from deployer.adapters.artefacts.writer import HashingWriter
from deployer.errors import DeployError, UnreachableError

_ATTEMPTS_WITHOUT_PROGRESS = 5
_ATTEMPTS = 100
LONGEST_SILENCE = 60.0
"""Seconds without a byte after which there is no other attempt: each waits for long by itself."""

_CHECKPOINT = 256 * 1024 * 1024
_PROGRESS_INTERVAL = 0.1


class Transfer:
    """The download of one artefact to `path`.

    A note beside the file (`path` with `.json`) tells a later run how much of which version is safely on the disk; what
    came in later is not trusted after a power cut. `progress` is told bytes done and total, ten times a second at most;
    `pause` is the first wait between attempts, in seconds, doubled each time.
    """

    def __init__(
        self,
        remote: Remote,
        path: Path,
        progress: Callable[[int, int | None], None],
        *,
        stop: Event,
        pause: float,
    ) -> None:
        self._remote = remote
        self._path = path
        self._note = path.with_suffix(".json")
        self._progress = progress
        self._stop = stop
        self._pause = pause
        self._version: Version | None = None
        self._writer: HashingWriter
        self._done = 0
        self._checkpoint = 0
        self._idle_attempts = 0
        self._moved = time.monotonic()
        self._told = 0.0

    def run(self) -> tuple[str, int, Version]:
        """Download, with another attempt after what may pass by itself: SHA-256 (hex), size, and the version it is.

        Raises UnreachableError when that does not help, DeployError when the file cannot be written. Then what came in
        so far is kept for another run, unless the disk is full.
        """
        try:
            with self._path.open("ab+") as file:
                self._continue_earlier(file)
                try:
                    with_attempts(
                        lambda: self._attempt(file), stop=self._stop, pause=self._pause, give_up=self._give_up
                    )
                except BaseException:
                    self._save(file)
                    raise
                os.fsync(file.fileno())
        except Transient as error:
            raise UnreachableError(
                "the artefact cannot be downloaded",
                where=self._remote.label,
                why=error.why,
                hint="the next run continues where this one stopped" if self._note.exists() else None,
            ) from error
        except OSError as error:
            self._remove()
            raise unwritable(self._path.parent.parent, error) from error
        self._note.unlink(missing_ok=True)
        assert self._version is not None  # noqa: S101 -- for the type checker
        return self._writer.digest.hexdigest(), self._done, self._version

    def _attempt(self, file: BinaryIO) -> None:
        if self._stop.is_set():
            raise DeployError("the download was stopped", where=self._remote.label)
        before = self._done
        try:
            try:
                with self._remote.open(self._done, self._version) as body:
                    self._receive(body, file)
            finally:
                self._writer.settle()
            self._check()
        except Changed:
            self._begin_anew(file)
            before = 0
            raise
        finally:
            self._idle_attempts = 0 if self._done > before else self._idle_attempts + 1

    def _receive(self, body: Body, file: BinaryIO) -> None:
        if body.start != self._done:
            self._begin_anew(file)
        self._version = body.version
        total = body.version.size
        if total is not None and total - self._done > shutil.disk_usage(self._path.parent).free:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        for chunk in body.chunks:
            if self._stop.is_set():
                raise DeployError("the download was stopped", where=self._remote.label)
            self._writer.write(chunk)
            self._done += len(chunk)
            now = self._moved = time.monotonic()
            if now - self._told >= _PROGRESS_INTERVAL:
                self._told = now
                self._progress(self._done, total)
            if self._done - self._checkpoint >= _CHECKPOINT:
                self._writer.settle()
                self._save(file)

    def _check(self) -> None:
        assert self._version is not None  # noqa: S101 -- for the type checker
        size, sha256 = self._version.size, self._version.sha256
        if size is not None and self._done < size:
            raise Transient(f"the connection broke after {self._done} of {size} bytes")
        if size is not None and self._done > size:
            raise Changed(f"{self._done} bytes came instead of {size}")
        if sha256 is not None and self._writer.digest.hexdigest() != sha256:
            raise Changed("what came in is damaged: its SHA-256 is not the one that the source names")
        self._progress(self._done, self._done)

    def _begin_anew(self, file: BinaryIO) -> None:
        self._note.unlink(missing_ok=True)
        file.truncate(0)
        self._version = None
        self._writer = HashingWriter(file)
        self._done = self._checkpoint = 0

    def _continue_earlier(self, file: BinaryIO) -> None:
        """Take up what an earlier run has left and noted."""
        length, version = 0, None
        self._writer = HashingWriter(file)
        with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
            note = json.loads(self._note.read_bytes())
            version = Version(note["identity"], note["size"], note["sha256"], resumable=True)
            length = int(note["length"])
        if not 0 < length <= os.fstat(file.fileno()).st_size:
            self._begin_anew(file)
            return
        file.truncate(length)
        file.seek(0)
        while chunk := file.read(1024 * 1024):
            self._writer.digest.update(chunk)
        self._done, self._version = length, version

    def _save(self, file: BinaryIO) -> None:
        """Note down what is safely on the disk, if it can be continued at all."""
        self._checkpoint = self._done
        if self._version is None or not self._version.resumable or not self._done:
            return
        with contextlib.suppress(OSError):
            file.flush()
            os.fdatasync(file.fileno())
            note: dict[str, Any] = {
                "identity": self._version.identity,
                "size": self._version.size,
                "sha256": self._version.sha256,
                "length": self._done,
            }
            temporary = self._note.with_suffix(".tmp")
            temporary.write_text(json.dumps(note))
            temporary.replace(self._note)

    def _remove(self) -> None:
        for path in (self._path, self._note):
            with contextlib.suppress(OSError):
                path.unlink()

    def _give_up(self, attempts: int) -> bool:
        silent = time.monotonic() - self._moved > LONGEST_SILENCE
        return silent or self._idle_attempts >= _ATTEMPTS_WITHOUT_PROGRESS or attempts >= _ATTEMPTS
