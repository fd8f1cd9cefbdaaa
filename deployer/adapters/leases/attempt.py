"""Tries to take a lock: by making its Lease, or by putting our own in the place of one that was abandoned."""

from __future__ import annotations

import secrets
from collections.abc import Callable

from deployer.adapters.leases.held import give_back
from deployer.adapters.leases.lease import DURATION, MARGIN, identity_of, new_lease, state_of, taken_over
from deployer.adapters.leases.store import LeaseStore
from deployer.model import Holder, Json, LockState, ObjectKey

_CONFLICTS = 5


class Attempt:
    """The attempts of one holder at one lock. `since` is when the last one began, by `clock`."""

    def __init__(self, store: LeaseStore, key: ObjectKey, holder: Holder, *, clock: Callable[[], float]) -> None:
        self.key = key
        self.since = clock()
        self._store = store
        self._holder = holder
        self._identity = f"{holder.deployment_id}/{secrets.token_hex(8)}"
        self._clock = clock
        self._sent = False
        self._seen = ("", self.since)

    def run(self) -> tuple[Json | None, LockState | None]:
        """The Lease if it is ours now, and the lock as it was before: whose we took over, or who has it."""
        try:
            return self._run()
        except BaseException:
            # What was sent may have been carried out although we got no answer: nobody would give the lock back then.
            if self._sent:
                give_back(self._store, self.key, self._identity)
            raise

    def _run(self) -> tuple[Json | None, LockState | None]:
        before: LockState | None = None
        for _ in range(_CONFLICTS):
            self.since = self._clock()
            lease, now = self._store.get(self.key), self._store.now()
            if lease is not None and identity_of(lease) == self._identity:
                return lease, before  # a request of ours was carried out, and its answer did not arrive
            before = state_of(lease, now) if lease else None
            if lease is not None and before is not None and not before.expired and not self._abandoned(lease):
                return None, before
            self._sent = True
            if lease is None:
                taken = self._store.create(new_lease(self.key, self._holder, self._identity, now))
            else:
                taken = self._store.replace(taken_over(lease, self._holder, self._identity, now))
            if taken is not None:
                return taken, before
        return None, before

    def _abandoned(self, lease: Json) -> bool:
        """Whether nobody has renewed it while we looked on, whatever the times in it say: a clock may have been set."""
        version, now = f"{lease['metadata']['uid']}/{lease['metadata']['resourceVersion']}", self._clock()
        if version != self._seen[0]:
            self._seen = version, now
        duration = (lease.get("spec") or {}).get("leaseDurationSeconds")
        return isinstance(duration, int) and now - self._seen[1] > max(duration, DURATION) + MARGIN
