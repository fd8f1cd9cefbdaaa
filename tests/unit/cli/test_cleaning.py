"""What pods, hooks and tools say does nothing to the terminal on which it is shown."""

from __future__ import annotations

import io
from dataclasses import fields
from typing import Any, get_args

import pytest

from deployer.cli.cleaning import cleaned
from deployer.cli.display import PlainDisplay
from deployer.cli.live import LiveDisplay
from deployer.events import (
    DownloadProgress,
    Event,
    LockAwaited,
    OutputLine,
    PhaseFinished,
    PhaseStarted,
    RolloutProgress,
    WarningRaised,
    WavesPlanned,
)
from deployer.model import Holder, LockState, ObjectKey, PodState, Target, WorkloadState

HOSTILE = "bad\x1b]52;c;aGk=\x07\x1b[2J\x9b2J\rend"
SHOWN = r"bad\x1b]52;c;aGk=\x07\x1b[2J\x9b2J\rend"
TARGET = Target("prod", "london", "myapp")
POD = PodState("myapp-1", HOSTILE, False, 0, "failed", HOSTILE)
KEY = ObjectKey("apps/v1", "Deployment", "default", "a")
EVENTS: tuple[Event, ...] = (
    PhaseStarted("rollout", TARGET),
    PhaseFinished("rollout", 1.0, TARGET, HOSTILE, failed=True),
    DownloadProgress(HOSTILE, 1, 2),
    OutputLine("build", HOSTILE, TARGET),
    RolloutProgress(TARGET, (WorkloadState(KEY, 1, 1, 0, "failed", HOSTILE, (POD,)),)),
    WarningRaised(HOSTILE, TARGET, HOSTILE),
    LockAwaited(TARGET, LockState(Holder("id-1", HOSTILE, "laptop", "2026-11-21", "deploy", "1"), 30.0, "v1")),
    WavesPlanned(((TARGET,), (Target("prod", HOSTILE, "myapp"),))),
)


def test_every_kind_of_event_is_tried_here() -> None:
    assert {type(event) for event in EVENTS} == set(get_args(Event))


@pytest.mark.parametrize("event", EVENTS)
def test_nothing_but_text_is_left_of_an_event(event: Event) -> None:
    again = cleaned(event)
    assert "\\x1b" not in repr(again).replace("\\\\", "")
    assert [one.name for one in fields(again)] == [one.name for one in fields(event)]


def test_what_is_clean_stays_as_it_is() -> None:
    event = WarningRaised("two\nlines, one\ttab, naïve – ✔", TARGET)
    assert cleaned(event) is event


def test_a_plain_display_shows_control_characters_as_text() -> None:
    stream = io.StringIO()
    with PlainDisplay(verbose=True, stream=stream) as shown:
        for event in EVENTS:
            shown.emit(event)
    told = stream.getvalue()
    assert not any(one in told for one in "\x1b\x07\x9b\r")
    for place in ("failed in 1.0 s: ", "build: ", "0/1 ready: ", "warning: ", "waiting for "):
        assert f"{place}{SHOWN}" in told


def test_a_live_display_keeps_its_own_colours_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLUMNS", "200")
    stream = _Terminal()
    monkeypatch.setattr("sys.stderr", stream)
    with LiveDisplay(verbose=True) as shown:
        for event in EVENTS:
            shown.emit(event)
    told = stream.getvalue()
    assert "\x1b]" not in told
    assert not any(one in told for one in "\x07\x9b")
    assert "\x1b[33m" in told  # a warning
    for place in ("build: ", "warning: ", "waiting for ", "0/1 ready: "):
        assert f"{place}{SHOWN}" in told


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True

    def __getattr__(self, name: str) -> Any:  # rich asks for what a real file has
        raise AttributeError(name)
