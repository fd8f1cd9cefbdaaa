"""Stand-ins for what the locks touch: the cluster's Leases, its clock, and ours."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from threading import Event, RLock
from typing import Any

from deployer.adapters.leases import LeaseLocks, this_machine
from deployer.adapters.leases.held import HeldLease
from deployer.model import Holder, Json, LockState, ObjectKey, Target

NAMESPACE = "here"
TARGET = Target("prod", "london", "myapp")
BEGAN = datetime(2026, 11, 21, 7, 0, tzinfo=UTC)
ELSEWHERE = "build-7"


class Clock:
    """A machine's clock of how long it runs."""

    def __init__(self) -> None:
        self.seconds = 1000.0

    def __call__(self) -> float:
        return self.seconds


class Leases:
    """The Leases of one API server, which compares and swaps as a real one does.

    `before` is called before each request with its name, and may raise or change what there is; `after` is called when
    it has been carried out, before it is answered.
    """

    def __init__(self, clock: Clock) -> None:
        self.content: dict[str, Json] = {}
        self.clock = clock
        self.set_by = timedelta()
        self.before: Callable[[str], None] = lambda request: None
        self.after: Callable[[str], None] = lambda request: None
        self._versions = iter(range(1, 10**6))
        self._atomic = RLock()

    def now(self) -> datetime:
        return BEGAN + timedelta(seconds=self.clock.seconds - 1000.0) + self.set_by

    def get(self, key: ObjectKey, *, timeout: float | None = None) -> Json | None:
        self.before("get")
        assert (key.api_version, key.kind, key.namespace) == ("coordination.k8s.io/v1", "Lease", NAMESPACE)
        return copy.deepcopy(self.content.get(key.name))

    def list(self, api_version: str, kind: str, namespace: str | None) -> Sequence[Json]:
        return copy.deepcopy(list(self.content.values()))

    def create(self, manifest: Json) -> Json | None:
        self.before("create")
        with self._atomic:
            return self._create(manifest)

    def _create(self, manifest: Json) -> Json | None:
        if manifest["metadata"]["name"] in self.content:
            return None
        made = self._store({**manifest, "metadata": {**manifest["metadata"], "uid": f"uid-{next(self._versions)}"}})
        self.after("create")
        return made

    def replace(self, manifest: Json, *, timeout: float | None = None) -> Json | None:
        self.before("replace")
        with self._atomic:
            return self._replace(manifest)

    def _replace(self, manifest: Json) -> Json | None:
        if not self._is_as_seen(manifest):
            return None
        written = self._store(manifest)
        self.after("replace")
        return written

    def delete_unchanged(self, seen: Json, *, timeout: float | None = None) -> bool:
        self.before("delete")
        with self._atomic:
            return self._delete(seen)

    def _delete(self, seen: Json) -> bool:
        if not self._is_as_seen(seen):
            return False
        del self.content[seen["metadata"]["name"]]
        self.after("delete")
        return True

    def annotate(self, name: str) -> None:
        """Change a Lease as somebody does who only adds a note."""
        lease = self.content[name]
        lease["metadata"]["annotations"]["note"] = "hello"
        self._store(lease)

    def _is_as_seen(self, seen: Json) -> bool:
        live = self.content.get(seen["metadata"]["name"])
        return live is not None and all(
            live["metadata"][field] == seen["metadata"][field] for field in ("uid", "resourceVersion")
        )

    def _store(self, manifest: Json) -> Json:
        stored = copy.deepcopy(manifest)
        stored["metadata"]["resourceVersion"] = str(next(self._versions))
        self.content[stored["metadata"]["name"]] = stored
        return copy.deepcopy(stored)


class Passing(Event):
    """An event for which nobody really waits: time passes at once, and then something happens."""

    def __init__(self, clock: Clock, then: Callable[[], object] = lambda: None) -> None:
        super().__init__()
        self._clock = clock
        self._then = then

    def wait(self, timeout: float | None = None) -> bool:
        self._clock.seconds += timeout or 0.0
        self._then()
        return self.is_set()


class Machine:
    """A machine that takes locks: its own clock, and what it was told."""

    def __init__(self, leases: Leases, clock: Clock | None = None, name: str = ELSEWHERE) -> None:
        self.clock = clock or leases.clock
        self.name = name
        self.locks = LeaseLocks(leases, TARGET, clock=self.clock)
        self.lost = 0
        self.waited_for: list[LockState] = []

    def acquire(
        self, deployment: str = "d-1", *, wait: float = 0.0, stop: Event | None = None, **holder: Any
    ) -> HeldLease:
        def lose() -> None:
            self.lost += 1

        return self.locks.acquire(
            "myapp",
            NAMESPACE,
            Holder(
                deployment, "anna@laptop", holder.pop("machine", self.name), "", "deploy", holder.pop("process", "")
            ),
            wait=wait,
            waiting=self.waited_for.append,
            lost=lose,
            stop=stop or Passing(self.clock),
        )

    def look(self) -> LockState | None:
        return self.locks.look("myapp", NAMESPACE)


__all__ = ["BEGAN", "Clock", "Leases", "Machine", "Passing", "this_machine"]
