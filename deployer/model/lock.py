"""Locks: who works on an app in a region."""

from __future__ import annotations

import math
from dataclasses import dataclass

from deployer.errors import DeployError
from deployer.model.basics import Target


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

    def __str__(self) -> str:
        left = f"it expires in {self.expires_in:.0f} s unless it is renewed"
        if self.expires_in <= 0:
            left = "it has expired"
        elif math.isinf(self.expires_in):
            left = "it never expires"
        if self.holder is None:
            return f"its Lease is another tool's, or was changed by hand; {left}"
        process = {True: ", where its process runs", False: ", where its process has ended", None: ""}[self.alive]
        return (
            f"{self.holder.who} holds it for `{self.holder.action}` since {self.holder.since} on {self.holder.machine}"
            f"{process} (deployment {self.holder.deployment_id}); {left}"
        )


@dataclass(frozen=True)
class ReleaseLock:
    """The lock of one target's release: `state` is None when nobody holds it, or when it could not be read (`error`).

    `freed` says that we have just freed it; `state` is then how it was.
    """

    target: Target
    state: LockState | None = None
    freed: bool = False
    error: DeployError | None = None
