"""How clients are led to an app: in each of its regions the record, its target, and its health."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from deployer.errors import DeployError
from deployer.model.basics import Target
from deployer.model.dns import HealthCheck, HealthStatus, RecordSet
from deployer.model.drain import Drain

TrafficHealth = Literal["healthy", "unhealthy", "no data", "drained", "disabled", "inverted", "unchecked", "unknown"]
"""`no data`: the checkers have not reported yet, which counts as healthy. `disabled` (always healthy) and `inverted`
were set by hand. `unchecked`: there is no health check of ours. `unknown`: it could not be asked."""


@dataclass(frozen=True)
class TrafficStatus:
    """One region of an app, as Route 53 has it. `host` is the regional one, `global_host` the one that clients ask.

    `record` is the global host's for this region, None while clients are not led there; `foreign`: somebody else has
    made it. `status` is what the checkers see; None where they were not asked.
    """

    target: Target
    global_host: str | None = None
    host: str | None = None
    record: RecordSet | None = None
    foreign: bool = False
    check: HealthCheck | None = None
    status: HealthStatus | None = None
    drain: Drain | None = None
    error: DeployError | None = None

    @property
    def health(self) -> TrafficHealth:
        """All of it in one word."""
        if self.error is not None:
            return "unknown"
        if self.check is None:
            return "unchecked"
        config = self.check.config
        if config.drained:
            return "drained"
        if config.disabled:
            return "disabled"
        if config.inverted:
            return "inverted"
        if self.status is None:
            return "unknown"
        return {True: "healthy", False: "unhealthy", None: "no data"}[self.status.healthy]  # type: ignore[return-value]
