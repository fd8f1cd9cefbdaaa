"""The API server's clock, as its answers tell it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

from deployer.clock import uptime


class ServerClock:
    """Goes on from the `Date` header of the last answer (RFC 9110, whole seconds). Safe to use from threads."""

    def __init__(self, clock: Callable[[], float] = uptime) -> None:
        self._clock = clock
        self._heard: tuple[datetime, float] | None = None

    def hear(self, date: str | None) -> None:
        """An answer has arrived just now; what is no date is passed over."""
        try:
            told = parsedate_to_datetime(date or "")
        except ValueError:
            return
        if told.tzinfo is not None:
            # It was told within the second that the header names.
            self._heard = told.astimezone(UTC) + timedelta(seconds=0.5), self._clock()

    def now(self) -> datetime | None:
        """The server's time; None as long as nothing was heard."""
        if self._heard is None:
            return None
        told, when = self._heard
        return told + timedelta(seconds=self._clock() - when)
