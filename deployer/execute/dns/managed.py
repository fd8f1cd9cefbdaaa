"""Writes the DNS of a target where it is managed (`Dns: {Manage: true}`): part of being judged from outside.

A deployment does it once the regional host has answered well, and before the revision counts as good: the record that
leads clients here is made only when Route 53's checkers agree. When they do not, the deployment has failed. When DNS
cannot be written for any other reason, the release is well and stays.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING

from deployer.errors import DeployError
from deployer.execute.checkers import CheckersDisagree
from deployer.execute.dns.applying import IN_SYNC_WITHIN, Applying, apply
from deployer.execute.dns.looking import Survey, survey
from deployer.execute.dns.site import Site
from deployer.model import SUCCESSES, TargetResult
from deployer.model.dns import HealthCheck, HealthCheckConfig, RecordChange
from deployer.plan.dns import is_ours, might_be_ours, references, region_of
from deployer.plan.dns.steps import CheckAction

if TYPE_CHECKING:
    from deployer.execute.attempt import Attempt


@dataclass(frozen=True)
class Written:
    """What has become of a target's DNS. `changes` is None where it was not looked at.

    `agreed`: Route 53's checkers were waited for. `error`: it could not be written; the release is good all the same.
    """

    changes: tuple[str, ...] | None = None
    agreed: bool = False
    error: DeployError | None = None


@dataclass(frozen=True)
class ManagedDns:
    """The DNS of one target. `differs`: it was seen beforehand that there is something to do.

    `known` is what was seen then that somebody else has made in the place of ours. `adopt`: that much, and nothing that
    has appeared since, is taken over.
    """

    site: Site
    differs: bool
    adopt: bool = False
    known: frozenset[str] = frozenset()

    def write(self, attempt: Attempt) -> Written:
        """Make it as it should be. What somebody else has made is left alone, or taken over.

        Raises DeployError when it could not be done.
        """
        with attempt.phases("dns") as phase:
            found = self._planned(attempt)
            regions = [region for region in found.regions if not region.conflicts]
            changes = tuple(line for region in regions for line in region.changes)
            phase.detail = "as it should be" if not changes else f"{len(changes)} changes"
        if not changes:
            return Written(changes)
        comment = f"deployment {attempt.work.record.deployment_id} by {attempt.work.record.who}"
        applying = Applying(attempt.phases, attempt.stopping, comment, about_to_change=attempt.about_to_change)
        steps = [region.check for region in regions if region.check.live is not None]
        attempt.old_check = next((OldCheck(self.site, one.live, one.action) for one in steps if one.live), None)
        attempt.dns_written = True
        applied = apply(applying, found)
        for error in applied.errors.values():
            raise error
        return Written(changes, self.site.target in applied.agreed)

    def _planned(self, attempt: Attempt) -> Survey:
        seen = survey([self.site])
        found = seen.planned()
        for _, error in found.failures:
            raise error
        new = [one for region in found.regions for one in region.conflicts if one not in self.known]
        for conflict in new:
            attempt.warn(f"{conflict}: left as it is; `deploy dns apply --adopt {attempt.work.target}` takes it over")
        return seen.planned(adopt=True) if self.adopt and not new else found


@dataclass(frozen=True)
class OldCheck:
    """A region's health check as it was before a deployment changed it: another path, or another one in its place."""

    site: Site
    check: HealthCheck
    action: CheckAction

    def put_back(self, attempt: Attempt) -> None:
        """Ask again what the release answers that is back; a drain stays as it is by now. Raises DeployError."""
        match self.action:
            case "update":
                for live in self.site.dns.health_checks(lambda one: one.id == self.check.id):
                    wanted = self._config(live)
                    if wanted != live.config:
                        attempt.about_to_change()
                        self.site.dns.update_health_check(live, wanted)
            case "replace":
                self._take_place_again(attempt)

    def _take_place_again(self, attempt: Attempt) -> None:
        """Lead clients by a health check like the old one, which is made anew where it was deleted by now."""
        dns, service, region = self.site.dns, self.site.service, self.site.target.region
        zone = dns.zone(service.domain, self.site.settings.dns.hosted_zone_id)
        known = {one.id: one for one in dns.health_checks(partial(might_be_ours, service))}
        ours = {one.id for one in known.values() if is_ours(service, one) and region_of(service, one) == region}
        records = [one for one in dns.records(zone, [service.host]) if one.health_check in ours - {self.check.id}]
        if not records:
            return  # the new one was never relied on
        new = known[str(records[0].health_check)]
        attempt.about_to_change()
        old = known.get(self.check.id) or dns.create_health_check(
            references(service, region, datetime.now(UTC).strftime("%Y%m%d")), self._config(new), new.tags
        )
        comment = f"way back of {attempt.work.record.deployment_id} by {attempt.work.record.who}"
        again = [RecordChange("UPSERT", replace(record, health_check=old.id)) for record in records]
        made = dns.change(zone, again, comment)
        if not attempt.stopping.is_set():  # else it is deleted by whoever writes this DNS next
            dns.wait_in_sync(made, timeout=IN_SYNC_WITHIN, stop=attempt.stopping)
            dns.delete_health_check(new)

    def _config(self, live: HealthCheck) -> HealthCheckConfig:
        return replace(self.check.config, disabled=live.config.disabled, inverted=live.config.inverted)


def write_dns(attempt: Attempt) -> Written:
    """Write the target's DNS, if there is anything to write after what was done so far.

    Raises CheckersDisagree when Route 53's checkers do not see the region healthy; no record leads clients there then.
    """
    managed = attempt.work.dns
    if managed is None or (attempt.revision is None and not managed.differs):
        return Written()
    try:
        return managed.write(attempt)
    except CheckersDisagree:
        raise
    except DeployError as error:
        told = f"the release is well and stays; `deploy dns apply {attempt.work.target}` writes its DNS"
        for leaf in error.leaves():
            leaf.hint = f"{leaf.hint}\n{told}" if leaf.hint else told
        return Written(error=error)


def with_dns(attempt: Attempt, result: TargetResult, written: Written) -> TargetResult:
    """The result, with what has become of the target's DNS."""
    phases = tuple(attempt.phases.timings)
    if written.error is not None:
        return replace(result, error=result.error or written.error, phases=phases)
    if written.changes is None:
        return result
    known = [change for change in result.changes if not change.startswith("dns: ")]
    return replace(result, changes=(*known, *(f"dns: {change}" for change in written.changes)), phases=phases)


def write_dns_alone(attempt: Attempt, result: TargetResult) -> TargetResult:
    """The same where the release is as it should be, and stays so whatever the checkers say."""
    if result.outcome not in SUCCESSES or result.error is not None:
        return result
    try:
        return with_dns(attempt, result, write_dns(attempt))
    except CheckersDisagree as error:
        return replace(result, outcome="failed", error=error, phases=tuple(attempt.phases.timings))


def give_old_check_back(attempt: Attempt) -> None:
    """After the way back to an old revision: its health check asks what that revision answers."""
    if attempt.old_check is None:
        return
    try:
        attempt.old_check.put_back(attempt)
        attempt.old_check = None
    except DeployError as error:
        attempt.warn(f"the health check of {attempt.work.target.region} still asks what the new version would: {error}")
