"""Jobs at once: every outcome is kept, and a signal winds them down."""

import os
import signal
import threading
from queue import SimpleQueue
from time import monotonic

import pytest

from deployer.errors import ConfigurationError, ErrorGroup, Stop, UnreachableError
from deployer.execute import parallel
from deployer.execute.parallel import run_all, values_of


def test_values_come_in_the_order_of_the_jobs() -> None:
    second_done = threading.Event()

    def first() -> str:
        second_done.wait(5)
        return "first"

    def second() -> str:
        second_done.set()
        return "second"

    assert values_of([first, second]) == ["first", "second"]


def test_every_failure_is_reported() -> None:
    def fail(error: Exception) -> None:
        raise error

    with pytest.raises(ErrorGroup) as caught:
        values_of([lambda: fail(UnreachableError("london")), lambda: None, lambda: fail(ConfigurationError("seoul"))])
    assert [leaf.what for leaf in caught.value.leaves()] == ["london", "seoul"]


def test_an_unforeseen_error_is_not_hidden_behind_a_foreseen_one() -> None:
    def defect() -> None:
        raise ZeroDivisionError

    def foreseen() -> None:
        raise UnreachableError("x")

    with pytest.raises(ZeroDivisionError):
        values_of([foreseen, defect])


def test_a_signal_asks_the_jobs_to_end_and_keeps_their_results() -> None:
    asked = threading.Event()
    running = threading.Event()
    previous = signal.signal(signal.SIGUSR1, _interrupt)
    try:

        def job() -> str:
            running.set()
            asked.wait(10)
            return "ended well"

        def send() -> str:
            running.wait(10)
            os.kill(os.getpid(), signal.SIGUSR1)
            return "sent"

        outcomes, signalled = run_all([job, send], interrupt=asked.set)
    finally:
        signal.signal(signal.SIGUSR1, previous)
    assert signalled is not None
    assert signalled.exit_code == 128 + signal.SIGUSR1
    assert [outcome.value for outcome in outcomes] == ["ended well", "sent"]


def test_a_job_that_does_not_end_in_its_grace_is_left_behind() -> None:
    never, running = threading.Event(), threading.Event()
    previous = signal.signal(signal.SIGUSR1, _interrupt)
    try:

        def job() -> None:
            running.set()
            never.wait(60)

        def send() -> None:
            running.wait(10)
            os.kill(os.getpid(), signal.SIGUSR1)

        outcomes, signalled = run_all([job, send], grace=0.05)
    finally:
        signal.signal(signal.SIGUSR1, previous)
        never.set()
    assert signalled is not None
    assert not outcomes[0].finished


def test_the_grace_is_not_waited_for_once_all_have_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    """A signal that comes just as the queue tells of a job's end takes that word with it."""

    class Queue(SimpleQueue[None]):
        def get(self, block: bool = True, timeout: float | None = None) -> None:
            waiting.set()
            super().get(block, timeout)
            if not asked.is_set():
                raise Stop(signal.SIGTERM)

    def job() -> str:
        waiting.wait(10)
        return "ended"

    asked, waiting = threading.Event(), threading.Event()
    monkeypatch.setattr(parallel, "SimpleQueue", Queue)
    began = monotonic()
    outcomes, signalled = run_all([job], interrupt=asked.set, grace=60)
    assert monotonic() - began < 30
    assert signalled is not None
    assert outcomes[0].value == "ended"


def test_a_second_signal_ends_the_waiting_at_once() -> None:
    never, running, asked = threading.Event(), threading.Event(), threading.Event()
    previous = signal.signal(signal.SIGUSR1, _interrupt)
    try:

        def job() -> None:
            running.set()
            never.wait(60)

        def send() -> None:
            running.wait(10)
            os.kill(os.getpid(), signal.SIGUSR1)
            asked.wait(10)
            os.kill(os.getpid(), signal.SIGUSR1)

        outcomes, signalled = run_all([job, send], interrupt=asked.set, grace=60)
    finally:
        signal.signal(signal.SIGUSR1, previous)
        never.set()
    assert signalled is not None
    assert signalled.at_once
    assert not outcomes[0].finished


def _interrupt(number: int, _: object) -> None:
    raise Stop(number)
