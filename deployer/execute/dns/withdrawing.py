"""Takes the DNS of apps away in regions that they leave: records first, then health checks. No cluster is asked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from threading import Event
from typing import TYPE_CHECKING

from deployer.errors import DeployError, DeploymentFailed
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
        found, leaving = self._look()
        if leaving:
            self._delete(attempt, found, attempt.stopping)
        if not self.hasty and self._leads_clients(leaving):
            with attempt.phases("clients") as phase:
                phase.detail = self._wait(attempt)

    def before_way_back(self, attempt: Attempt) -> None:
        """The same before a release that was never good is taken away again, if clients are led to it.

        What leads no client stays: the regional host's record and its health check show why it was refused. A signal
        ends the waiting, not the way back. Raises DeployError when it could not be done.
        """
        found, leaving = self._look()
        if not self._leads_clients(leaving):
            return
        self._delete(attempt, found, Event())
        if not attempt.stopping.is_set():
            with attempt.phases("clients") as phase:
                try:
                    phase.detail = self._wait(attempt)
                except DeploymentFailed as stopped:
                    phase.detail = stopped.what

    def _look(self) -> tuple[list[tuple[Zone, list[ServicePlan]]], list[Leftovers]]:
        found, failures = look_for_withdrawal([self.site])
        for _, error in failures:
            raise error
        return found, [plan.leftovers for _, plans in found for plan in plans if plan.leftovers]

    def _leads_clients(self, leaving: Sequence[Leftovers]) -> bool:
        return any(record.name == self.site.service.host for each in leaving for record in each.records)

    def _delete(self, attempt: Attempt, found: Sequence[tuple[Zone, list[ServicePlan]]], stop: Event) -> None:
        self.answers.note()
        record = attempt.work.record
        comment = f"removal {record.deployment_id} by {record.who}"
        applying = Applying(attempt.phases, stop, comment, about_to_change=attempt.about_to_change, leaving=WITHDRAWAL)
        for error in withdraw(applying, found).left:
            raise error

    def _wait(self, attempt: Attempt) -> str:
        told, grace = self.answers.wait_until_forgotten(attempt.stopping), self.site.settings.rollout.drain_grace
        if grace and attempt.stopping.wait(grace):
            raise DeploymentFailed("stopped while connections ended", where=self.site.target.region)
        return f"{told}, {grace:.0f} s for connections" if grace else told


def leave_dns(attempt: Attempt) -> None:
    """Before a release is taken away that was never good: see to it that no client is led to it any more.

    Raises DeployError when Route 53 does not let us, unless nobody can have been led there: then it is only told.
    """
    work = attempt.work
    if work.withdrawal is None:
        return
    try:
        work.withdrawal.before_way_back(attempt)
    except DeployError as error:
        if attempt.dns_written or work.plan.release_action != "install":
            raise
        attempt.warn(f"whether DNS leads to {work.target.region} cannot be seen: {error}")


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
