"""Runs many jobs a few at a time, each after those that it needs; one whose need failed is not begun."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from threading import Condition


class Turns:
    """Whose turn it is. `needs`: name → the names that must have ended well before; those that do not run do not count.

    At most `at_once` have their turn at a time; who has waited for its needs longest comes first. Shared by the threads
    of all jobs.
    """

    def __init__(self, names: Sequence[str], needs: Mapping[str, Sequence[str]], at_once: int) -> None:
        self._needs = {name: [needed for needed in needs.get(name, ()) if needed in names] for name in names}
        self._free = at_once
        self._ended: dict[str, bool] = {}
        self._changed = Condition()
        self._stopped = False

    def stop(self) -> None:
        """Nobody gets a turn any more. Callable from any thread."""
        with self._changed:
            self._stopped = True
            self._changed.notify_all()

    def take(self, name: str) -> str | None:
        """Wait for one's turn. None when it has come, else why it will not; `done` must follow in either case."""
        with self._changed:
            self._changed.wait_for(lambda: self._stopped or self._culprit(name) or self._may_begin(name))
            if self._stopped:
                return "it was stopped before its turn"
            if culprit := self._culprit(name):
                return f"it needs {culprit}, which was not deployed"
            self._free -= 1
            return None

    def done(self, name: str, *, well: bool, begun: bool) -> None:
        """It has ended; `well`: whoever needs it may begin."""
        with self._changed:
            self._ended[name] = well
            self._free += begun
            self._changed.notify_all()

    def _culprit(self, name: str) -> str | None:
        return next((needed for needed in self._needs[name] if self._ended.get(needed) is False), None)

    def _may_begin(self, name: str) -> bool:
        return self._free > 0 and all(needed in self._ended for needed in self._needs[name])


def in_turn(turns: Turns, name: str, run: Callable[[], bool], refuse: Callable[[str], None]) -> None:
    """Run a job when its turn has come; `run` tells whether it went well. Else `refuse` is told why it did not come."""
    why = turns.take(name)
    well = False
    try:
        if why is None:
            well = run()
        else:
            refuse(why)
    finally:
        turns.done(name, well=well, begun=why is None)
