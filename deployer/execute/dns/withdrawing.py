"""Takes the DNS of apps away in regions that they leave: records first, then health checks. No cluster is asked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from deployer.execute.dns.applying import Applied, Applying
from deployer.execute.dns.looking import Zone, read_zones
from deployer.execute.dns.site import Site
from deployer.execute.everywhere import Failure
from deployer.plan.dns import Leftovers, Service, ServicePlan, plan_service


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


def _withdrawal(zone: Zone, service: Service, sites: Sequence[Site]) -> ServicePlan:
    leaving = {site.target.region for site in sites}
    staying = replace(service, regions=tuple(region for region in service.regions if region not in leaving))
    before = plan_service(service, (), zone.seen).leftovers
    after = plan_service(staying, (), zone.seen).leftovers
    known = {record.key for record in before.records}, {check.id for check in before.checks}
    records = tuple(record for record in after.records if record.key not in known[0])
    checks = tuple(check for check in after.checks if check.id not in known[1])
    return ServicePlan(service, (), Leftovers(records, checks))
