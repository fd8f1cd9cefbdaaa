"""The locks of one region's cluster: taken, waited for, looked at and freed."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from threading import Event

from deployer.adapters.leases import refusals
from deployer.adapters.leases.attempt import Attempt
from deployer.adapters.leases.held import HeldLease
from deployer.adapters.leases.lease import API_VERSION, identity_of, key_of, release_of, state_of, version_of
from deployer.adapters.leases.store import LeaseStore
from deployer.clock import uptime
from deployer.errors import DeployError, HeldError, NotPermitted
from deployer.model import Holder, Json, LockState, Target

_PAUSE = 1.0
_SHORTEST_PAUSE = 0.25
"""Seconds between two looks at a lock that somebody holds: those who have waited for long look more often."""

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
        with _permitted():
            return self._state(self._store.get(key_of(name, namespace)))

    def all(self, namespace: str) -> Mapping[str, LockState]:
        """The locks of a namespace that somebody holds, by the names of their releases."""
        with _permitted("list"):
            leases = {release_of(lease): lease for lease in self._store.list(API_VERSION, "Lease", namespace)}
        states = {name: self._state(lease) for name, lease in leases.items() if name}
        return {name: state for name, state in states.items() if state is not None}

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
        """Take the lock, or wait for it. There is no queue: those who have waited for long look more often."""
        attempt = Attempt(self._store, key_of(name, namespace), holder, clock=self._clock)
        began = self._clock()
        told: str | None = None
        while True:
            with _permitted():
                lease, state = attempt.run()
            if lease is not None:
                held = HeldLease(
                    self._store,
                    attempt.key,
                    lease,
                    since=attempt.since,
                    taken_over=state,
                    loss=lambda found, cause: self._loss(name, found, cause),
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
        with _permitted():
            for _ in range(_CONFLICTS):
                lease = self._store.get(key)
                if lease is None or not identity_of(lease):
                    return
                if version_of(lease) != state.version:
                    raise refusals.changed(self._target, name, self._state(lease))
                if self._store.delete_unchanged(lease):
                    return
        raise HeldError(
            f"the lock of {name} cannot be freed", where=str(key), why="somebody keeps changing it", hint="try again"
        )

    def _state(self, lease: Json | None) -> LockState | None:
        return state_of(lease, self._store.now()) if lease else None

    def _loss(self, name: str, lease: Json | None, cause: DeployError | None) -> HeldError:
        return refusals.lost(self._target, name, self._state(lease), cause)


@contextmanager
def _permitted(*more: str) -> Iterator[None]:
    """Name the permissions that locks need where the cluster refuses them."""
    try:
        yield
    except NotPermitted as error:
        verbs = ", ".join(("get", "create", "update", "delete", *more))
        error.hint = f"locks need the verbs {verbs} on leases (coordination.k8s.io) in the namespace: see docs/iam.md"
        raise
