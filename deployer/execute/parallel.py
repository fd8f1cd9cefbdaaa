"""Runs jobs at once in threads, keeps every result, and winds them down when a signal arrives."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from itertools import islice
from queue import Empty, SimpleQueue
from threading import Thread
from time import monotonic
from typing import Generic, TypeVar

from deployer.errors import DeployError, InterruptedBySignal, interruption, raise_all

T = TypeVar("T")

_HEARING = 0.5
"""Seconds after which the waiting thread wakes, if only to hear a signal."""

WIND_DOWN = 10.0
"""Seconds that work gets to end after a signal. All that follows (locks, Slack, the end of helm) must fit into 20."""


class Outcome(Generic[T]):
    """What one job came to: a value, an error, or neither while it is still running."""

    def __init__(self) -> None:
        self.value: T | None = None
        self.error: BaseException | None = None
        self.finished = False


def run_all(
    jobs: Sequence[Callable[[], T]],
    *,
    interrupt: Callable[[], None] = lambda: None,
    grace: float = WIND_DOWN,
    at_once: int | None = None,
) -> tuple[list[Outcome[T]], InterruptedBySignal | None]:
    """Run all jobs, each in a thread of its own, all of them or `at_once` at a time; the outcomes in the jobs' order.

    When a signal interrupts the waiting, `interrupt` is called once to ask the jobs to end, and they get `grace`
    seconds; what has not ended by then is left behind (threads are daemons) and its outcome is not finished. The
    signal is handed back beside the outcomes, so that the caller can report them before it ends. A second signal
    ends the waiting at once (`InterruptedBySignal.at_once`).
    """
    outcomes: list[Outcome[T]] = [Outcome() for _ in jobs]
    done: SimpleQueue[None] = SimpleQueue()

    def work(index: int) -> None:
        try:
            outcomes[index].value = jobs[index]()
        except BaseException as error:  # noqa: BLE001 -- carried to the waiting thread, whatever it is
            outcomes[index].error = error
        finally:
            outcomes[index].finished = True
            done.put(None)

    to_start = iter(range(len(jobs)))
    running: set[int] = set()
    signalled: InterruptedBySignal | None = None
    deadline: float | None = None
    told = False
    while True:
        try:
            if signalled is not None and not told:
                told = True
                interrupt()
            while True:
                room = len(jobs) if at_once is None else at_once - len(running)
                for index in islice(to_start, room if signalled is None else 0):
                    running.add(index)
                    Thread(target=work, args=(index,), name=f"job-{index}", daemon=True).start()
                if not running:
                    break
                _await_end(running, outcomes, done, deadline)
            break
        except Empty:
            break
        except (InterruptedBySignal, KeyboardInterrupt) as error:
            if signalled is not None:
                signalled.at_once = True
                break
            signalled = error if isinstance(error, InterruptedBySignal) else interruption(error)
            deadline = monotonic() + grace
    return outcomes, signalled


def _await_end(
    running: set[int], outcomes: Sequence[Outcome[T]], done: SimpleQueue[None], deadline: float | None
) -> None:
    """Forget what has ended, once something has. Raises Empty at the deadline.

    The queue only wakes, and the outcomes tell: a signal may come between its answer and our hearing it, and may be
    heard late by who waits without an end.
    """
    while not (ended := {index for index in running if outcomes[index].finished}):
        left = None if deadline is None else deadline - monotonic()
        if left is not None and left <= 0:
            raise Empty
        with suppress(Empty):
            done.get(timeout=_HEARING if left is None else min(_HEARING, left))
    running -= ended


def values_of(
    jobs: Sequence[Callable[[], T]], *, interrupt: Callable[[], None] = lambda: None, at_once: int | None = None
) -> list[T]:
    """Run all jobs, or `at_once` at a time; their values.

    Raises the errors of all jobs that failed, as one group, or the signal.
    """
    if len(jobs) == 1:
        return [jobs[0]()]
    outcomes, signalled = run_all(jobs, interrupt=interrupt, grace=5.0, at_once=at_once)
    if signalled is not None:
        raise signalled
    unforeseen = [o.error for o in outcomes if o.error is not None and not isinstance(o.error, DeployError)]
    if unforeseen:
        raise unforeseen[0]
    raise_all([outcome.error for outcome in outcomes if isinstance(outcome.error, DeployError)])
    return [outcome.value for outcome in outcomes]  # type: ignore[misc]
