"""Watches regions that have just been changed for a while, before others follow them."""

from __future__ import annotations

import time
from collections.abc import Callable
from threading import Event

from deployer.errors import DeployError, DeploymentFailed, UnreachableError
from deployer.execute.attempt import Attempt
from deployer.execute.look import Watcher
from deployer.execute.outside import health_url
from deployer.execute.ports import Probe
from deployer.plan.manifests import is_hook, object_key

PAUSE = 2.0
"""Seconds between two looks."""

_PATIENCE = 3
"""How many looks in a row may be bad: a probe that fails once is no failure yet, and clients are retried too."""


def bake(
    attempt: Attempt,
    seconds: float,
    *,
    over: Event,
    clock: Callable[[], float] = time.monotonic,
) -> DeployError | None:
    """Look at a region for a while; None when it stayed healthy or `over` was set, else what went wrong."""
    work = attempt.work
    keys = [object_key(manifest, work.namespace) for manifest in work.prepared.objects if not is_hook(manifest)]
    watcher = Watcher(work.ports.cluster, keys, work.namespace, work.settings.rollout)
    began = clock()
    bad = 0
    with attempt.phases("bake") as phase:
        while True:
            trouble, certain = _look(attempt, watcher, clock())
            bad = bad + 1 if trouble else 0
            if trouble and (certain or bad >= _PATIENCE):
                phase.detail = trouble
                return DeploymentFailed(f"{work.app.app_name} did not stay healthy", where=work.place, why=trouble)
            remaining = seconds - (clock() - began)
            if remaining <= 0 and not trouble:
                phase.detail = "stayed healthy"
                return None
            if over.wait(min(PAUSE, max(remaining, 0.2))):
                phase.detail = "ended early"
                return None


def _look(attempt: Attempt, watcher: Watcher, now: float) -> tuple[str | None, bool]:
    """What is wrong at this moment, if anything, and whether it is certain that it won't heal."""
    work = attempt.work
    try:
        attempt.workloads = watcher.look(now)
    except UnreachableError as error:
        return str(error), False
    for state in attempt.workloads:
        if state.verdict != "ready":
            return f"{state.key}: {state.reason or state.verdict}", state.verdict == "failed"
    host = work.host
    if host is None:
        return None, False
    try:
        address = work.entry_point(host)()
    except UnreachableError as error:
        return str(error), False
    if address is None:
        return "the Ingress has lost its load balancer", False
    probe = Probe(health_url(host, work.health), connect_to=address, search_string=work.health.search_string)
    return work.ports.prober.ask(probe), False
