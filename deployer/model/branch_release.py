"""An app that was deployed from a branch, in one region."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from deployer.model.settings import Settings
from deployer.model.status import ReleaseStatus


@dataclass(frozen=True)
class BranchRelease:
    """One release of a branch. `expires` is None where it is kept for ever; `sub_domain` is what its host begins with.

    `status` has neither workloads nor a lock: nobody has asked for them.
    """

    status: ReleaseStatus
    settings: Settings
    expires: datetime | None = None
    sub_domain: str | None = None

    @property
    def host(self) -> str | None:
        """Its regional host; None for an app without one."""
        if not self.sub_domain or not self.settings.dns_domain:
            return None
        return f"{self.sub_domain}.{self.status.target.region}.{self.settings.dns_domain}"

    def expired(self, now: datetime) -> bool:
        """Whether its time is up."""
        return self.expires is not None and self.expires <= now
