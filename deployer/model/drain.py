"""Regions that were taken out of DNS: by whom, why, and for how long."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

BY_HAND = "drain"
"""The action of `deploy dns drain`: who asked for it ends it, and nobody else."""


@dataclass(frozen=True)
class Drain:
    """Who took a region out of DNS, as the tags of its health check tell. `since` is UTC, ISO 8601.

    `action` is the command that did it. Empty texts: somebody did it by hand, and nothing tells who.
    """

    who: str
    since: str
    why: str
    deployment_id: str
    action: str = BY_HAND
    forced: bool = False

    @property
    def kept(self) -> bool:
        """Whether it is meant to last until somebody ends it; else a run is at work, or was interrupted."""
        return self.action == BY_HAND

    def __str__(self) -> str:
        if not self.who:
            return "by hand, and nothing tells by whom"
        forced = ", forced" if self.forced else ""
        return f"by {self.who} since {self.since} ({self.why or self.action}{forced}; deployment {self.deployment_id})"


@dataclass(frozen=True)
class Absence:
    """How long DNS did not lead to a region, both in UTC. Without `until` it still does not."""

    since: datetime
    until: datetime | None = None

    @property
    def seconds(self) -> float | None:
        """How long it lasted; None while it lasts."""
        return (self.until - self.since).total_seconds() if self.until else None


@dataclass(frozen=True)
class RegionHealth:
    """How a region's endpoint is seen: by Route 53's checkers (None: no data), and by ourselves (None: well)."""

    region: str
    drained: bool
    checkers: bool | None
    outside: str | None = None

    @property
    def healthy(self) -> bool:
        """Whether clients can be left to it: it is in DNS, and both of us see it well."""
        return not self.drained and self.checkers is True and self.outside is None

    def __str__(self) -> str:
        if self.drained:
            return f"{self.region} is drained"
        if self.checkers is None:
            return f"Route 53's checkers have not reported on {self.region} yet"
        if not self.checkers:
            return f"Route 53's checkers see {self.region} unhealthy"
        return f"{self.region} does not answer well from here ({self.outside})" if self.outside else self.region
