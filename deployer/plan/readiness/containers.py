"""Judges one container of a pod: is it well, on its way, or in a state that will not heal?"""

from __future__ import annotations

import re

from deployer.model import Json
from deployer.plan.readiness.evidence import Judge, Trouble, clip
from deployer.plan.readiness.images import pull_problem

PULL_PATIENCE = 15.0
"""Seconds for the kubelet's second try (10 s after the first) where a pull failed for a reason that may pass."""

START_PATIENCE = 15.0
"""Seconds for a runtime that cannot create or start a container, for no reason that is known to stay."""

MISSING_PATIENCE = 5.0
"""Seconds for a Secret or ConfigMap that another controller may be making at this moment."""

_PULLING = frozenset({"ErrImagePull", "ImagePullBackOff", "ImageInspectError", "RegistryUnavailable"})
_STARTING = frozenset(
    {
        "CreateContainerError",
        "RunContainerError",
        "StartError",
        "ContainerCannotRun",
        "PreCreateHookError",
        "PreStartHookError",
        "PostStartHookError",
    }
)
_STAYS = (
    "executable file not found",
    "no such file or directory",
    "permission denied",
    "not a directory",
    "exec format error",
    "no command specified",
)
_PROBES = (("startupProbe", "startup"), ("readinessProbe", "readiness"))


def container_trouble(
    pod_uid: str, status: Json, spec: Json, judge: Judge, *, counts_crashes: bool, probe: str = ""
) -> Trouble | None:
    """What is the matter with a container that isn't ready; None when it is merely being made.

    `spec` is the container's part of the pod's spec. `counts_crashes` is False for pods of a Job, which has its own
    limit. `probe` is what a failing probe last said. A container that runs is never called crashed: when it crashes
    again it will show.
    """
    state = status.get("state") or {}
    if waiting := state.get("waiting"):
        return _waiting(pod_uid, status, waiting, judge, counts_crashes=counts_crashes)
    if terminated := state.get("terminated"):
        return _crashed(status, terminated, judge, counts_crashes=counts_crashes)
    if "running" in state and not status.get("ready"):
        return "progressing", _not_ready(status, spec, probe)
    return None


def ended(terminated: Json) -> str:
    """How a container ended, in words: `exited with code 1`."""
    if terminated.get("reason") == "OOMKilled":
        return "was killed because it used more memory than its limit (OOMKilled)"
    if signal := terminated.get("signal"):
        return f"was ended by signal {signal}"
    return f"exited with code {terminated.get('exitCode', 0)}"


def _waiting(pod_uid: str, status: Json, waiting: Json, judge: Judge, *, counts_crashes: bool) -> Trouble | None:
    name, image = status.get("name", "?"), status.get("image", "?")
    reason, message = str(waiting.get("reason") or ""), str(waiting.get("message") or "")
    if reason in _PULLING:
        cause, prospect = pull_problem(message)
        said = f"the image {image} of container {name} cannot be pulled: {cause}"
        late = judge.age(pod_uid, name, "pull") >= PULL_PATIENCE
        stays = prospect == "stays" or (prospect == "unknown" and reason == "ImagePullBackOff")
        return "failed" if late or stays else "progressing", said
    if reason == "InvalidImageName":
        return "failed", f"the image name {image} of container {name} is not valid"
    if reason == "ErrImageNeverPull":
        return "failed", f"the image {image} of container {name} is not on the node, and imagePullPolicy is Never"
    if reason == "CreateContainerConfigError":
        said = f"container {name} cannot start: {clip(message) or 'its configuration is wrong'}"
        if "failed to sync" in message or judge.age(pod_uid, name, "configuration") < MISSING_PATIENCE:
            return "progressing", said
        return "failed", said
    if reason in _STARTING:
        return _cannot_start(pod_uid, name, message, judge)
    if reason == "CrashLoopBackOff":
        return _crashed(
            status, (status.get("lastState") or {}).get("terminated") or {}, judge, counts_crashes=counts_crashes
        )
    return None


def _cannot_start(pod_uid: str, name: str, message: str, judge: Judge) -> Trouble:
    said = f"container {name} cannot start: {start_problem(message)}"
    stays = any(words in message for words in _STAYS)
    return ("failed" if stays or judge.age(pod_uid, name, "start") >= START_PATIENCE else "progressing"), said


def start_problem(message: str) -> str:
    """The runtime's message in fewer words: which command is missing, where it says so."""
    found = re.search(r'exec: \\?"([^"\\]+)\\?": (.+?)(: unknown)?$', " ".join(message.split()))
    if not found:
        return clip(message, 200) or "the runtime does not say why"
    command, why = found[1], found[2]
    if "not found" in why or "no such file" in why:
        return f"its command {command} does not exist in the image"
    return f"its command {command}: {clip(why, 120)}"


def _crashed(status: Json, terminated: Json, judge: Judge, *, counts_crashes: bool) -> Trouble | None:
    name, message = status.get("name", "?"), str(terminated.get("message") or "")
    if terminated.get("reason") in _STARTING and any(words in message for words in _STAYS):
        return "failed", f"container {name} cannot start: {start_problem(message)}"
    crashes = int(status.get("restartCount") or 0) + 1
    times = "" if crashes == 1 else f", {crashes} times"
    said = f"container {name} {ended(terminated)}{times}"
    if terminated.get("exitCode") == 0:
        said += ", but it should keep running"
    if counts_crashes and crashes > judge.policy.restart_allowance:
        return "failed", said
    return "progressing", said


def _not_ready(status: Json, spec: Json, probe: str) -> str:
    name = status.get("name", "?")
    restarts = int(status.get("restartCount") or 0)
    again = f" (restarted {restarts} times)" if restarts > 1 else " (restarted once)" if restarts else ""
    if probe:
        return f"container {name} runs, but: {probe}{again}"
    for field, word in _PROBES:
        if spec.get(field) is not None and not (word == "startup" and status.get("started")):
            return f"container {name} runs, but its {word} probe has not succeeded yet{again}"
    return f"container {name} runs and is not ready yet{again}"
