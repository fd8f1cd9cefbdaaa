"""Judges pods: what each one is doing, in kubectl's words, and whether it will become ready."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence

from deployer.model import Json, PodState
from deployer.plan.readiness.containers import MISSING_PATIENCE, container_trouble, ended
from deployer.plan.readiness.evidence import Judge, Trouble, clip, condition, uid, worst

_MISSING_VOLUME = re.compile(
    r'(secret|configmap) "[^"]+" not found|references non-existent (secret|config) key', re.IGNORECASE
)

_AFTER_VOLUMES = frozenset({"Pulling", "Pulled", "Created", "Started"})
"""Reasons of events that tell of a pod whose volumes are mounted."""


def live_pods(pods: Iterable[Json]) -> list[Json]:
    """The pods that count: not on their way out, and not ended (an evicted pod is replaced by its controller)."""
    return [
        pod
        for pod in pods
        if not pod["metadata"].get("deletionTimestamp")
        and (pod.get("status") or {}).get("phase") not in ("Failed", "Succeeded")
    ]


def judge_pods(
    pods: Iterable[Json], judge: Judge, events: Mapping[str, Sequence[Json]], *, counts_crashes: bool = True
) -> tuple[PodState, ...]:
    """The states of pods, by name."""
    states = (judge_pod(pod, judge, events.get(uid(pod), ()), counts_crashes=counts_crashes) for pod in pods)
    return tuple(sorted(states, key=lambda state: state.name))


def judge_pod(pod: Json, judge: Judge, events: Sequence[Json] = (), *, counts_crashes: bool = True) -> PodState:
    """One pod. `events` are about it, oldest first."""
    ready = (condition(pod, "Ready") or {}).get("status") == "True"
    found = worst([] if ready else list(_troubles(pod, judge, events, counts_crashes=counts_crashes)))
    verdict, reason = found or (("ready", "") if ready else ("progressing", ""))
    return PodState(pod["metadata"]["name"], pod_word(pod), ready, restarts(pod), verdict, reason)


def restarts(pod: Json) -> int:
    """How often the pod's containers were restarted, all together."""
    return sum(int(status.get("restartCount") or 0) for status, _ in container_statuses(pod))


def container_statuses(pod: Json) -> Iterator[tuple[Json, Json]]:
    """Every container's status with its part of the spec, init containers first."""
    status, spec = pod.get("status") or {}, pod.get("spec") or {}
    for statuses, containers in (
        ("initContainerStatuses", "initContainers"),
        ("containerStatuses", "containers"),
    ):
        by_name = {container.get("name"): container for container in spec.get(containers) or ()}
        for one in status.get(statuses) or ():
            yield one, by_name.get(one.get("name")) or {}


def _troubles(pod: Json, judge: Judge, events: Sequence[Json], *, counts_crashes: bool) -> Iterator[Trouble]:
    scheduled = condition(pod, "PodScheduled") or {}
    if scheduled.get("status") == "False":
        yield _unscheduled(pod, scheduled, judge)
        return
    if (pod.get("status") or {}).get("phase") == "Failed":
        yield "failed", failure(pod)
        return
    failing = _failing_probes(events)
    init_names = {container.get("name") for container in (pod.get("spec") or {}).get("initContainers") or ()}
    for status, spec in container_statuses(pod):
        terminated = (status.get("state") or {}).get("terminated")
        if terminated and terminated.get("exitCode") == 0 and (status.get("name") in init_names or not counts_crashes):
            continue
        if trouble := container_trouble(
            uid(pod), status, spec, judge, counts_crashes=counts_crashes, probe=failing.get(str(status.get("name")), "")
        ):
            yield trouble
    yield from _from_events(pod, judge, events)


def _unscheduled(pod: Json, scheduled: Json, judge: Judge) -> Trouble:
    if scheduled.get("reason") == "SchedulingGated":
        return "waiting", "the pod waits for its scheduling gates to be opened"
    message = clip(str(scheduled.get("message") or "no node fits").partition(" preemption:")[0]).rstrip(" .,")
    age = judge.age(uid(pod), "unscheduled")
    said = f"the pod cannot be scheduled: {message}"
    return ("failed" if age >= judge.policy.unschedulable_grace else "waiting"), said


def _from_events(pod: Json, judge: Judge, events: Sequence[Json]) -> Iterator[Trouble]:
    """What only events tell: a volume whose Secret is missing, a probe's answer."""
    started = any("running" in (status.get("state") or {}) for status, _ in container_statuses(pod))
    last = next((event for event in reversed(events) if event.get("type") == "Warning"), None)
    if last is None:
        return
    message = clip(str(last.get("message") or ""))
    if last.get("reason") in ("FailedMount", "FailedAttachVolume") and not (started or _has_volumes(pod, events)):
        missing = _MISSING_VOLUME.search(message)
        if not missing:
            yield "progressing", f"a volume cannot be mounted yet: {message}"
        elif judge.age(uid(pod), "volume") < MISSING_PATIENCE:
            yield "progressing", f"a volume cannot be mounted: {missing[0]}"
        else:
            yield "failed", f"a volume cannot be mounted: {missing[0]}"
    elif last.get("reason") == "FailedCreatePodSandBox" and not started:
        yield "progressing", f"the pod's network cannot be set up yet: {message}"


def _has_volumes(pod: Json, events: Sequence[Json]) -> bool:
    """Whether the kubelet has gone on to images, which it does with all volumes mounted: earlier warnings are over.

    The condition is Kubernetes 1.29's; before it, only events tell.
    """
    if sandbox := condition(pod, "PodReadyToStartContainers"):
        return sandbox.get("status") == "True"
    return any(event.get("reason") in _AFTER_VOLUMES for event in events)


def _failing_probes(events: Sequence[Json]) -> Mapping[str, str]:
    """What probes last said of each container, by the container's name: `Readiness probe failed: …`."""
    found = {}
    for event in events:
        name = re.search(r"\{([^}]+)\}", str((event.get("involvedObject") or {}).get("fieldPath") or ""))
        if event.get("reason") == "Unhealthy" and name:
            found[name[1]] = clip(str(event.get("message") or ""), 160).rstrip(" :")
    return found


def failure(pod: Json) -> str:
    """Why a pod ended as failed."""
    for status, _ in container_statuses(pod):
        terminated = (status.get("state") or {}).get("terminated")
        if terminated and terminated.get("exitCode") != 0:
            return f"container {status.get('name')} {ended(terminated)}"
    status = pod.get("status") or {}
    words = ": ".join(clip(str(status[key])) for key in ("reason", "message") if status.get(key))
    return f"the pod failed{f' ({words})' if words else ''}"


def pod_word(pod: Json) -> str:
    """The pod's state in one word, as `kubectl get pods` prints it."""
    status, metadata = pod.get("status") or {}, pod["metadata"]
    word = str(status.get("reason") or status.get("phase") or "Pending")
    if metadata.get("deletionTimestamp") and status.get("phase") not in ("Failed", "Succeeded"):
        return "Terminating"
    specs = (pod.get("spec") or {}).get("initContainers") or ()
    sidecars = {container.get("name") for container in specs if container.get("restartPolicy") == "Always"}
    for index, one in enumerate(status.get("initContainerStatuses") or ()):
        state = one.get("state") or {}
        if (state.get("terminated") or {}).get("exitCode") == 0 and state.get("terminated"):
            continue
        if one.get("name") in sidecars and one.get("started"):
            continue
        inner = _state_word(state)
        return f"Init:{inner}" if inner and inner != "PodInitializing" else f"Init:{index}/{len(specs)}"
    words = [found for one in status.get("containerStatuses") or () if (found := _state_word(one.get("state") or {}))]
    if words and not (words[0] == "Completed" and len(words) < len(status["containerStatuses"])):
        return words[0]
    return word


def _state_word(state: Json) -> str:
    if waiting := state.get("waiting"):
        return str(waiting.get("reason") or "")
    if terminated := state.get("terminated"):
        if terminated.get("reason"):
            return str(terminated["reason"])
        signal = terminated.get("signal")
        return f"Signal:{signal}" if signal else f"ExitCode:{terminated.get('exitCode', 0)}"
    return ""
