"""The ports: what the engine needs from the outside world, as protocols that `adapters` and the tests' fakes fill.

Those of images are in `image_ports`, those of traffic in `dns_ports`.

Every method may raise a `DeployError`: `UnreachableError` when the service did not answer or did not let us in,
`ConfigurationError` when what the user wrote is refused. Texts of strangers are masked before they are cut anywhere:
whoever cuts them afterwards cuts no secret in two.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from threading import Event
from typing import Any, Protocol

from deployer.events import Sink
from deployer.model import (
    DeploymentRecord,
    Ending,
    Holder,
    Json,
    LockState,
    ObjectKey,
    Permission,
    Revision,
)
from deployer.model.status import ReleaseHead


class SecretsDecryptor(Protocol):
    """SOPS."""

    def decrypt(self, file: Path, *, profile: str | None, config_file: str | None = None) -> Any:
        """The typed content of an encrypted YAML file (`profile`, `config_file`: of AWS). Safe to call from threads."""
        ...


class Cluster(Protocol):
    """One region's Kubernetes API server."""

    def check(self) -> str:
        """Prove that the API server answers and lets us in; its version (`v1.34.4`)."""
        ...

    def denied(self, permissions: Sequence[Permission]) -> tuple[Permission, ...]:
        """Those of the permissions that we do not have. Kinds that the cluster does not know are left out."""
        ...

    def get(self, key: ObjectKey) -> Json | None:
        """The live object, None when there is none; the messages in its status are masked, also in lists."""
        ...

    def preview(self, manifest: Json, live: Json | None, before: Json | None = None) -> Json:
        """What the API server would make of the manifest (dry run on the server, nothing is changed).

        `before` is the same object in the revision that Helm goes on from: what only that names goes, as with Helm.
        Raises ConfigurationError with the server's words when it would refuse (validation, immutable field, quota).
        """
        ...

    def keep(self, key: ObjectKey) -> None:
        """Mark a live object so that Helm does not delete it with a revision that no longer has it."""
        ...

    def restore(self, before: Json) -> None:
        """Make an object what it was, its marks of ownership included; one that is gone is made anew."""
        ...

    def create(self, manifest: Json) -> Json | None:
        """Make an object, as the server then has it; None when there is one of that name."""
        ...

    def delete(self, key: ObjectKey) -> None:
        """Delete a live object; one that is gone already is no error."""
        ...

    def list(
        self, api_version: str, kind: str, namespace: str | None, labels: Mapping[str, str] | None = None
    ) -> Sequence[Json]:
        """The live objects of a kind, as the API server gives them; empty when the cluster does not know the kind."""
        ...

    def events(self, namespace: str, uids: Sequence[str]) -> Sequence[Json]:
        """Events about the objects with these uids, masked, oldest first."""
        ...

    def log(self, namespace: str, pod: str, container: str, *, lines: int, previous: bool = False) -> tuple[str, ...]:
        """The last lines of a container's log, masked; empty when there is none."""
        ...


@dataclass(frozen=True)
class ReleaseRequest:
    """One `helm upgrade --install`. `manifests` are JSON texts that the chart prints verbatim.

    With `take_over`, objects that belong to nobody or to another release become the release's; `before` are those, as
    JSON texts of what they were, which are kept with the revision.
    """

    name: str
    namespace: str
    manifests: tuple[str, ...]
    record: DeploymentRecord
    timeout: float
    take_over: bool = False
    before: tuple[str, ...] = ()


class Releases(Protocol):
    """Helm's releases in one region's cluster."""

    def revisions(self, name: str, namespace: str) -> tuple[Revision, ...]:
        """All stored revisions, newest first; empty when there is no such release."""
        ...

    def heads(self, namespace: str, names: Collection[str] | None = None) -> Mapping[str, ReleaseHead]:
        """Of each release in a namespace, or of each of `names`, the newest revision and the newest verified one."""
        ...

    def upgrade(self, request: ReleaseRequest, sink: Sink) -> int:
        """Install or upgrade without waiting for pods; the new revision's number. It begins as not verified."""
        ...

    def rollback(
        self, name: str, namespace: str, to: int, *, timeout: float, record: DeploymentRecord | None = None
    ) -> int:
        """Roll back to a revision; the number of the new revision that this makes. It begins as not verified.

        `record` takes the place of the one that Helm copies from the old revision (`DeploymentRecord.restoring`), also
        in a revision that Helm made before it failed. A pending revision that is left behind is marked as failed.
        """
        ...

    def uninstall(self, name: str, namespace: str, *, timeout: float) -> None:
        """Remove the release; what is annotated to be kept (claimed volumes) stays."""
        ...

    def repair(
        self, name: str, namespace: str, *, timeout: float, record: DeploymentRecord | None = None
    ) -> str | None:
        """Free a release that an interrupted run left pending; what was done, None when nothing was pending.

        `record` is of whoever repairs: a revision that is made for it is told as theirs.

        Never deletes objects that the pending revision had taken over.
        """
        ...

    def mark(self, name: str, namespace: str, revision: int, *, verified: bool, ended: Ending | None = None) -> None:
        """Write our own mark on a stored revision: verified, or how the attempt at it ended instead."""
        ...

    def keep(self, name: str, namespace: str, revision: int, until: datetime | None) -> None:
        """Write down until when a branch's revision is kept (None: for ever), where there was nothing to change."""
        ...

    def settle(self, name: str, namespace: str, revision: int) -> None:
        """Drop what a revision keeps of the objects that it took over (`Revision.before`): it is good now."""
        ...

    def forget(self, name: str, namespace: str) -> None:
        """Delete all that Helm has stored of a release, and nothing that belongs to it."""
        ...

    def stop(self) -> None:
        """Ask a running helm process to stop (SIGTERM: Helm marks the release as failed). Callable from any thread."""
        ...


class HeldLock(Protocol):
    """A lock that we hold, renewed in the background until it is released."""

    @property
    def taken_over(self) -> LockState | None:
        """The lock as it was before, where its holder died or stopped renewing it: what it left may need repair."""
        ...

    def confirm(self) -> None:
        """Prove to the cluster that it is still ours, before each change. Raises HeldError when it was lost."""
        ...

    def release(self) -> None:
        """Give it back. Never raises: what cannot be given back expires by itself."""
        ...


class Locks(Protocol):
    """The locks of one region's cluster: one for each release, whatever machine works on it."""

    def look(self, name: str, namespace: str) -> LockState | None:
        """The lock of a release as it stands, None when nobody holds it."""
        ...

    def all(self, namespace: str) -> Mapping[str, LockState]:
        """The locks of a namespace that somebody holds, by the names of their releases."""
        ...

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
    ) -> HeldLock:
        """Take the lock of a release: one that is free, has expired, or whose holder died on this machine.

        While somebody else holds it, wait up to `wait` seconds (0: not at all), first come first served so far as that
        can be had, and tell `waiting` whom for whenever that changes. `lost` is called once, from any thread, if
        the lock is lost later. Raises HeldError with the holder, also when `stop` is set meanwhile.
        """
        ...

    def free(self, name: str, namespace: str, state: LockState) -> None:
        """Free the lock that was seen as `state`, whoever holds it. Raises HeldError when it has changed since."""
        ...


@dataclass(frozen=True)
class Probe:
    """One question to a host from outside. `connect_to` is `host:port`; None: where `host` resolves to."""

    url: str
    connect_to: str | None = None
    search_string: str | None = None
    timeout: float = 5.0


class OutsideProber(Protocol):
    """Asks a host as a client would."""

    def ask(self, probe: Probe) -> str | None:
        """None when it answered well (2xx or 3xx, and the search string), else why not. Never raises."""
        ...


class Account(Protocol):
    """The AWS account behind a region's profile."""

    def number(self) -> str:
        """The 12-digit account number that STS names."""
        ...


@dataclass(frozen=True)
class Announcement:
    """What a notifier shows. `blocks` are Slack blocks, `text` their plain form; `thread` goes below as a reply.

    `report` is the JSON document of a command that has ended (docs/json.md).
    """

    text: str
    blocks: tuple[Json, ...] = ()
    thread: tuple[str, ...] = ()
    report: Json | None = None


class Notifier(Protocol):
    """One message per deployment, first sent and then brought up to date."""

    def announce(self, announcement: Announcement) -> str | None:
        """Send or update; None, or a warning. Never raises and never takes longer than 5 seconds."""
        ...
