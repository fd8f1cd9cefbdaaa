"""Fakes of the ports: a cluster, a Helm and a prober in memory, for tests of the engine alone."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from deployer.errors import DeployError
from deployer.events import Event, Sink
from deployer.execute.ports import Probe, ReleaseRequest
from deployer.model import Json, ObjectKey, Revision


class RecordingSink:
    """Keeps every event."""

    def __init__(self) -> None:
        self.events: list[Event] = []

    def emit(self, event: Event) -> None:
        self.events.append(event)


@dataclass
class FakeCluster:
    """Live objects by key. `react` is called before each question, to let time pass."""

    objects: dict[ObjectKey, Json] = field(default_factory=dict)
    pods: list[Json] = field(default_factory=list)
    logs: tuple[str, ...] = ()
    refuses: Mapping[str, DeployError] = field(default_factory=dict)
    react: Callable[[FakeCluster], None] = lambda cluster: None

    def check(self) -> str:
        return "v1.34.4"

    def get(self, key: ObjectKey) -> Json | None:
        self.react(self)
        return self.objects.get(key)

    def delete(self, key: ObjectKey) -> None:
        self.objects.pop(key, None)

    def preview(self, manifest: Json, live: Json | None) -> Json:
        if error := self.refuses.get(manifest["kind"]):
            raise error
        return {**(live or {}), **manifest}

    def list(
        self, api_version: str, kind: str, namespace: str | None, labels: Mapping[str, str] | None = None
    ) -> Sequence[Json]:
        return self.pods if kind == "Pod" else []

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

    def revisions(self, name: str, namespace: str) -> tuple[Revision, ...]:
        return tuple(self.stored)

    def upgrade(self, request: ReleaseRequest, sink: Sink) -> int:
        number = self._add(
            manifests=request.manifests,
            record=request.record,
            deployment_id=request.record.deployment_id,
            status="failed" if self.fail else "deployed",
        )
        self.done.append(("upgrade", number))
        if self.fail:
            raise self.fail
        return number

    def rollback(self, name: str, namespace: str, to: int, *, timeout: float) -> int:
        if self.fail_rollback:
            raise self.fail_rollback
        old = next(revision for revision in self.stored if revision.number == to)
        number = self._add(manifests=old.manifests, record=old.record, deployment_id=old.deployment_id)
        self.done.append(("rollback", to, number))
        return number

    def uninstall(self, name: str, namespace: str, *, timeout: float) -> None:
        self.stored.clear()
        self.done.append(("uninstall",))

    def repair(self, name: str, namespace: str, *, timeout: float) -> str | None:
        self.done.append(("repair",))
        self.stored[0] = replace(self.stored[0], status="failed")
        return "marked as failed"

    def mark(self, name: str, namespace: str, revision: int, *, verified: bool) -> None:
        self.stored = [replace(one, verified=verified) if one.number == revision else one for one in self.stored]
        self.done.append(("mark", revision, verified))

    def stop(self) -> None:
        self.done.append(("stop",))

    def _add(self, **fields: Any) -> int:
        self.stored = [replace(one, status="superseded") if one.status == "deployed" else one for one in self.stored]
        revision = make_revision((self.stored[0].number if self.stored else 0) + 1, verified=False, **fields)
        self.stored.insert(0, revision)
        return revision.number


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
