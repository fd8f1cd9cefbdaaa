"""Waits until Route 53's health checkers see a region healthy."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from threading import Event

from deployer.errors import DeploymentFailed, UnreachableError
from deployer.execute.dns_ports import Dns
from deployer.model.dns import HealthCheck, HealthStatus

_MARGIN = 30.0
"""Seconds that the checkers get beyond interval × threshold: their reports arrive late."""

_PAUSE = 2.0

_FEWEST = 4
"""More than 18 % of the 18 or so checkers: fewer cannot make an endpoint healthy, so fewer reports say nothing yet."""


class CheckersDisagree(DeploymentFailed):
    """Route 53's checkers do not see it healthy, or were not waited for since we were stopped."""


def agree(
    dns: Dns,
    check: HealthCheck,
    before: HealthStatus,
    stop: Event,
    *,
    clock: Callable[[], float] = time.monotonic,
    pause: float = _PAUSE,
) -> str:
    """Wait until the checkers, by looks that are newer than `before`, see the check's host healthy; how many do.

    A check that is disabled is not waited for: nobody looks. Raises CheckersDisagree after interval × threshold and a
    margin, or when stopped; UnreachableError when Route 53 does not tell.
    """
    config, began = check.config, clock()
    if config.disabled:
        return "its health check is disabled"
    patience = config.interval * config.failure_threshold + _MARGIN
    trouble = ""
    unreachable: UnreachableError | None = None
    while True:
        try:
            status = dns.status(check)
            known = frozenset(before.observations)
            fresh = HealthStatus(tuple(one for one in status.observations if one not in known))
            if _enough(fresh, status, before) and fresh.healthy:
                return f"{fresh.agreeing} of {len(fresh.observations)} checkers see it healthy"
            trouble, unreachable = _seen(fresh), None
        except UnreachableError as error:
            unreachable = error
        if stop.is_set():
            raise CheckersDisagree("stopped before Route 53's checkers agreed", where=config.host)
        if clock() - began >= patience:
            if unreachable is not None:
                raise unreachable
            raise CheckersDisagree(
                f"Route 53's checkers do not see {config.host} healthy",
                where=check.id,
                why=f"{trouble} ({patience:.0f} s long)",
                hint="they come from AWS's addresses: look whether a firewall lets them in",
            )
        stop.wait(pause)


def _enough(fresh: HealthStatus, status: HealthStatus, before: HealthStatus) -> bool:
    """Whether so many have looked anew that what they say counts."""
    all_of_them = max(len(before.observations), len(status.observations))
    return len(fresh.observations) >= max(_FEWEST, all_of_them / 2)


def _seen(status: HealthStatus) -> str:
    ill: Sequence[str] = sorted({one.text for one in status.observations if not one.healthy})
    if not status.observations:
        return "they have reported nothing new"
    return f"{status.agreeing} of {len(status.observations)} see it healthy; {'; '.join(ill[:3])}"
