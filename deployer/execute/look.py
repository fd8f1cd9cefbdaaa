"""One look at the objects of a release, with as few questions to the API server as tell enough."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime

from deployer.execute.ports import Cluster
from deployer.model import Json, ObjectKey, RolloutSettings, WorkloadState
from deployer.plan.readiness import (
    OWNED,
    RUNNING,
    WATCHED,
    Judge,
    Observed,
    Sightings,
    assess,
    blocking_pods,
    unprobed,
    unstable,
)

_EVENTS_AFTER = 2.0
"""Seconds that something has to be unready before events are asked for, and between two times."""

_EVENTS_OF = 20
"""Pods whose events are asked for at most."""

_WITH_PODS = RUNNING - {"Pod"}


class Watcher:
    """Looks at a set of objects again and again, and remembers what must be remembered in between.

    `remove` deletes a broken pod of an earlier revision that would hold up a StatefulSet's update for ever; without it
    such an update counts as failed. With `settles` a container that no readiness probe asks has to go on running for
    `policy.stable` seconds before its workload counts as ready.
    """

    def __init__(
        self,
        cluster: Cluster,
        keys: Sequence[ObjectKey],
        namespace: str,
        policy: RolloutSettings,
        remove: Callable[[ObjectKey], object] | None = None,
        *,
        settles: bool = False,
    ) -> None:
        self._cluster = cluster
        self._keys = tuple(keys)
        self._namespace = namespace
        self._policy = policy
        self._remove = remove
        self._settles = settles
        self._sightings = Sightings()
        self._settled: dict[ObjectKey, WorkloadState] = {}
        self._events: dict[ObjectKey, Mapping[str, Sequence[Json]]] = {}
        self._asked: dict[ObjectKey, float] = {}
        self._forgotten: frozenset[str] = frozenset()

    def forget_present(self) -> None:
        """From now on the objects that exist at this moment count as not there."""
        present = [self._cluster.get(key) for key in self._keys]
        self._forgotten = frozenset(str(live["metadata"].get("uid")) for live in present if live)

    def look(self, now: float, live: Mapping[ObjectKey, Json | None] | None = None) -> tuple[WorkloadState, ...]:
        """The state of every object, in their order; `live` holds objects that were just read."""
        judge = Judge(self._policy, now, self._sightings)
        return tuple(self._settled.get(key) or self._look_at(key, judge, live or {}) for key in self._keys)

    def _look_at(self, key: ObjectKey, judge: Judge, known: Mapping[ObjectKey, Json | None]) -> WorkloadState:
        live = known[key] if key in known else self._cluster.get(key)
        if live is not None and str(live["metadata"].get("uid")) in self._forgotten:
            live = None
        state = assess(key, Observed(live), judge)
        if state.verdict == "ready":
            if key.kind not in WATCHED:
                self._settled[key] = state
            why = self._unsettled(key, live, judge) if live else ""
            return replace(state, verdict="progressing", reason=why) if why else state
        if live is None:
            return state
        pods, owned = self._pods(key, live), self._owned(key, live)
        self._unsettled(key, live, judge, pods)  # what runs already, beside what isn't ready yet, counts from now on
        if self._events_due(key, judge):
            self._events[key] = self._ask_events(live, pods)
        observed = Observed(live, pods, owned, self._events.get(key, {}))
        if self._remove is not None and key.kind == "StatefulSet":
            observed = self._unblock(live, observed, judge, self._remove)
        return assess(key, observed, judge)

    def _unsettled(self, key: ObjectKey, live: Json, judge: Judge, pods: Sequence[Json] | None = None) -> str:
        """Why what looks ready isn't trusted yet; empty when it is. `pods` are its own where they were just read."""
        names = unprobed(key.kind, live) if self._settles and self._policy.stable > 0 else None
        if not names:
            return ""
        if key.kind == "Pod":
            pods = [live]
        return unstable(names, self._pods(key, live) if pods is None else pods, judge, datetime.now(UTC))

    def _unblock(self, live: Json, observed: Observed, judge: Judge, remove: Callable[[ObjectKey], object]) -> Observed:
        blocking = {pod.name for pod in blocking_pods(live, observed, judge)}
        for name in sorted(blocking):
            remove(ObjectKey("v1", "Pod", self._namespace, name))
        return replace(observed, pods=[pod for pod in observed.pods if pod["metadata"]["name"] not in blocking])

    def _pods(self, key: ObjectKey, live: Json) -> Sequence[Json]:
        labels = _selector(live)
        if key.kind not in _WITH_PODS or not labels:
            return ()
        return self._cluster.list("v1", "Pod", self._namespace, labels)

    def _owned(self, key: ObjectKey, live: Json) -> Sequence[Json]:
        if key.kind not in OWNED:
            return ()
        return self._cluster.list(*OWNED[key.kind], self._namespace, _selector(live))

    def _events_due(self, key: ObjectKey, judge: Judge) -> bool:
        """Events tell why nothing happens; they cost a question more, so only once nothing has happened for a moment.

        A claim is asked at once: nothing else says that it waits, as it should, for its first pod.
        """
        unready = judge.age(str(key), "unready")
        asked = self._asked.get(key)
        due = asked is None or judge.now - asked >= _EVENTS_AFTER
        if due and (unready >= _EVENTS_AFTER or key.kind == "PersistentVolumeClaim"):
            self._asked[key] = judge.now
            return True
        return False

    def _ask_events(self, live: Json, pods: Sequence[Json]) -> Mapping[str, Sequence[Json]]:
        unready = [pod for pod in pods if not _is_ready(pod)][:_EVENTS_OF]
        uids = [str(content["metadata"].get("uid")) for content in (live, *unready)]
        found: dict[str, list[Json]] = {}
        for event in self._cluster.events(self._namespace, uids):
            subject = event.get("involvedObject") or event.get("regarding") or {}
            found.setdefault(str(subject.get("uid")), []).append(event)
        return found


def _selector(live: Json) -> Mapping[str, str]:
    """The labels by which a workload chooses its pods; those of its template where it chooses by expressions only."""
    spec = live.get("spec") or {}
    selector = spec.get("selector") or {}
    labels = selector.get("matchLabels") if "matchLabels" in selector or "matchExpressions" in selector else selector
    template = (spec.get("template") or {}).get("metadata") or {}
    return labels or template.get("labels") or {}


def _is_ready(pod: Json) -> bool:
    conditions = (pod.get("status") or {}).get("conditions") or ()
    return any(item.get("type") == "Ready" and item.get("status") == "True" for item in conditions)
