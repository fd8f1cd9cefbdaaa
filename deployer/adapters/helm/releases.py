"""Releases of one cluster, as the port `Releases` asks for them."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import asdict, replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from deployer.adapters.helm.conversion import converted
from deployer.adapters.helm.encoding import DEPLOYMENT_ID, VERIFIED
from deployer.adapters.helm.heads import heads
from deployer.adapters.helm.program import Kubeconfig, Program
from deployer.adapters.helm.refusals import HelmRefused, held, is_pending, is_removed_api, readable, refusal
from deployer.adapters.helm.storage import SecretStore, Storage, label_value
from deployer.errors import DeployError, InterruptedBySignal, UnreachableError
from deployer.events import OutputLine, Silence, Sink
from deployer.execute.ports import ReleaseRequest
from deployer.model import DeploymentRecord, Ending, Json, Revision
from deployer.model.status import ReleaseHead

if TYPE_CHECKING:
    from deployer.adapters.helm.command import HelmCommand

CHART = Path(__file__).parents[2] / "chart"
HISTORY = 10
_GOOD = 2
"""Verified revisions that stay, whatever came after them: what runs, and what one step back leads to."""

_MARGIN = 60.0
"""Seconds that helm gets beyond the timeout that it was told, which counts for each hook by itself."""

T = TypeVar("T")


class HelmReleases:
    """Helm's releases in one cluster: read from `secrets` (the cluster's own API), changed by the helm program.

    `helm` gives the program's path, asked only when something is changed; `kubeconfig` is a file, the content of one, a
    call that gives either, or None for kubectl's own choice; `directory` is private to us and holds helm's caches;
    `environment` is what a credential plugin needs beyond the ordinary; `mask` hides secrets in what helm says;
    `convert` brings a manifest of a removed API to today's (without it, a stored release with such a manifest cannot be
    upgraded); `history` is how many revisions helm keeps.
    """

    def __init__(
        self,
        secrets: SecretStore,
        helm: Callable[[], Path],
        *,
        directory: Path,
        kubeconfig: Kubeconfig | Callable[[], Kubeconfig] | None = None,
        context: str | None = None,
        environment: Mapping[str, str] | None = None,
        mask: Callable[[str], str] = str,
        convert: Callable[[Json], Json] | None = None,
        history: int = HISTORY,
    ) -> None:
        self._secrets = secrets
        self._storage = Storage(secrets)
        self._program = Program(
            helm, kubeconfig=kubeconfig, context=context, directory=directory, environment=environment or {}
        )
        self._mask = mask
        self._convert = convert
        self._history = history

    def revisions(self, name: str, namespace: str) -> tuple[Revision, ...]:
        """All stored revisions, newest first; empty when there is no such release."""
        return self._storage.revisions(name, namespace)

    def heads(self, namespace: str, names: Collection[str] | None = None) -> Mapping[str, ReleaseHead]:
        """Of each release in a namespace, or of each of `names`, the newest revision and the newest verified one."""
        return heads(self._secrets, namespace, names)

    def upgrade(self, request: ReleaseRequest, sink: Sink) -> int:
        """Install or upgrade without waiting for pods; the new revision's number. It begins as not verified.

        Raises HeldError when a revision is pending, ConfigurationError when the cluster refuses a manifest,
        UnreachableError, DeploymentFailed for hooks and all else, InterruptedBySignal after `stop`.
        """
        self._make_room(request.name, request.namespace, self.revisions(request.name, request.namespace))
        values: Json = {"manifests": list(request.manifests), "record": asdict(request.record)}
        if request.before:
            values["before"] = list(request.before)
        description = " ".join(
            str(part) for part in (request.record.version or request.record.tag, f"({request.record.who})") if part
        )
        return self._change(
            "upgrade",
            request.name,
            request.namespace,
            lambda helm: helm.upgrade_release(
                request.name,
                request.namespace,
                CHART,
                values,
                labels={VERIFIED: "false", DEPLOYMENT_ID: label_value(request.record.deployment_id)},
                description=description,
                timeout=request.timeout,
                take_over=request.take_over,
            ),
            timeout=request.timeout,
            sink=sink,
        )

    def rollback(
        self, name: str, namespace: str, to: int, *, timeout: float, record: DeploymentRecord | None = None
    ) -> int:
        """Roll back to a revision; the number of the new revision that this makes. It begins as not verified.

        The new revision gets `record` in the place of the old one's, also when Helm fails after it has made it. Of a
        pending revision it is then written down that it failed.
        """
        revisions = self.revisions(name, namespace)
        before = self._newest(name, namespace, revisions)
        self._make_room(name, namespace, revisions, to)
        try:
            self._change(
                "rollback",
                name,
                namespace,
                lambda helm: helm.roll_back(name, namespace, to, timeout=timeout),
                timeout=timeout,
            )
        except DeployError:
            with contextlib.suppress(DeployError):
                left = self._newest(name, namespace, self.revisions(name, namespace))
                if left is not None and before is not None and left.number > before.number:
                    self._storage.attribute(name, namespace, left.number, record)
            raise
        made = self.revisions(name, namespace)[0].number
        self._storage.attribute(name, namespace, made, record)
        if before is not None and before.status.startswith("pending"):
            self._storage.fail(name, namespace, before.number)  # no history shall call it pending for ever
        return made

    def _newest(self, name: str, namespace: str, revisions: Sequence[Revision]) -> Revision | None:
        """The newest revision; where it is a rollback that ended halfway, its manifest is made what is in the cluster.

        Helm takes away what the newest revision has and the next one has not. A rollback's revision is the copy of an
        old one, and knows nothing of what the one that was to be left has brought.
        """
        if not revisions:
            return None
        newest = revisions[0]
        if newest.is_unfinished_rollback and not newest.before and len(revisions) > 1:
            self._storage.rebase(name, namespace, newest.number, revisions[1].number)
        return newest

    def _make_room(self, name: str, namespace: str, revisions: Sequence[Revision], to: int | None = None) -> None:
        """Delete old revisions before Helm does so by age alone: what was good may be older than many that were not."""
        good = [one.number for one in revisions if one.verified][:_GOOD]
        deployed = [one.number for one in revisions if one.status == "deployed"][:1]
        needed = {revisions[0].number, *good, *deployed, to} if revisions else set()
        surplus = len(revisions) - (self._history - 1)
        spare = [one.number for one in reversed(revisions) if one.number not in needed]
        for number in spare[: max(0, surplus)]:
            self._storage.drop(name, namespace, number)

    def uninstall(self, name: str, namespace: str, *, timeout: float) -> None:
        """Remove the release; what is annotated to be kept (claimed volumes) stays. No release is no error."""
        self._change(
            "uninstall",
            name,
            namespace,
            lambda helm: helm.uninstall_release(name, namespace, timeout=timeout),
            timeout=timeout,
        )

    def mark(self, name: str, namespace: str, revision: int, *, verified: bool, ended: Ending | None = None) -> None:
        """Write our own mark on a stored revision."""
        self._storage.mark(name, namespace, revision, verified=verified, ended=ended)

    def keep(self, name: str, namespace: str, revision: int, until: datetime | None) -> None:
        """Write down until when a branch's revision is kept (None: for ever), where there was nothing to change."""
        self._storage.keep(name, namespace, revision, until)

    def settle(self, name: str, namespace: str, revision: int) -> None:
        """Drop what a revision keeps of the objects that it took over: it is good now."""
        self._storage.settle(name, namespace, revision)

    def forget(self, name: str, namespace: str) -> None:
        """Delete all that Helm has stored of a release, and nothing that belongs to it."""
        self._storage.forget(name, namespace)

    def stop(self) -> None:
        """Ask a running helm process to stop (SIGTERM: Helm marks the release as failed). Callable from any thread."""
        self._program.stop()

    def repair(
        self, name: str, namespace: str, *, timeout: float, record: DeploymentRecord | None = None
    ) -> str | None:
        """Free a release that an interrupted run left pending; what was done, None when nothing was pending.

        Half of a revision may be in the cluster, so the newest one that was complete is brought back: only from there
        does the next upgrade see what it has to remove. An interrupted first installation is taken away, since its
        hooks would not run again otherwise. Neither is done where it had taken over objects: Helm would delete them.
        """
        revisions = self.revisions(name, namespace)
        if not revisions or not revisions[0].status.startswith("pending"):
            return None
        pending, *earlier = revisions
        complete = next((each for each in earlier if each.verified), None) or next(
            (each for each in earlier if each.status in ("deployed", "superseded")), None
        )
        was = f"revision {pending.number} was left {pending.status}"
        if pending.before:
            self._storage.fail(name, namespace, pending.number)
            return f"{was}: marked as failed, since it had taken over what was there before"
        if not earlier:
            self.uninstall(name, namespace, timeout=timeout)
            return f"{was}: uninstalled, since it was the first"
        if complete is not None:
            try:
                ours = replace(record.restoring(complete), action="repair") if record else None
                made = self.rollback(name, namespace, complete.number, timeout=timeout, record=ours)
            except (UnreachableError, InterruptedBySignal):
                raise
            except DeployError as error:
                # It is worth more that the next upgrade may try.
                was += f", rolling back to revision {complete.number} failed ({error.what})"
            else:
                return f"{was}: rolled back to revision {complete.number}, as revision {made}"
        self._storage.fail(name, namespace, self.revisions(name, namespace)[0].number)
        return f"{was}: marked as failed"

    def _change(
        self,
        action: str,
        name: str,
        namespace: str,
        work: Callable[[HelmCommand], T],
        *,
        timeout: float,
        sink: Sink | None = None,
    ) -> T:
        try:
            return self._attempt(work, timeout, sink or Silence())
        except HelmRefused as error:
            refused = error
        if is_removed_api(refused.stderr) and self._convert_stored(name, namespace):
            try:
                return self._attempt(work, timeout, sink or Silence())
            except HelmRefused as error:
                refused = error
        if is_pending(refused.stderr):
            raise held(next(iter(self.revisions(name, namespace)), None))
        raise refusal(action, refused.stderr, self._mask)

    def _attempt(self, work: Callable[[HelmCommand], T], timeout: float, sink: Sink) -> T:
        from deployer.adapters.helm.command import HelmCommand

        def run(arguments: Sequence[str], stdin: bytes | None) -> tuple[int, str, str]:
            return self._program.run(
                arguments,
                stdin,
                timeout=2 * timeout + _MARGIN,
                on_line=lambda line: sink.emit(OutputLine("helm", self._mask(readable(line)))),
            )

        return work(HelmCommand(run, server_side=self._program.major() >= 4, history=self._history))

    def _convert_stored(self, name: str, namespace: str) -> bool:
        """Bring the stored manifests to APIs that the cluster has; whether there was anything to bring."""
        if self._convert is None:
            return False
        convert = self._convert
        return bool(self._storage.convert(name, namespace, lambda manifest: converted(manifest, convert)))
