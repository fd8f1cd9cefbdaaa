"""The lock of an app's drains: a TXT record in its zone, so that it holds across machines, and with a region down.

It is held only while a region is judged and drained, which takes seconds: after that the drain itself, which every
other judgement sees, keeps others away. A holder that was killed leaves the record behind. Nobody's clock decides when
it is over: whoever has seen the very same record for `LEASE` seconds of their own takes it over, and a holder gives up
well before that by its own.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from threading import Event

from deployer.errors import ConflictError, DeployError, HeldError
from deployer.execute.dns_ports import Dns
from deployer.model import Holder
from deployer.model.dns import HostedZone, RecordChange, RecordSet
from deployer.plan.drain import lock_holder, lock_name, lock_record

LEASE = 60.0
"""Seconds after which a record that stays the same is free."""

_MARGIN = 20.0
"""Seconds by which a holder begins its change before that: a request may be tried several times."""

_PAUSE = 2.0
_TRIES = 3


class DrainLock:
    """The lock of one app's drains. `host` is the app's global one."""

    def __init__(
        self,
        dns: Dns,
        zone: HostedZone,
        host: str,
        holder: Holder,
        *,
        clock: Callable[[], float] = time.monotonic,
        pause: float = _PAUSE,
    ) -> None:
        self._dns = dns
        self._zone = zone
        self._host = host
        self._holder = holder
        self._clock = clock
        self._pause = pause
        self._record: RecordSet | None = None
        self._since = 0.0

    def look(self) -> RecordSet | None:
        """The record, None when nobody holds the lock."""
        found = self._dns.records(self._zone, [lock_name(self._host)])
        return next((record for record in found if record.type == "TXT"), None)

    @contextmanager
    def held(self, stop: Event, wait: float = LEASE * 2) -> Iterator[None]:
        """Hold it for the length of a `with` block. Raises HeldError after `wait` seconds, or when stopped."""
        try:
            self._take(stop, wait)
            yield
        finally:
            self._release()

    def confirm(self) -> None:
        """Before the change: raises HeldError when others may take it for left behind soon."""
        if self._clock() - self._since > LEASE - _MARGIN:
            raise HeldError(
                "judging the regions took too long", why="Route 53 or the regions answer slowly", hint=_AGAIN
            )

    def is_ours(self) -> bool:
        """After the change: whether nobody has taken it over."""
        return self.look() == self._record

    def _take(self, stop: Event, wait: float) -> None:
        began, seen, seen_since = self._clock(), None, 0.0
        while True:
            current = self.look()
            now = self._clock()
            if current is None or (current == seen and now - seen_since >= LEASE):
                if self._swap(current):
                    return
            elif current != seen:
                seen, seen_since = current, now
            if stop.is_set() or now - began >= wait:
                raise _refusal(self._host, current)
            stop.wait(self._pause)

    def _swap(self, current: RecordSet | None) -> bool:
        """Make the record, in the place of the one that was seen; False when somebody else was faster."""
        record = lock_record(self._host, self._holder, secrets.token_hex(4))
        changes = [RecordChange("DELETE", current)] if current else []
        self._since = self._clock()
        self._record = record  # before the request: its answer may be lost, and it is given back all the same
        try:
            self._dns.change(self._zone, [*changes, RecordChange("CREATE", record)], "lock of drains")
        except ConflictError:
            # Also when an answer was lost, and the request that was sent again met the record of the first one.
            if self.look() != record:
                self._record = None
                return False
        return True

    def _release(self) -> None:
        """Give it back. What cannot be given back is taken over by others after a while."""
        record, self._record = self._record, None
        if record is None:
            return
        for _ in range(_TRIES):
            with suppress(ConflictError):
                try:
                    self._dns.change(self._zone, [RecordChange("DELETE", record)], "lock of drains")
                except ConflictError:
                    raise
                except DeployError:
                    continue
            return


_AGAIN = "run the same command again"


def _refusal(host: str, record: RecordSet | None) -> HeldError:
    holder = lock_holder(record) if record else None
    return HeldError(
        f"somebody else is about to drain a region of {host}",
        where=lock_name(host),
        why=f"the TXT record was made by {holder}" if holder else "the TXT record is there",
        hint=f"{_AGAIN}: a record that was left behind is taken over after {LEASE:.0f} s",
    )
