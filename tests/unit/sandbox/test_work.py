"""Work at the same time, in the order that its needs dictate."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from deployer.errors import ConfigurationError, DeploymentFailed, ErrorGroup
from deployer.events import Event, PhaseFinished, PhaseStarted
from deployer.sandbox import work
from deployer.sandbox.work import Work


class Recorder:
    def __init__(self) -> None:
        self.events: list[Event] = []

    def emit(self, event: Event) -> None:
        self.events.append(event)

    def phases(self, kind: type[Any]) -> list[str]:
        return [event.phase for event in self.events if isinstance(event, kind)]


@pytest.fixture
def sink() -> Recorder:
    return Recorder()


def run(sink: Recorder) -> Work:
    return Work(sink, threading.Event())


def test_begins_when_what_it_needs_is_done(sink: Recorder) -> None:
    done: list[str] = []
    with run(sink) as jobs:
        gate = threading.Event()

        def begin() -> None:
            gate.wait(10)
            done.append("first")

        first = jobs.start("first", begin)
        jobs.start("second", lambda: done.append("second"), [first])
        gate.set()
    assert done == ["first", "second"]
    assert sink.phases(PhaseStarted) == ["first", "second"] == sink.phases(PhaseFinished)


def test_independent_work_runs_at_the_same_time(sink: Recorder) -> None:
    meeting = threading.Barrier(3, timeout=60)
    with run(sink) as jobs:
        for name in "abc":
            jobs.start(name, meeting.wait)


def test_gives_results(sink: Recorder) -> None:
    with run(sink) as jobs:
        future = jobs.start("sum", lambda: 1 + 1)
    assert future.result() == 2


def test_is_silent_about_what_had_nothing_to_do(sink: Recorder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(work, "_TELL_AFTER", 60)
    with run(sink) as jobs:
        jobs.start("idle", lambda: False)
        jobs.start("empty", lambda: ())
        jobs.start("busy", lambda: True)
    assert sink.phases(PhaseFinished) == ["busy"] == sink.phases(PhaseStarted)


def test_tells_of_what_takes_long_while_it_runs(sink: Recorder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(work, "_TELL_AFTER", 0.01)
    told = threading.Event()
    sink_emit = sink.emit

    def emit(event: Event) -> None:
        sink_emit(event)
        told.set()

    sink.emit = emit  # type: ignore[method-assign]
    with run(sink) as jobs:
        jobs.start("long", lambda: not told.wait(10))
    assert sink.phases(PhaseStarted) == ["long"] == sink.phases(PhaseFinished)


def test_raises_all_errors_and_not_their_consequences(sink: Recorder) -> None:
    def fail(error: Exception) -> None:
        raise error

    with pytest.raises(ErrorGroup) as caught, run(sink) as jobs:
        broken = jobs.start("a", lambda: fail(DeploymentFailed("a is broken")))
        jobs.start("b", lambda: fail(ConfigurationError("b is wrong")))
        jobs.start("c", lambda: pytest.fail("c needs a"), [broken])
    assert [error.what for error in caught.value.errors] == ["a is broken", "b is wrong"]
    assert "c" not in sink.phases(PhaseStarted)
    assert {event.phase for event in sink.events if isinstance(event, PhaseFinished) and event.failed} == {"a", "b"}


def test_explains_errors_of_the_system(sink: Recorder) -> None:
    def fail() -> None:
        raise OSError(28, "No space left on device", "/state/etcd")

    with pytest.raises(DeploymentFailed) as caught, run(sink) as jobs:
        jobs.start("a", fail)
    assert (caught.value.where, caught.value.why) == ("/state/etcd", "No space left on device")


def test_an_interrupt_cancels_what_runs_and_what_has_not_begun(sink: Recorder) -> None:
    cancelled = threading.Event()
    with pytest.raises(KeyboardInterrupt), Work(sink, cancelled) as jobs:
        first = jobs.start("first", lambda: cancelled.wait(10))
        jobs.start("second", lambda: pytest.fail("must not begin"), [first])
        raise KeyboardInterrupt
    assert cancelled.is_set()
    assert first.result() is True
