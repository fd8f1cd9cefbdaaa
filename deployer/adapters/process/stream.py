"""Reads a program's output line by line while it runs."""

from __future__ import annotations

import contextlib
import queue
import signal
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import IO, Literal

from deployer.adapters.process.child import GRACE, Argument, Child, TimedOut, too_long

_LONGEST_LINE = 64 * 1024
_MOST_LINES = 1000


@dataclass(frozen=True, slots=True)
class Line:
    """One line of output, without its end. What is not UTF-8 is replaced; lines over 64 KiB come in pieces."""

    text: str
    source: Literal["stdout", "stderr"] = "stdout"


class Stream:
    """A running program whose output is read line by line, as it comes. Use it as a context manager:

        with Stream(["docker", "buildx", "build", "-"], stdin=context) as build:
            for line in build:
                sink.emit(OutputLine("build", mask(line.text)))
        if build.returncode: ...

    The arguments are those of `run`. With `merge` (the default) standard error goes into standard output, in the order
    written; without it each Line says where it comes from. Leaving the block ends a program that still runs; after
    the last line `returncode` is set. Iterating raises TimedOut, and InterruptedBySignal after `stop_all`.
    """

    def __init__(
        self,
        argv: Sequence[Argument],
        *,
        stdin: bytes | None = None,
        env: Mapping[str, str] | None = None,
        cwd: Argument | None = None,
        timeout: float | None = None,
        pass_fds: Sequence[int] = (),
        merge: bool = True,
        grace: float = GRACE,
    ) -> None:
        self.returncode: int | None = None
        self._timeout = timeout
        self._deadline = None if timeout is None else time.monotonic() + timeout
        self._queue: queue.SimpleQueue[Line | None] = queue.SimpleQueue()
        child = Child(argv, stdin=stdin is not None, env=env, cwd=cwd, pass_fds=pass_fds, merge=merge, grace=grace)
        self._child = child
        self._open = 0
        self._threads: list[threading.Thread] = []
        try:
            if stdin is not None and child.popen.stdin:
                self._start(_feed, child.popen.stdin, stdin)
            if child.popen.stdout:
                self._start(self._read, child.popen.stdout, "stdout")
                self._open += 1
            if child.popen.stderr:
                self._start(self._read, child.popen.stderr, "stderr")
                self._open += 1
        except BaseException:
            child.close()
            raise

    @property
    def pid(self) -> int:
        """Its process id, which is its group's too."""
        return self._child.popen.pid

    def terminate(self) -> None:
        """Ask it to stop (SIGTERM to its group). Callable from any thread; the iteration then ends by itself."""
        self._child.signal(signal.SIGTERM)

    def __iter__(self) -> Iterator[Line]:
        for batch in self.batches():
            yield from batch

    def batches(self) -> Iterator[list[Line]]:
        """The lines, as many at a time as are there by now (at most 1000): who works on many together is faster."""
        while self._open:
            left = None if self._deadline is None else max(0.0, self._deadline - time.monotonic())
            try:
                line = self._queue.get(timeout=left)
            except queue.Empty:
                self._child.end()
                raise TimedOut(too_long(self._child.name, self._timeout)) from None
            batch: list[Line] = []
            while True:
                if line is None:
                    self._open -= 1
                else:
                    batch.append(line)
                if not self._open or len(batch) >= _MOST_LINES:
                    break
                try:
                    line = self._queue.get_nowait()
                except queue.Empty:
                    break
            if batch:
                yield batch
        try:
            left = None if self._deadline is None else max(0.0, self._deadline - time.monotonic())
            self.returncode = self._child.popen.wait(left)
        except subprocess.TimeoutExpired:
            self._child.end()
            raise TimedOut(too_long(self._child.name, self._timeout)) from None
        self._child.raise_if_stopped()

    def __enter__(self) -> Stream:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._child.end()
        for thread in self._threads:
            thread.join(1.0)
        # A stranger may hold the pipe open: closing it under its reader would block for ever.
        if not any(thread.is_alive() for thread in self._threads):
            self._child.close()
        self._child.forget()
        self.returncode = self._child.popen.returncode

    def _start(self, work: object, *arguments: object) -> None:
        thread = threading.Thread(target=work, args=arguments, daemon=True)  # type: ignore[arg-type]
        thread.start()
        self._threads.append(thread)

    def _read(self, pipe: IO[bytes], source: Literal["stdout", "stderr"]) -> None:
        with contextlib.suppress(OSError, ValueError):  # closed under us, when the block was left early
            while piece := pipe.readline(_LONGEST_LINE):
                self._queue.put(Line(piece.decode("utf-8", "replace").rstrip("\r\n"), source))
        self._queue.put(None)


def _feed(pipe: IO[bytes], content: bytes) -> None:
    with contextlib.suppress(OSError, ValueError):  # it may exit without reading its input: its status tells
        pipe.write(content)
    with contextlib.suppress(OSError, ValueError):
        pipe.close()
