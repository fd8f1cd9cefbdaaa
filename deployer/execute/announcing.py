"""Tells every channel of a deployment, beside the work itself: a slow Slack must not slow a deployment."""

from __future__ import annotations

from collections.abc import Sequence
from threading import Thread

from deployer.execute.ports import Announcement, Notifier

_PATIENCE = 6.0
"""Seconds to wait for a notifier, which itself gives up after 5."""


class Announcer:
    """The notifiers of one deployment (several where regions or apps announce in channels of their own)."""

    def __init__(self, notifiers: Sequence[Notifier]) -> None:
        self._notifiers = notifiers
        self._threads: list[Thread] = []
        self._warnings: list[str] = []

    def begin(self, announcement: Announcement) -> None:
        """Announce in the background."""
        self._start(announcement)

    def end(self, announcement: Announcement) -> list[str]:
        """Announce once what was begun is through; what went wrong with either, each warning once."""
        self._wait()
        self._start(announcement)
        self._wait()
        return list(dict.fromkeys(self._warnings))

    def _start(self, announcement: Announcement) -> None:
        for notifier in self._notifiers:
            thread = Thread(target=self._announce, args=(notifier, announcement), daemon=True)
            thread.start()
            self._threads.append(thread)

    def _announce(self, notifier: Notifier, announcement: Announcement) -> None:
        warning = notifier.announce(announcement)
        if warning:
            self._warnings.append(warning)

    def _wait(self) -> None:
        for thread in self._threads:
            thread.join(_PATIENCE)
        self._threads.clear()
