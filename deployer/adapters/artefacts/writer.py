"""Writes and hashes what comes in, in a thread of its own, while the next part is being received."""

from __future__ import annotations

import hashlib
from queue import Queue
from threading import Thread
from typing import BinaryIO

_BATCH = 1024 * 1024
_WAITING = 8


class HashingWriter:
    """Appends to a file. At most 9 MiB wait to be written; one that is slower than the network slows the network down.

    `digest` (SHA-256) is of all that was written, and holds after `settle`.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._batch: list[bytes] = []
        self._batched = 0
        self._queue: Queue[list[bytes] | None] = Queue(_WAITING)
        self._thread: Thread | None = None
        self._error: OSError | None = None
        self.digest = hashlib.sha256()

    def write(self, chunk: bytes) -> None:
        """Take a part. Raises the OSError of an earlier one that could not be written."""
        self._batch.append(chunk)
        self._batched += len(chunk)
        if self._batched >= _BATCH:
            if self._error is not None:
                raise self._error
            if self._thread is None:
                self._thread = Thread(target=self._work, name="write-artefact", daemon=True)
                self._thread.start()
            self._queue.put(self._batch)
            self._batch, self._batched = [], 0

    def settle(self) -> None:
        """Wait until everything is written. Raises the OSError of what could not be."""
        if self._thread is not None:
            self._queue.put(None)
            self._thread.join()
            self._thread = None
        batch, self._batch, self._batched = self._batch, [], 0
        self._append(batch)
        if self._error is not None:
            raise self._error
        self._file.flush()

    def _work(self) -> None:
        while (batch := self._queue.get()) is not None:
            self._append(batch)

    def _append(self, batch: list[bytes]) -> None:
        if self._error is not None:
            return
        try:
            for chunk in batch:
                self._file.write(chunk)
                self.digest.update(chunk)
        except OSError as error:
            self._error = error
