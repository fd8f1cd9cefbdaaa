"""Takes the DNS of apps away in regions that they leave: records first, then health checks. No cluster is asked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from deployer.errors import DeploymentFailed
from deployer.execute.answers import Answers
from deployer.execute.dns.applying import Applied, Applying
from deployer.execute.dns.looking import Zone, read_zones
from deployer.execute.dns.site import Site
from deployer.execute.everywhere import Failure
from deployer.model import Target
from deployer.plan.dns import Leftovers, Service, ServicePlan, plan_service

if TYPE_CHECKING:
    from deployer.execute.attempt import Attempt

WITHDRAWAL = "dns"
"""The phase in which a region's DNS is taken away."""

_ADDRESSES = ("A", "AAAA", "CNAME")


@dataclass(frozen=True)
class Leaving:
    """What taking a target's DNS away deletes, for people. `nowhere` is a host that leads nowhere afterwards."""

    lines: tuple[str, ...] = ()
    nowhere: str | None = None


@dataclass(frozen=True)
class Withdrawal:
    """The DNS of one target that is about to be removed; `answers` know for how long clients keep what they are told.

    It is a drain at the same time, and a stronger one: once the region has no record, Route 53 cannot go on with it as
    it does when no other region is healthy. So there is no drain, and no guard, before it. Clients are waited for
    unless it is `hasty`.
    """

    site: Site
    answers: Answers
    hasty: bool = False

    def carry_out(self, attempt: Attempt) -> None:
        """Take it away, and wait until clients have forgotten it and their connections have had time to end.

        Raises DeployError when it could not be done, or when stopped; the same again goes on with the rest.
        """
        found, failures = look_for_withdrawal([self.site])
        for _, error in failures:
            raise error
        leaving = [plan.leftovers for _, plans in found for plan in plans]
        if not any(leaving):
            return
        self.answers.note()
        comment = f"removal {attempt.work.record.deployment_id} by {attempt.work.record.who}"
        applying = Applying(
            attempt.phases,
            attempt.stopping,
            comment,
            about_to_change=attempt.about_to_change,
            leaving=WITHDRAWAL,
        )
        for error in withdraw(applying, found).left:
            raise error
        host = self.site.service.host
        if not self.hasty and any(record.name == host for each in leaving for record in each.records):
            with attempt.phases("clients") as phase:
                phase.detail = self._wait(attempt)

    def _wait(self, attempt: Attempt) -> str:
        told, grace = self.answers.wait_until_forgotten(attempt.stopping), self.site.settings.rollout.drain_grace
        if grace and attempt.stopping.wait(grace):
            raise DeploymentFailed("stopped while connections ended", where=self.site.target.region)
        return f"{told}, {grace:.0f} s for connections" if grace else told


def look_for_withdrawal(sites: Sequence[Site]) -> tuple[list[tuple[Zone, list[ServicePlan]]], list[Failure]]:
    """What is ours in these sites' regions, as the `leftovers` of plans; and what could not be found out.

    What is left of regions that the apps do not have anyway is not among it. Raises nothing but a signal.
    """
    zones, failures = read_zones([site for site in sites if site.has_hosts])
    return [(zone, [_withdrawal(zone, *each) for each in zone.services.items()]) for zone in zones], failures


def withdraw(applying: Applying, found: Sequence[tuple[Zone, list[ServicePlan]]]) -> Applied:
    """Delete what was found. When this returns without errors, no server of Route 53 leads there any more."""
    left = [error for zone, plans in found for error in applying.zone(zone, plans, prune=True).left]
    return Applied({}, tuple(left))


def leaving_of(found: Sequence[tuple[Zone, list[ServicePlan]]]) -> dict[Target, Leaving]:
    """What each target's part is of what was found. A host leads nowhere when all of its records go together."""
    parts: dict[Target, Leaving] = {}
    for zone, plans in found:
        for plan in plans:
            host, gone = plan.service.host, {record.key for record in plan.leftovers.records}
            addresses = {record.key for record in zone.seen.named(host) if record.type in _ADDRESSES}
            nowhere = host if addresses and addresses <= gone else None
            for site in zone.services[plan.service]:
                lines = _withdrawal(zone, plan.service, [site]).leftovers.lines
                parts[site.target] = Leaving(lines, nowhere if lines else None)
    return parts


def _withdrawal(zone: Zone, service: Service, sites: Sequence[Site]) -> ServicePlan:
    leaving = {site.target.region for site in sites}
    staying = replace(service, regions=tuple(region for region in service.regions if region not in leaving))
    before = plan_service(service, (), zone.seen).leftovers
    after = plan_service(staying, (), zone.seen).leftovers
    known = {record.key for record in before.records}, {check.id for check in before.checks}
    records = tuple(record for record in after.records if record.key not in known[0])
    checks = tuple(check for check in after.checks if check.id not in known[1])
    return ServicePlan(service, (), Leftovers(records, checks))
