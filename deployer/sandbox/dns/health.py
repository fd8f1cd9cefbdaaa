"""Judges health as Route 53 does: what each checker saw, what they say together, and what a record's health is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from deployer.sandbox.dns.records import HealthCheck

CHECKERS = {
    "us-east-1": 3,
    "us-west-1": 2,
    "us-west-2": 2,
    "eu-west-1": 3,
    "ap-southeast-1": 2,
    "ap-southeast-2": 2,
    "ap-northeast-1": 2,
    "sa-east-1": 2,
}
"""Health checker region → how many checkers the simulation has there: 18 in all."""

_ENOUGH = 0.18
"""An endpoint is healthy when more than this share of the checkers report it healthy."""


@dataclass(slots=True)
class Checker:
    """What the checkers of one region know of an endpoint, which they take for healthy until checks say otherwise."""

    healthy: bool = True
    streak: int = 0
    last: bool | None = None
    status: str = ""
    time: str = ""

    def observe(self, passed: bool, threshold: int, status: str = "", time: str = "") -> None:
        """Take in one check: the status changes after `threshold` checks in a row with the same result."""
        self.streak = self.streak + 1 if passed == self.last else 1
        self.last, self.status, self.time = passed, status, time
        if self.streak >= threshold:
            self.healthy = passed


@dataclass(slots=True)
class Endpoint:
    """What all checkers of one health check know: health checker region → theirs."""

    checkers: dict[str, Checker] = field(default_factory=dict)

    @property
    def healthy(self) -> bool:
        """What they say together; an endpoint that nobody has checked yet counts as healthy."""
        everybody = sum(CHECKERS[region] for region in self.checkers)
        convinced = sum(CHECKERS[region] for region, each in self.checkers.items() if each.healthy)
        return not everybody or convinced > _ENOUGH * everybody

    def observations(self, check: HealthCheck) -> list[dict[str, Any]]:
        """As GetHealthCheckStatus gives them: one for each checker that has made a check."""
        return [
            {
                "Region": region,
                "IPAddress": checker_address(region, number),
                "StatusReport": {"Status": each.status, "CheckedTime": each.time},
            }
            for region in regions_of(check)
            if (each := self.checkers.get(region)) is not None and each.time
            for number in range(CHECKERS[region])
        ]


def regions_of(check: HealthCheck) -> tuple[str, ...]:
    """The health checker regions that check it: all, unless it names some."""
    return tuple(region for region in CHECKERS if not check.regions or region in check.regions)


def checker_address(region: str, number: int) -> str:
    """The address that a simulated checker is known by: one of TEST-NET-3, at which nobody is."""
    return f"203.0.113.{list(CHECKERS).index(region) * 8 + number + 1}"


def is_healthy(check: HealthCheck | None, endpoints: Mapping[str, Endpoint]) -> bool:
    """What Route 53 takes a health check's status for; a check that does not exist counts as healthy here."""
    if check is None:
        return True
    endpoint = endpoints.get(check.id)
    found = check.disabled or endpoint is None or endpoint.healthy
    return found != check.inverted
