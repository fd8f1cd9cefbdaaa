"""Locks: who works on an app in a region."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Holder:
    """Who holds a lock. `since` is UTC, ISO 8601; `action` is the command (`deploy`, `rollback`, …).

    `process` names the process on its machine so that another one there can see whether it still lives; two holders
    are the same only when all of it is the same.
    """

    deployment_id: str
    who: str
    machine: str
    since: str
    action: str = "deploy"
    process: str = ""

    def __str__(self) -> str:
        return f"{self.who} ({self.action}, since {self.since}, deployment {self.deployment_id})"


@dataclass(frozen=True)
class LockState:
    """A lock as a cluster shows it. `holder` is None where it cannot be read (another tool's Lease).

    `expires_in` is in seconds, by the API server's clock; 0 when nobody renews it any more, infinite where another
    tool's Lease does not say. `version` tells this acquisition from any other, so that exactly what was seen can be
    freed; renewing does not change it. `alive` is whether the holder's process lives, None where it cannot be told
    from here (another machine, another container).
    """

    holder: Holder | None
    expires_in: float
    version: str
    alive: bool | None = None

    @property
    def expired(self) -> bool:
        """Whether we may take it over: nobody renews it, or its holder died on this machine."""
        return self.expires_in <= 0 or self.alive is False
