"""What the AWS endpoint remembers beside moto: changes under way, caller references, what the checkers observed."""

from __future__ import annotations

import secrets
import string
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from deployer.sandbox.dns.check_rules import Created
from deployer.sandbox.dns.records import HealthCheck

_PENDING = 1.0
"""Seconds that a change is PENDING at least, so that whoever does not wait for it is seen."""
_PROPAGATED = 60.0
"""Seconds after which a change is INSYNC although no name server has fetched it: Route 53's usual time."""

_LETTERS = string.ascii_uppercase + string.digits


@dataclass(frozen=True, slots=True)
class Change:
    """A change batch that was accepted."""

    id: str
    serial: int
    submitted: datetime
    since: float
    comment: str | None


@dataclass
class Ledger:
    """Guarded by `lock`, which whoever changes Route 53's data holds from looking to writing."""

    clock: Callable[[], float] = time.monotonic
    process: str = field(default_factory=lambda: secrets.token_hex(8))
    lock: threading.Condition = field(default_factory=lambda: threading.Condition(threading.RLock()))
    serial: int = 0
    checks: dict[str, HealthCheck] = field(default_factory=dict)
    references: dict[str, Created] = field(default_factory=dict)
    _changes: dict[str, Change] = field(default_factory=dict)
    _fetched: int = 0
    _observations: dict[str, Sequence[Mapping[str, Any]]] = field(default_factory=dict)

    def changed(self, comment: str | None = None) -> Change:
        """Count a change of the records, and wake who waits for one."""
        with self.lock:
            self.serial += 1
            name = "C" + "".join(secrets.choice(_LETTERS) for _ in range(20))
            change = Change(name, self.serial, datetime.now(UTC), self.clock(), comment)
            self._changes[name] = change
            self.lock.notify_all()
        return change

    def change(self, name: str) -> Change | None:
        """A change by its id, with or without `/change/` before it."""
        return self._changes.get(name.removeprefix("/change/"))

    def in_sync(self, change: Change) -> bool:
        """Whether the name servers have it."""
        age = self.clock() - change.since
        return age >= _PROPAGATED or (age >= _PENDING and self._fetched >= change.serial)

    def fetched(self, serial: int) -> None:
        """A name server answers from the state with this serial."""
        self._fetched = max(self._fetched, serial)

    def put(self, check: HealthCheck, reference: str | None = None) -> None:
        """Keep a health check; `reference` when it is a new one."""
        with self.lock:
            self.checks[check.id] = check
            if reference is not None:
                self.references[reference] = Created(check)
            self.lock.notify_all()

    def remove(self, check: str) -> None:
        """Forget a health check, but not its caller reference."""
        with self.lock:
            self.checks.pop(check, None)
            self._observations.pop(check, None)
            for reference, created in self.references.items():
                if created.check.id == check:
                    self.references[reference] = replace(created, deleted=True)
            self.lock.notify_all()

    def observe(self, news: Mapping[str, Sequence[Mapping[str, Any]]]) -> None:
        """Keep what the checkers observed."""
        self._observations.update({name: each for name, each in news.items() if name in self.checks})

    def observations(self, check: str) -> Sequence[Mapping[str, Any]]:
        """What the checkers observed last; nothing for a new check."""
        return self._observations.get(check, ())
