"""The locks of one region's cluster: taken, waited for, looked at and freed."""

from __future__ import annotations

import random
import secrets
from collections.abc import Callable
from threading import Event

from deployer.adapters.leases import refusals
from deployer.adapters.leases.held import HeldLease, give_back, uptime
from deployer.adapters.leases.lease import (
    DURATION,
    MARGIN,
    identity_of,
    key_of,
    new_lease,
    state_of,
    taken_over,
    version_of,
)
from deployer.adapters.leases.store import LeaseStore
from deployer.errors import HeldError
from deployer.model import Holder, Json, LockState, ObjectKey, Target

_PAUSE = 1.0
_SHORTEST_PAUSE = 0.25
_CONFLICTS = 5


class LeaseLocks:
    """Fills the port `Locks`: a lock is the Lease `deploy-RELEASE` in the release's namespace.

    `target` is whose locks these are, for messages. Its application may be empty, where they are those of many apps.
    """

    def __init__(self, store: LeaseStore, target: Target, *, clock: Callable[[], float] = uptime) -> None:
        self._store = store
        self._target = target
        self._clock = clock

    def look(self, name: str, namespace: str) -> LockState | None:
        """The lock as it stands, None when nobody holds it."""
        lease = self._store.get(key_of(name, namespace))
        return state_of(lease, self._store.now()) if lease else None

    def acquire(
        self,
        name: str,
        namespace: str,
        holder: Holder,
        *,
        wait: float,
        waiting: Callable[[LockState], None],
        lost: Callable[[], None],
        stop: Event,
    ) -> HeldLease:
        """Take the lock, or wait for it: those who have waited longer ask more often, and so are likely to be first."""
        key, identity = key_of(name, namespace), f"{holder.deployment_id}/{secrets.token_hex(8)}"
        began = self._clock()
        seen = _Seen()
        told: str | None = None
        while True:
            attempt = _Attempt(self._store, key, holder, identity, self._clock)
            lease, state = attempt.run(seen)
            if lease is not None:
                held = HeldLease(
                    self._store,
                    key,
                    lease,
                    since=attempt.since,
                    taken_over=state,
                    loss=lambda lease, why: refusals.lost(self._target, name, self._state(lease), why),
                    lost=lost,
                    clock=self._clock,
                )
                held.start()
                return held
            waited = self._clock() - began
            if stop.is_set() or waited >= wait:
                raise refusals.held(self._target, name, state, waited=waited, stopped=stop.is_set())
            if state and state.version != told:
                told = state.version
                waiting(state)
            pause = max(_SHORTEST_PAUSE, _PAUSE - waited / 60.0) * random.uniform(0.5, 1.5)  # noqa: S311 (no secret)
            stop.wait(min(pause, wait - waited))

    def free(self, name: str, namespace: str, state: LockState) -> None:
        """Delete the Lease that was seen as `state`, however often it was renewed since."""
        key = key_of(name, namespace)
        for _ in range(_CONFLICTS):
            lease = self._store.get(key)
            if lease is None or not identity_of(lease):
                return
            if version_of(lease) != state.version:
                raise refusals.changed(self._target, name, state_of(lease, self._store.now()))
            if self._store.delete_unchanged(lease):
                return
        raise HeldError(
            f"the lock of {name} cannot be freed", where=str(key), why="somebody keeps changing it", hint="try again"
        )

    def _state(self, lease: Json | None) -> LockState | None:
        return state_of(lease, self._store.now()) if lease else None


class _Seen:
    """How long a Lease has stayed as it is, by our own clock: who renews it shows that he lives, whatever the time."""

    def __init__(self) -> None:
        self._version = ""
        self._since = 0.0

    def unchanged_for(self, lease: Json, now: float) -> float:
        """Seconds since it was first seen in this state."""
        version = f"{lease['metadata']['uid']}/{lease['metadata']['resourceVersion']}"
        if version != self._version:
            self._version, self._since = version, now
        return now - self._since


class _Attempt:
    """One attempt to take a lock. `since` is when it was taken, by `clock`."""

    def __init__(
        self, store: LeaseStore, key: ObjectKey, holder: Holder, identity: str, clock: Callable[[], float]
    ) -> None:
        self._store = store
        self._key = key
        self._holder = holder
        self._identity = identity
        self._clock = clock
        self.since = clock()
        self._sent = False

    def run(self, seen: _Seen) -> tuple[Json | None, LockState | None]:
        """The Lease if it is ours now, and the lock as it was before: whose we took over, or who has it."""
        try:
            return self._run(seen)
        except BaseException:
            # A request whose answer we did not get may have been carried out: nobody would hold the lock then.
            if self._sent:
                give_back(self._store, self._key, self._identity)
            raise

    def _run(self, seen: _Seen) -> tuple[Json | None, LockState | None]:
        before: LockState | None = None
        for _ in range(_CONFLICTS):
            self.since = self._clock()
            now = self._store.now()
            lease = self._store.get(self._key)
            if lease is None:
                before, self._sent = None, True
                taken = self._store.create(new_lease(self._key, self._holder, self._identity, now))
            elif identity_of(lease) == self._identity:  # the answer to an earlier request of ours did not arrive
                return lease, before
            else:
                before = state_of(lease, now)
                if before is not None and not before.expired and not self._abandoned(lease, seen):
                    return None, before
                self._sent = True
                taken = self._store.replace(taken_over(lease, self._holder, self._identity, now))
            if taken is not None:
                return taken, before
        return None, before

    def _abandoned(self, lease: Json, seen: _Seen) -> bool:
        duration = (lease.get("spec") or {}).get("leaseDurationSeconds")
        if not isinstance(duration, int):
            return False
        return seen.unchanged_for(lease, self._clock()) > max(duration, DURATION) + MARGIN
