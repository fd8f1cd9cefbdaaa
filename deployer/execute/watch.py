"""Follows a rollout until it is complete, will not heal, takes too long, or is told to stop."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from threading import Event
from typing import Literal

from deployer.errors import UnreachableError
from deployer.events import RolloutProgress, Sink
from deployer.execute.look import Watcher
from deployer.execute.ports import Cluster
from deployer.model import Json, ObjectKey, RolloutSettings, Target, WorkloadState
from deployer.plan.manifests import PreparedManifests, is_hook, object_key

INTERVAL = 1.0
"""Seconds between two looks at the cluster."""

UNREACHABLE_PATIENCE = 30.0
"""Seconds for which an API server that does not answer is asked again."""


@dataclass(frozen=True)
class WatchResult:
    """How a watch ended. `seconds` is how long it took."""

    ended: Literal["ready", "failed", "timeout", "stopped"]
    workloads: tuple[WorkloadState, ...]
    seconds: float

    @property
    def ready(self) -> bool:
        """Whether everything is as it should be."""
        return self.ended == "ready"

    @property
    def reason(self) -> str:
        """Why it is not ready, in one sentence; empty when it is."""
        if self.ready:
            return ""
        wanted = "failed" if self.ended == "failed" else None
        culprits = [one for one in self.workloads if one.verdict == wanted or (not wanted and one.verdict != "ready")]
        said = "; ".join(
            f"{one.key} {one.reason}" if _continues(one) else f"{one.key}: {one.reason}" for one in culprits
        )
        if self.ended == "timeout":
            return f"not ready after {self.seconds:.0f} s" + (f": {said}" if said else "")
        return said or "the watch was stopped"


def observe(
    cluster: Cluster,
    prepared: PreparedManifests,
    policy: RolloutSettings,
    live: Mapping[ObjectKey, Json | None] | None = None,
) -> tuple[WorkloadState, ...]:
    """How far the release's objects are at this moment, in one look.

    `live` saves asking again for objects that were just read. Hooks are left out: they are there only while Helm runs.
    """
    watcher = Watcher(cluster, _keys(prepared.objects, prepared.namespace), prepared.namespace, policy)
    return watcher.look(time.monotonic(), live)


def watch(
    cluster: Cluster,
    manifests: Sequence[Json],
    namespace: str,
    policy: RolloutSettings,
    sink: Sink,
    target: Target,
    *,
    stop: Event,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], object] | None = None,
    remove: Callable[[ObjectKey], object] | None = None,
) -> WatchResult:
    """Look about once a second until every object is ready, any has failed, or `policy.timeout` seconds are over.

    Emits RolloutProgress whenever something has changed. A cluster that does not answer is asked again for a while;
    raises UnreachableError when it stays silent. Without a readiness probe a container has to go on running for
    `policy.stable` seconds. `sleep` waits between two looks (default: until `stop` is set).
    `remove` deletes a pod (its key): a broken one of an earlier revision that holds up a StatefulSet's update.
    """
    sleep = sleep or stop.wait
    watcher = Watcher(cluster, _keys(manifests, namespace), namespace, policy, remove, settles=True)
    began = answered = clock()
    states: tuple[WorkloadState, ...] = ()
    while True:
        now = clock()
        try:
            seen = watcher.look(now)
        except UnreachableError:
            if now - answered >= UNREACHABLE_PATIENCE:
                raise
        else:
            answered = now
            if seen != states:
                sink.emit(RolloutProgress(target, seen))
            states = seen
            if all(state.verdict == "ready" for state in states):
                return WatchResult("ready", states, now - began)
            if any(state.verdict == "failed" for state in states):
                return WatchResult("failed", states, now - began)
        if stop.is_set():
            return WatchResult("stopped", states, now - began)
        if now - began >= policy.timeout:
            return WatchResult("timeout", states, now - began)
        sleep(INTERVAL)


class HookWatch:
    """Watches the Jobs that Helm runs as hooks, for which it would wait until its own timeout.

    Make it before Helm starts: what exists then is of an earlier run and does not count. `run` goes beside Helm.
    """

    def __init__(self, cluster: Cluster, manifests: Sequence[Json], namespace: str, policy: RolloutSettings) -> None:
        keys = [object_key(manifest, namespace) for manifest in manifests if is_hook(manifest)]
        keys = [key for key in keys if key.kind in ("Job", "Pod")]
        self._watcher = Watcher(cluster, keys, namespace, policy)
        self._watcher.forget_present()
        self._any = bool(keys)

    def run(
        self,
        sink: Sink,
        target: Target,
        *,
        stop: Event,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], object] | None = None,
    ) -> WorkloadState | None:
        """The first hook that has failed or will not heal; None once `stop` is set (Helm has ended) or without any."""
        sleep = sleep or stop.wait
        states: tuple[WorkloadState, ...] = ()
        while self._any and not stop.is_set():
            # A cluster that does not answer is Helm's affair: it asks the same one and has the last word on it.
            seen = states if (found := self._look(clock())) is None else found
            if seen != states:
                sink.emit(RolloutProgress(target, seen))
            states = seen
            if failed := _first_failed(states):
                return failed
            sleep(INTERVAL)
        return None

    def last_look(self, clock: Callable[[], float] = time.monotonic) -> WorkloadState | None:
        """The hook over which Helm has failed, if it is one: Helm may see it before `run` does, and tells less."""
        return _first_failed(self._look(clock()) or ()) if self._any else None

    def _look(self, now: float) -> tuple[WorkloadState, ...] | None:
        """The hooks that exist by now; None when the cluster does not answer."""
        try:
            return tuple(state for state in self._watcher.look(now) if state.reason != "does not exist yet")
        except UnreachableError:
            return None


def _first_failed(states: Sequence[WorkloadState]) -> WorkloadState | None:
    return next((state for state in states if state.verdict == "failed"), None)


def _keys(manifests: Sequence[Json], namespace: str) -> list[ObjectKey]:
    return [object_key(manifest, namespace) for manifest in manifests if not is_hook(manifest)]


def _continues(state: WorkloadState) -> bool:
    """Whether the reason reads on from the object's name (`Job/migrate is suspended`)."""
    return state.reason.split(" ", 1)[0] in ("is", "has", "made", "does")
