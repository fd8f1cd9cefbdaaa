"""Runs named pieces of work at the same time, each once those are done that it waits for."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from types import TracebackType
from typing import Any, Self, TypeVar

from deployer.errors import DeployError, DeploymentFailed, raise_all
from deployer.events import PhaseFinished, PhaseStarted, Sink

T = TypeVar("T")

_WORKERS = 48  # more than there is work, since what waits for other work holds a thread
_TELL_AFTER = 0.5  # seconds


class _NotBegun(Exception):
    """What this work waits for has failed: that error is the one to show."""


class Work:
    """Use it as a context manager: leaving it waits for everything, and raises all errors together.

        with Work(sink, cancelled) as work:
            etcd = work.start("etcd", start_etcd)
            work.start("API server", start_api_server, after=[etcd])

    Watchers are told of what does something, or takes long: a job that returns something false (not None) at once had
    nothing to do. When the block is left by an exception (Ctrl-C), `cancelled` is set, and what has not begun never
    does.
    """

    def __init__(self, sink: Sink, cancelled: threading.Event) -> None:
        self._sink = sink
        self._cancelled = cancelled
        self._pool = ThreadPoolExecutor(_WORKERS, "sandbox")
        self._futures: list[Future[Any]] = []
        self._lock = threading.Lock()
        self._untold: dict[str, float] = {}

    def start(self, phase: str, job: Callable[[], T], after: Sequence[Future[Any]] = ()) -> Future[T]:
        """Begin `job` when all of `after` have succeeded; `phase` is what it is called for its watchers."""
        future = self._pool.submit(self._run, phase, job, after)
        self._futures.append(future)
        return future

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            while error is None and wait(self._futures, timeout=_TELL_AFTER).not_done:
                self._tell_of_long_ones()
        except BaseException:
            self._cancelled.set()
            raise
        finally:
            if error is not None:
                self._cancelled.set()
            self._pool.shutdown(cancel_futures=True)
        if error is None:
            found = [future.exception() for future in self._futures]
            raise_all([_readable(each) for each in found if each is not None and not isinstance(each, _NotBegun)])

    def _run(self, phase: str, job: Callable[[], T], after: Sequence[Future[Any]]) -> T:
        if any(future.exception() for future in after) or self._cancelled.is_set():
            raise _NotBegun
        begun = time.monotonic()
        with self._lock:
            self._untold[phase] = begun
        try:
            result = job()
        except BaseException:
            self._tell(phase)
            self._sink.emit(PhaseFinished(phase, time.monotonic() - begun, failed=True))
            raise
        with self._lock:
            silent = result is not None and not result and self._untold.pop(phase, None) is not None
        if not silent:
            self._tell(phase)  # a no-op when it was told already
            self._sink.emit(PhaseFinished(phase, time.monotonic() - begun))
        return result

    def _tell_of_long_ones(self) -> None:
        with self._lock:
            long = [phase for phase, begun in self._untold.items() if time.monotonic() - begun > _TELL_AFTER]
        for phase in long:
            self._tell(phase)

    def _tell(self, phase: str) -> None:
        with self._lock:
            if self._untold.pop(phase, None) is not None:
                self._sink.emit(PhaseStarted(phase))


def _readable(error: BaseException) -> DeployError:
    if isinstance(error, DeployError):
        return error
    if isinstance(error, OSError):
        return DeploymentFailed("the sandbox cannot be brought up", where=error.filename, why=error.strerror)
    raise error
