"""Keeps what a failure leaves behind, before anything is rolled back: events, container states, last log lines."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import ParamSpec, TypeVar

from deployer.execute.ports import Cluster
from deployer.model import ContainerEvidence, Evidence, Json, ObjectKey, PodState, WorkloadState
from deployer.plan.readiness.containers import ended
from deployer.plan.readiness.evidence import clip, uid
from deployer.plan.readiness.pods import container_statuses
from deployer.plan.readiness.workloads import newest_replica_set

LOG_LINES = 20
_LINE_LENGTH = 1000
_PODS = 6
_PODS_OF_A_WORKLOAD = 3
_CONTAINERS = 8
_EVENTS = 20
_SECOND = len("2026-11-21T07:09:05")

P = ParamSpec("P")
T = TypeVar("T")


def collect(
    cluster: Cluster,
    namespace: str,
    workloads: Sequence[WorkloadState],
    *,
    seconds: float = 15.0,
    clock: Callable[[], float] = time.monotonic,
) -> Evidence:
    """Everything that the cluster tells of the workloads that aren't ready, within about `seconds`.

    Never raises: what cannot be read is left out, since nothing may hide the failure itself.
    """
    return _Collector(cluster, namespace, clock, clock() + seconds).collect(tuple(workloads))


class _Collector:
    def __init__(self, cluster: Cluster, namespace: str, clock: Callable[[], float], deadline: float) -> None:
        self._cluster = cluster
        self._namespace = namespace
        self._clock = clock
        self._deadline = deadline

    def collect(self, workloads: tuple[WorkloadState, ...]) -> Evidence:
        unready = [workload for workload in workloads if workload.verdict != "ready"]
        pods = [pod for state in _telling_pods(unready) if (pod := self._pod(state)) is not None]
        containers = tuple(self._containers(pods))
        return Evidence(workloads, self._events(unready, pods), containers)

    def _pod(self, state: PodState) -> Json | None:
        return self._try(None, self._cluster.get, ObjectKey("v1", "Pod", self._namespace, state.name))

    def _containers(self, pods: Iterable[Json]) -> Iterator[ContainerEvidence]:
        """The containers that aren't well, failing ones first, none said twice of one pod."""
        found = [(pod, status) for pod in pods for status, _ in container_statuses(pod) if not _is_well(status)]
        for pod, status in found[:_CONTAINERS]:
            name, pod_name = str(status.get("name")), str(pod["metadata"]["name"])
            yield ContainerEvidence(pod_name, name, container_words(status), self._log(pod_name, name, status))

    def _log(self, pod: str, container: str, status: Json) -> tuple[str, ...]:
        """The last lines of the instance that crashed, or of the one that runs when there was none before."""
        state = status.get("state") or {}
        never_ran = "running" not in state and not state.get("terminated") and not status.get("restartCount")
        if never_ran and not (status.get("lastState") or {}).get("terminated"):
            return ()
        crashed = bool((status.get("lastState") or {}).get("terminated")) and not state.get("terminated")
        for previous in (True, False) if crashed else (False,):
            lines = self._try((), self._tail, pod, container, previous)
            if lines:
                return tuple(line[:_LINE_LENGTH] for line in lines[-LOG_LINES:])
        return ()

    def _tail(self, pod: str, container: str, previous: bool) -> tuple[str, ...]:
        return self._cluster.log(self._namespace, pod, container, lines=LOG_LINES, previous=previous)

    def _events(self, workloads: Sequence[WorkloadState], pods: Sequence[Json]) -> tuple[str, ...]:
        uids = [uid(pod) for pod in pods]
        began: dict[str | None, str] = {}
        for workload in workloads:
            live = self._try(None, self._cluster.get, workload.key)
            if live is None:
                continue
            uids.append(uid(live))
            if workload.key.kind == "Deployment":
                current = newest_replica_set(live, self._replica_sets())
                if current is not None:
                    uids.append(uid(current))
                    began[uid(live)] = str(current["metadata"].get("creationTimestamp") or "")
        known = [one for one in uids if one]
        found = self._try((), self._cluster.events, self._namespace, known) if known else ()
        return event_lines(one for one in found if _when(one)[:_SECOND] >= began.get(_subject(one), "")[:_SECOND])

    def _replica_sets(self) -> Sequence[Json]:
        return self._try((), self._cluster.list, "apps/v1", "ReplicaSet", self._namespace)

    def _try(self, default: T, ask: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        if self._clock() >= self._deadline:
            return default
        try:
            return ask(*args, **kwargs)
        except Exception:  # noqa: BLE001 - whatever goes wrong here, the failure itself must still be reported
            return default


def _telling_pods(workloads: Sequence[WorkloadState]) -> list[PodState]:
    """A few pods of each workload, those that have failed first: more of the same kind tell nothing more."""
    severity = {"failed": 0, "waiting": 1, "progressing": 2, "ready": 3}
    pods: list[PodState] = []
    for workload in workloads:
        unready = sorted((pod for pod in workload.pods if not pod.ready), key=lambda pod: severity[pod.verdict])
        pods += unready[:_PODS_OF_A_WORKLOAD]
    return sorted(pods, key=lambda pod: severity[pod.verdict])[:_PODS]


def _subject(event: Json) -> str | None:
    """The uid of what an event is about."""
    found = (event.get("involvedObject") or event.get("regarding") or {}).get("uid")
    return found if isinstance(found, str) else None


def _is_well(status: Json) -> bool:
    terminated = (status.get("state") or {}).get("terminated")
    return bool(status.get("ready")) or (terminated is not None and terminated.get("exitCode") == 0)


def container_words(status: Json) -> str:
    """A container's state in words: what it does now, how it ended before, how often it was restarted."""
    state, last = status.get("state") or {}, (status.get("lastState") or {}).get("terminated")
    parts = []
    if waiting := state.get("waiting"):
        message = clip(str(waiting.get("message") or ""))
        parts.append(f"waiting ({waiting.get('reason') or 'for its turn'}{f': {message}' if message else ''})")
    elif terminated := state.get("terminated"):
        parts.append(_ended_words(terminated))
    elif "running" in state:
        parts.append("running, not ready")
    if last:
        parts.append(f"before that it {_ended_words(last)}")
    if restarts := status.get("restartCount"):
        parts.append(f"restarted {restarts} {'time' if restarts == 1 else 'times'}")
    return "; ".join(parts) or "not started"


def _ended_words(terminated: Json) -> str:
    message, reason = clip(str(terminated.get("message") or "")), terminated.get("reason")
    said = ended(terminated)
    if reason and reason not in ("Error", "Completed") and str(reason) not in said:
        said += f" ({reason})"
    return f"{said}: {message}" if message else said


def event_lines(events: Iterable[Json]) -> tuple[str, ...]:
    """Events as lines, at most 20: warnings first, in each part the newest last; the same told once, with its count."""
    merged: dict[tuple[str, str, str, str], tuple[str, int, str]] = {}
    for event in events:
        subject = event.get("involvedObject") or event.get("regarding") or {}
        kind, name = str(subject.get("kind") or "?"), str(subject.get("name") or "?")
        message = clip(str(event.get("message") or event.get("note") or ""), 400)
        if not message:
            continue
        same = _without_names(message, name, str(subject.get("uid") or name))
        key = (str(event.get("type") or "Normal"), str(event.get("reason") or ""), kind, same)
        when, count, first = merged.get(key, ("", 0, f"{kind}/{name}: {message}"))
        merged[key] = (max(when, _when(event)), count + _count(event), first)
    ordered = sorted(merged.items(), key=lambda item: item[1][0])
    warnings = [_line(key, value) for key, value in ordered if key[0] == "Warning"][-_EVENTS:]
    others = [_line(key, value) for key, value in ordered if key[0] != "Warning"]
    room = _EVENTS - len(warnings)
    return (*warnings, *(others[-room:] if room else ()))


def _without_names(message: str, name: str, uid: str) -> str:
    """The message without what differs between pods of the same sort."""
    text = message.removeprefix("(combined from similar events): ").replace(uid, "…")
    return re.sub(rf"{re.escape(name)}(-[a-z0-9]{{5}})?", "…", text)


def _line(key: tuple[str, str, str, str], value: tuple[str, int, str]) -> str:
    _, count, text = value
    return f"{key[0]} {key[1]}{f' ({count} times)' if count > 1 else ''} {text}"


def _when(event: Json) -> str:
    """When it was last seen; ISO 8601 in UTC, so that texts compare as times do."""
    series = (event.get("series") or {}).get("lastObservedTime")
    return str(series or event.get("lastTimestamp") or event.get("eventTime") or event.get("firstTimestamp") or "")


def _count(event: Json) -> int:
    count = (event.get("series") or {}).get("count") or event.get("count") or event.get("deprecatedCount") or 1
    return count if isinstance(count, int) else 1
