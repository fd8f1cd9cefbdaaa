"""How a phase is told to have ended."""

from __future__ import annotations

import pytest

from deployer.events import Event, PhaseFinished
from deployer.execute.phases import Phases


class Events:
    def __init__(self) -> None:
        self.ends: list[PhaseFinished] = []

    def emit(self, event: Event) -> None:
        if isinstance(event, PhaseFinished):
            self.ends.append(event)


def test_a_phase_fails_by_its_exception_or_by_its_own_word() -> None:
    events = Events()
    phases = Phases(events)
    with phases("good"):
        pass
    with phases("kept its errors") as phase:
        phase.failed = True
    with pytest.raises(ValueError, match="no"), phases("bad"):
        raise ValueError("no")
    assert [(end.phase, end.failed) for end in events.ends] == [
        ("good", False),
        ("kept its errors", True),
        ("bad", True),
    ]
