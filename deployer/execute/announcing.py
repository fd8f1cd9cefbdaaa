"""Tells every channel of a deployment, beside the work itself: a slow Slack must not slow a deployment."""

from __future__ import annotations

from collections.abc import Sequence
from threading import Thread
from time import monotonic

from deployer.execute.ports import Announcement, Notifier

_PATIENCE = 6.0
"""Seconds to wait for a notifier, which itself gives up after 5."""


class Announcer:
    """The notifiers of one deployment (several where regions or apps announce in channels of their own)."""

    def __init__(self, notifiers: Sequence[Notifier]) -> None:
        self._notifiers = notifiers
        self._threads: list[Thread] = []
        self._warnings: dict[int, str] = {}  # by notifier: of two that failed, the last one is told

    def begin(self, announcement: Announcement) -> None:
        """Announce in the background."""
        self._start(announcement)

    def end(self, announcement: Announcement, patience: float = 2 * _PATIENCE) -> list[str]:
        """Announce once what was begun is through; what went wrong, one warning for each notifier.

        `patience` is for how many seconds this may take in all.
        """
        deadline = monotonic() + patience
        self._wait(min(_PATIENCE, patience / 2))
        self._start(announcement)
        late = self._wait(max(0.0, min(_PATIENCE, deadline - monotonic())))
        if late:
            self._warnings.setdefault(-1, "Slack or a webhook did not answer in time: it may not know how this ended")
        return list(dict.fromkeys(self._warnings.values()))

    def _start(self, announcement: Announcement) -> None:
        for index in range(len(self._notifiers)):
            thread = Thread(target=self._announce, args=(index, announcement), daemon=True)
            thread.start()
            self._threads.append(thread)

    def _announce(self, index: int, announcement: Announcement) -> None:
        warning = self._notifiers[index].announce(announcement)
        if warning:
            self._warnings[index] = warning

    def _wait(self, seconds: float) -> bool:
        """Wait for what was begun; whether anything of it is still under way."""
        deadline = monotonic() + seconds
        for thread in self._threads:
            thread.join(max(0.0, deadline - monotonic()))
        late = any(thread.is_alive() for thread in self._threads)
        self._threads.clear()
        return late
