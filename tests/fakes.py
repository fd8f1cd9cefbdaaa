"""Fakes of the ports: a cluster, a Helm and a prober in memory, for tests of the engine alone."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from threading import Event
from typing import Any

from deployer.errors import DeployError, HeldError
from deployer.events import Event as Happened
from deployer.events import Sink
from deployer.execute.ports import Probe, ReleaseRequest
from deployer.model import DeploymentRecord, Ending, Holder, Json, LockState, ObjectKey, Permission, Revision
from deployer.model.release import FOR_EVER
from deployer.model.status import ReleaseHead
from deployer.plan.manifests.canonical import canonical_text


class RecordingSink:
    """Keeps every event."""

    def __init__(self) -> None:
        self.events: list[Happened] = []

    def emit(self, event: Happened) -> None:
        self.events.append(event)


@dataclass
class FakeCluster:
    """Live objects by key. `react` is called before each question, to let time pass."""

    objects: dict[ObjectKey, Json] = field(default_factory=dict)
    pods: list[Json] = field(default_factory=list)
    logs: tuple[str, ...] = ()
    refuses: Mapping[str, DeployError] = field(default_factory=dict)
    denies: Collection[Permission] = ()
    lists: Mapping[str, Sequence[Json] | DeployError] = field(default_factory=dict)
    down: DeployError | None = None
    questions: list[str] = field(default_factory=list)
    done: list[str] = field(default_factory=list)
    react: Callable[[FakeCluster], None] = lambda cluster: None

    def check(self) -> str:
        return "v1.34.4"

    def get(self, key: ObjectKey) -> Json | None:
        self._ask(f"get {key}")
        self.react(self)
        if key.kind == "Namespace":
            return self.objects.get(key, {"metadata": {"name": key.name}, "status": {"phase": "Active"}}) or None
        return self.objects.get(key)

    def denied(self, permissions: Sequence[Permission]) -> tuple[Permission, ...]:
        self._ask("denied")
        return tuple(one for one in permissions if one in self.denies)

    def _ask(self, question: str) -> None:
        self.questions.append(question)
        if self.down:
            raise self.down

    def delete(self, key: ObjectKey) -> None:
        self.objects.pop(key, None)
        self.done.append(f"delete {key}")

    def create(self, manifest: Json) -> Json | None:
        metadata = manifest["metadata"]
        key = ObjectKey(manifest["apiVersion"], manifest["kind"], metadata.get("namespace"), metadata["name"])
        if key in self.objects:
            return None
        self.objects[key] = manifest
        self.done.append(f"create {key}")
        return manifest

    def keep(self, key: ObjectKey) -> None:
        self.done.append(f"keep {key}")

    def restore(self, before: Json) -> None:
        metadata = before["metadata"]
        key = ObjectKey(before["apiVersion"], before["kind"], metadata.get("namespace"), metadata["name"])
        self.objects[key] = before
        self.done.append(f"restore {key}")

    def preview(self, manifest: Json, live: Json | None, before: Json | None = None) -> Json:
        if error := self.refuses.get(manifest["kind"]):
            raise error
        if before is not None:
            self.questions.append(f"preview after {canonical_text(before)}")
        return {**(live or {}), **manifest}

    def list(
        self, api_version: str, kind: str, namespace: str | None, labels: Mapping[str, str] | None = None
    ) -> Sequence[Json]:
        self._ask(f"list {kind}")
        found = self.lists.get(kind, self.pods if kind == "Pod" else [])
        if isinstance(found, DeployError):
            raise found
        return found

    def events(self, namespace: str, uids: Sequence[str]) -> Sequence[Json]:
        return []

    def log(self, namespace: str, pod: str, container: str, *, lines: int, previous: bool = False) -> tuple[str, ...]:
        return self.logs


@dataclass
class FakeReleases:
    """Revisions of one release, newest first. `fail` is raised by the next upgrade, after it has made its revision."""

    stored: list[Revision] = field(default_factory=list)
    fail: DeployError | None = None
    fail_rollback: DeployError | None = None
    done: list[tuple[Any, ...]] = field(default_factory=list)
    known: Mapping[str, ReleaseHead] | DeployError = field(default_factory=dict)
    """What `heads` tells of: all releases of the cluster, this one among them or not."""

    def heads(self, namespace: str, names: Collection[str] | None = None) -> Mapping[str, ReleaseHead]:
        self.done.append(("heads", namespace, None if names is None else sorted(names)))
        if isinstance(self.known, DeployError):
            raise self.known
        return {name: head for name, head in self.known.items() if names is None or name in names}

    def revisions(self, name: str, namespace: str) -> tuple[Revision, ...]:
        return tuple(self.stored)

    def upgrade(self, request: ReleaseRequest, sink: Sink) -> int:
        number = self._add(
            manifests=request.manifests,
            record=request.record,
            deployment_id=request.record.deployment_id,
            before=request.before,
            status="failed" if self.fail else "deployed",
        )
        self.done.append(("take over" if request.take_over else "upgrade", number))
        if self.fail:
            raise self.fail
        return number

    def rollback(
        self, name: str, namespace: str, to: int, *, timeout: float, record: DeploymentRecord | None = None
    ) -> int:
        if self.fail_rollback:
            raise self.fail_rollback
        old = next(revision for revision in self.stored if revision.number == to)
        made_by = record.deployment_id if record else old.deployment_id
        number = self._add(manifests=old.manifests, record=record or old.record, deployment_id=made_by)
        self.done.append(("rollback", to, number))
        return number

    def uninstall(self, name: str, namespace: str, *, timeout: float) -> None:
        self.stored.clear()
        self.done.append(("uninstall",))

    def repair(
        self, name: str, namespace: str, *, timeout: float, record: DeploymentRecord | None = None
    ) -> str | None:
        self.done.append(("repair",))
        self.stored[0] = replace(self.stored[0], status="failed")
        return "marked as failed"

    def mark(self, name: str, namespace: str, revision: int, *, verified: bool, ended: Ending | None = None) -> None:
        marked = {"verified": verified, "ended": ended}
        self.stored = [replace(one, **marked) if one.number == revision else one for one in self.stored]  # type: ignore[arg-type]
        self.done.append(("mark", revision, ended or verified))

    def keep(self, name: str, namespace: str, revision: int, until: datetime | None) -> None:
        kept = until or FOR_EVER
        self.stored = [replace(one, kept_until=kept) if one.number == revision else one for one in self.stored]
        self.done.append(("keep", revision, until))

    def settle(self, name: str, namespace: str, revision: int) -> None:
        self.stored = [replace(one, before=()) if one.number == revision else one for one in self.stored]
        self.done.append(("settle", revision))

    def forget(self, name: str, namespace: str) -> None:
        self.stored.clear()
        self.done.append(("forget", name))

    def stop(self) -> None:
        self.done.append(("stop",))

    def _add(self, **fields: Any) -> int:
        self.stored = [replace(one, status="superseded") if one.status == "deployed" else one for one in self.stored]
        revision = make_revision((self.stored[0].number if self.stored else 0) + 1, verified=False, **fields)
        self.stored.insert(0, revision)
        return revision.number


@dataclass
class FakeLocks:
    """Locks of one region in memory. `freed` is called while somebody waits, to let the holder end or change."""

    states: dict[str, LockState] = field(default_factory=dict)
    freed: Callable[[FakeLocks], None] = lambda locks: None
    done: list[tuple[str, str]] = field(default_factory=list)
    held: list[FakeHeldLock] = field(default_factory=list)

    def hold(self, name: str, holder: Holder, **state: Any) -> None:
        """Let somebody else hold a lock."""
        fields: dict[str, Any] = {"expires_in": 20.0, "version": f"{name}/{holder.deployment_id}", **state}
        self.states[name] = LockState(holder, **fields)

    def look(self, name: str, namespace: str) -> LockState | None:
        return self.states.get(name)

    def all(self, namespace: str) -> Mapping[str, LockState]:
        return dict(self.states)

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
    ) -> FakeHeldLock:
        told: LockState | None = None
        while (state := self.states.get(name)) and not state.expired:
            if wait > 0 and state != told and not stop.is_set():
                waiting(state)
                told = state
                self.freed(self)
                continue
            raise HeldError(f"{name} is locked", why=str(state.holder))
        self.hold(name, holder)
        self.done.append(("acquire", name))
        self.held.append(FakeHeldLock(self, name, self.states[name], lost, taken_over=state))
        return self.held[-1]

    def free(self, name: str, namespace: str, state: LockState) -> None:
        if self.states.get(name, state) != state:
            raise HeldError(f"the lock of {name} has another holder now")
        self.states.pop(name, None)
        self.done.append(("free", name))


@dataclass
class FakeHeldLock:
    """A lock that is held until it is released, freed, or lost."""

    locks: FakeLocks
    name: str
    state: LockState
    lost: Callable[[], None]
    taken_over: LockState | None = None
    confirmed: int = 0

    def confirm(self) -> None:
        if self.locks.states.get(self.name) is not self.state:
            raise HeldError(f"the lock of {self.name} was lost")
        self.confirmed += 1

    def lose(self) -> None:
        """Let it be freed by somebody else, who is noticed by the background."""
        self.locks.states.pop(self.name, None)
        self.lost()

    def release(self) -> None:
        if self.locks.states.get(self.name) is self.state:
            del self.locks.states[self.name]
        self.locks.done.append(("release", self.name))


class FakeProber:
    """Answers well, or always with the reason given."""

    def __init__(self, reason: str | None = None) -> None:
        self.reason = reason
        self.asked: list[Probe] = []

    def ask(self, probe: Probe) -> str | None:
        self.asked.append(probe)
        return self.reason


def make_revision(number: int, *, verified: bool = True, **fields: Any) -> Revision:
    """A revision as the storage gives it; deployed, verified and ours unless told otherwise."""
    values: dict[str, Any] = {
        "status": "deployed",
        "updated": None,
        "deployment_id": f"deployment-{number}",
        "manifests": (),
        "manifest": "",
        "record": None,
        **fields,
    }
    return Revision(number=number, verified=verified, **values)
