"""A lock that we hold: renews itself until it is given back or lost."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from threading import Event, Lock, Thread

from deployer.adapters.leases.lease import DURATION, identity_of, renewed
from deployer.adapters.leases.store import LeaseStore
from deployer.clock import uptime
from deployer.errors import DeployError, HeldError
from deployer.model import Json, LockState, ObjectKey

RENEW_SECONDS = 10.0
_RETRY_SECONDS = 2.0
_PATIENCE = 5.0
"""Seconds for one attempt to renew or to give back: a server that hangs must not keep us from noticing the end."""

_LOOK_SECONDS = 1.0
"""Seconds between two looks at whether it has run out."""

_CONFLICTS = 5

Loss = Callable[[Json | None, DeployError | None], HeldError]
"""Makes the error of a lock that was lost: to whom (None: it was freed), or because the cluster was out of reach."""


class HeldLease:
    """Fills the port `HeldLock`. `lease` is as the cluster has it, written at `since` by `clock`."""

    def __init__(
        self,
        store: LeaseStore,
        key: ObjectKey,
        lease: Json,
        *,
        since: float,
        taken_over: LockState | None,
        loss: Loss,
        lost: Callable[[], None],
        clock: Callable[[], float] = uptime,
    ) -> None:
        self._store = store
        self._key = key
        self._lease = lease
        self._identity = identity_of(lease)
        self._taken_over = taken_over
        self._loss = loss
        self._tell = lost
        self._clock = clock
        self._valid_until = since + DURATION
        self._mutex = Lock()
        self._over = Event()
        self._error: HeldError | None = None
        self._refused: DeployError | None = None
        self._looked = clock()
        self._waking_until = 0.0

    @property
    def taken_over(self) -> LockState | None:
        """The lock as it was before, where its holder died or stopped renewing it."""
        return self._taken_over

    def start(self) -> None:
        """Renew from now on, in the background."""
        Thread(target=self._run, name=f"lock {self._key.name}", daemon=True).start()
        Thread(target=self._guard, name=f"end of lock {self._key.name}", daemon=True).start()

    def confirm(self) -> None:
        """Renew now. Raises HeldError once it was lost, UnreachableError when the cluster does not answer."""
        with self._mutex:
            if self._error is None:
                try:
                    self._renew(timeout=None)
                except DeployError as error:
                    if self._clock() < self._valid_until:
                        raise
                    self._error = self._loss(None, error)
        self._tell_once()
        if self._error is not None:
            raise self._error

    def renew(self) -> float | None:
        """What the background does at its time; the seconds until the next time, None when there is none."""
        pause = RENEW_SECONDS
        with self._mutex:
            if self._over.is_set():
                return None
            left = self._valid_until - self._clock()
            try:
                self._renew(timeout=max(1.0, min(_PATIENCE, left)))
            except Exception as error:  # noqa: BLE001 -- whatever it is, the lock must not run out unnoticed
                left = self._valid_until - self._clock()
                pause = max(0.1, min(_RETRY_SECONDS, left))
                self._refused = error if isinstance(error, DeployError) else DeployError(type(error).__name__)
                if left <= 0:
                    self._error = self._loss(None, self._refused)
        self._tell_once()
        return None if self._over.is_set() else pause

    def look(self) -> None:
        """Tell that it is lost once it has run out, though a renewal may still be on its way: a login may hang.

        Where the machine itself slept since the last look, a renewal first gets the time to find out who has it.
        """
        now = self._clock()
        if now - self._looked > _LOOK_SECONDS + _PATIENCE:
            self._waking_until = now + 2 * _PATIENCE
        self._looked = now
        if now >= max(self._valid_until, self._waking_until) and self._error is None:
            self._error = self._loss(None, self._refused or DeployError("renewing it takes too long"))
            self._tell_once()

    def release(self) -> None:
        """Delete the Lease if it is still ours. Never raises: what cannot be deleted expires."""
        self._over.set()
        if not self._mutex.acquire(timeout=_PATIENCE):
            return  # a renewal hangs, and so would we
        try:
            give_back(self._store, self._key, self._identity, self._lease)
        finally:
            self._mutex.release()

    def _run(self) -> None:
        pause: float | None = RENEW_SECONDS
        while pause is not None and not self._over.wait(pause):
            pause = self.renew()

    def _guard(self) -> None:
        while not self._over.wait(_LOOK_SECONDS):
            self.look()

    def _renew(self, timeout: float | None) -> None:
        """Renew by compare and swap: where that succeeds nobody else had it meanwhile, however late it is."""
        for _ in range(_CONFLICTS):
            sent = self._clock()
            written = self._store.replace(renewed(self._lease, self._store.now()), timeout=timeout)
            if written is not None:
                self._lease, self._valid_until, self._refused = written, sent + DURATION, None
                return
            # Changed since: by somebody who has it now, or by a renewal of ours whose answer did not arrive.
            current = self._store.get(self._key, timeout=timeout)
            if current is None or identity_of(current) != self._identity:
                self._error = self._loss(current, None)
                return
            self._lease = current
        raise DeployError("the lock cannot be renewed", where=str(self._key), why="somebody keeps changing its Lease")

    def _tell_once(self) -> None:
        if self._error is None or self._over.is_set():
            return
        self._over.set()
        with suppress(Exception):
            self._tell()


def give_back(store: LeaseStore, key: ObjectKey, identity: str, seen: Json | None = None) -> None:
    """Delete the Lease (as it was `seen`, or as it is found) while this identity holds it. Never raises."""
    with suppress(Exception):
        for _ in range(_CONFLICTS):
            lease = seen or store.get(key, timeout=_PATIENCE)
            if lease is None or identity_of(lease) != identity or store.delete_unchanged(lease, timeout=_PATIENCE):
                return
            seen = None
