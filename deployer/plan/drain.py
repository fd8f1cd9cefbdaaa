"""Decides whether a region may be drained, and writes down who did it: as tags, and as the lock's TXT record."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from deployer.errors import HeldError
from deployer.model import Holder
from deployer.model.dns import HealthCheck, HealthCheckConfig, RecordSet
from deployer.model.drain import Drain, RegionHealth
from deployer.plan.dns import Service

_BY = "deployer/drained-by"
_SINCE = "deployer/drained-since"
_WHY = "deployer/drained-why"
_RUN = "deployer/drained-run"
"""Tags of a health check: a health check has at most 10, so that two facts share the last one (`deploy/ID`)."""

UNMARKED: Mapping[str, None] = {_BY: None, _SINCE: None, _WHY: None, _RUN: None}
"""Takes the marks away."""

LOCK_TTL = 60
_FORCED = "+forced"
_NOT_IN_TXT = re.compile(r"[^ !#-\[\]-~]")
_LONGEST_TXT = 255


@dataclass(frozen=True)
class Place:
    """A region of an app in DNS, and how it is drained.

    `servers` are asked instead of the zone's own name servers. `minimum`: how many other regions must be healthy before
    a healthy one is drained. `grace`: seconds that open connections get to end.
    """

    service: Service
    region: str
    aws_region: str
    zone_id: str | None = None
    servers: tuple[str, ...] = ()
    minimum: int = 1
    grace: float = 30.0

    @property
    def host(self) -> str:
        """The app's global host."""
        return self.service.host

    @property
    def regional_host(self) -> str:
        """The region's own host."""
        return self.service.regional_host(self.region)

    @property
    def domain(self) -> str:
        """The domain in whose zone both are."""
        return self.service.domain

    def has(self, record: RecordSet) -> bool:
        """Whether it is the region's record of the global host."""
        return record.set_identifier == self.region or record.region == self.aws_region


def marks(drain: Drain) -> dict[str, str]:
    """The tags that tell of a drain."""
    run = f"{drain.action}{_FORCED if drain.forced else ''}/{drain.deployment_id}"
    return {_BY: drain.who, _SINCE: drain.since, _WHY: drain.why, _RUN: run}


def drain_of(check: HealthCheck) -> Drain | None:
    """The drain of a health check; None when its region is not drained, whatever the tags say."""
    if not check.config.drained:
        return None
    action, _, deployment = check.tags.get(_RUN, "").partition("/")
    if not deployment:
        return Drain("", "", "", "")
    return Drain(
        check.tags.get(_BY, ""),
        check.tags.get(_SINCE, ""),
        check.tags.get(_WHY, ""),
        deployment,
        action.removesuffix(_FORCED),
        action.endswith(_FORCED),
    )


def drained(config: HealthCheckConfig) -> HealthCheckConfig:
    """The settings with which a region counts as unhealthy: disabled alone would mean healthy."""
    return replace(config, disabled=True, inverted=True)


def undrained(config: HealthCheckConfig) -> HealthCheckConfig:
    """The settings with which the checkers decide again."""
    return replace(config, disabled=False, inverted=False)


def refuse_last(region: RegionHealth, others: Sequence[RegionHealth], minimum: int) -> None:
    """Raises HeldError when draining a region would leave too few healthy ones. An unhealthy region may always go."""
    if region.checkers is False:
        return
    well = [one for one in others if one.healthy]
    if len(well) >= minimum:
        return
    ill = "; ".join(str(one) for one in others if not one.healthy)
    left = f"{len(well)} healthy region{'' if len(well) == 1 else 's'} would be left, at least {minimum} must be"
    raise HeldError(
        f"{region.region} is not drained",
        why=f"{left}" + (f": {ill}" if ill else ""),
        hint="mend the other regions first; --force --reason TEXT drains it all the same",
    )


def lock_name(host: str) -> str:
    """Where the lock of an app's drains is in its zone; `host` is the app's global one."""
    return f"_deploy-drain.{host}"


def lock_record(host: str, holder: Holder, token: str) -> RecordSet:
    """The TXT record that is the lock. `token` makes each one different from all others."""
    text = f"token={token} deployment={holder.deployment_id} action={holder.action} since={holder.since} "
    text += f"machine={holder.machine.replace(' ', '_')} who={holder.who}"
    return RecordSet(lock_name(host), "TXT", LOCK_TTL, (f'"{_NOT_IN_TXT.sub("_", text)[:_LONGEST_TXT]}"',))


def lock_holder(record: RecordSet) -> Holder | None:
    """Who made the record; None when it was not made by this tool."""
    text = record.values[0].strip('"') if record.values else ""
    found = re.fullmatch(r"token=\S+ deployment=(\S+) action=(\S+) since=(\S+) machine=(\S+) who=(.*)", text, re.DOTALL)
    if found is None:
        return None
    deployment, action, since, machine, who = found.groups()
    return Holder(deployment, who, machine, since, action)
