"""Looks at what DNS has of the targets of a removal where it is managed, to be shown and then taken away."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from deployer.execute.answers import Answers
from deployer.execute.dns.site import Site
from deployer.execute.dns.withdrawing import Leaving, Withdrawal, leaving_of, look_for_withdrawal
from deployer.execute.everywhere import Failure
from deployer.execute.services import Services
from deployer.model import Target
from deployer.pipeline.dns import Configured, sites_of
from deployer.pipeline.traffic import place_of
from deployer.plan.steps import TargetPlan

_WITHOUT = """nothing was removed; to remove without taking DNS away: -e '{"Dns": {"Manage": false}}'"""


class DnsAway:
    """The DNS of those targets whose DNS is managed and that have a host. Nothing is asked where there are none."""

    def __init__(self, configured: Sequence[Configured], services: Services) -> None:
        managed = [one for one in configured if one.settings.dns.manage]
        sites = [site for site in sites_of(managed, services) if site.has_hosts] if managed else []
        self._services = services
        self._sites = {site.target: site for site in sites}
        self._hostless = {one.target for one in managed} - set(self._sites)
        self._found: dict[Target, Leaving] = {}

    def look(self) -> list[Failure]:
        """Ask Route 53; the targets for which that failed. Raises nothing but a signal."""
        if not self._sites:
            return []
        found, failures = look_for_withdrawal(list(self._sites.values()))
        self._found = leaving_of(found)
        for leaf in {id(leaf): leaf for _, error in failures for leaf in error.leaves()}.values():
            leaf.hint = f"{leaf.hint}\n{_WITHOUT}" if leaf.hint else _WITHOUT
        return failures

    def planned(self, plan: TargetPlan, *, by_release: bool = False) -> TargetPlan:
        """A target's removal with what goes of its DNS, also where nothing else is left of it.

        `by_release`: it was named without an app file.
        """
        if by_release and plan.changes_anything and plan.target in self._hostless:
            told = "its DNS stays as it is: without an app file its host is not known"
            return replace(plan, warnings=(*plan.warnings, told))
        leaving = self._found.get(plan.target, Leaving())
        if not leaving.lines:
            return plan
        lines = tuple(f"dns: delete {line}" for line in leaving.lines)
        warnings = plan.warnings
        if leaving.nowhere:
            warnings = (*warnings, f"{leaving.nowhere} leads nowhere afterwards: no other region has a record of it")
        return replace(plan, release_action="uninstall", dns=True, changes=(*lines, *plan.changes), warnings=warnings)

    def withdrawal(self, target: Target, *, hasty: bool = False) -> Withdrawal | None:
        """What takes a target's DNS away; None where it is not managed. With `hasty`, no client is waited for."""
        site = self._sites.get(target)
        return withdrawal_of(site, self._services, hasty=hasty) if site is not None else None


def withdrawal_of(site: Site, services: Services, *, hasty: bool = False) -> Withdrawal:
    """What takes the DNS of a site with hosts away."""
    service = site.service
    place = place_of(site.target, service.sub_domain, service.domain, site.app, site.settings)
    return Withdrawal(site, Answers(place, site.dns, services.name_servers()), hasty)
