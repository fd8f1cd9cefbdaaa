"""Looks at the DNS of all targets of a deployment where it is managed, while everything else is looked at."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from threading import Thread

from deployer.errors import HeldError
from deployer.execute.dns.looking import Survey, survey
from deployer.execute.dns.managed import ManagedDns
from deployer.execute.dns.withdrawing import Withdrawal
from deployer.execute.everywhere import Failure
from deployer.execute.services import Services
from deployer.model import Target
from deployer.pipeline.dns import Configured, sites_of
from deployer.pipeline.withdrawal import withdrawal_of
from deployer.plan.dns import RegionPlan
from deployer.plan.steps import TargetPlan

_WITHOUT = """to deploy without writing DNS: -e '{"Dns": {"Manage": false}}'"""


class DnsAhead:
    """The DNS of those targets whose DNS is managed and that have a host. Nothing is asked where there are none."""

    def __init__(self, configured: Sequence[Configured], services: Services, *, adopt: bool = False) -> None:
        """`adopt`: what somebody else has made there is taken over."""
        self._adopt = adopt
        self._services = services
        managed = [one for one in configured if one.settings.dns.manage]
        self._sites = {site.target: site for site in sites_of(managed, services) if site.has_hosts}
        self._found: Survey | None = None
        self._failure: BaseException | None = None
        self._thread = Thread(target=self._look, name="dns", daemon=True)

    def begin(self) -> None:
        """Look in the background."""
        if self._sites:
            self._thread.start()

    @property
    def failures(self) -> list[Failure]:
        """What stands against writing DNS afterwards; that an app has no load balancer yet does not."""
        failures = [failure for failure in self._survey.failures if not isinstance(failure[1], HeldError)]
        for leaf in [leaf for _, error in failures for leaf in error.leaves()]:
            leaf.hint = f"{leaf.hint}\n{_WITHOUT}" if leaf.hint else _WITHOUT
        return failures

    def planned(self, plan: TargetPlan) -> TargetPlan:
        """A target's plan, with what would be changed in DNS."""
        region = self._region(plan.target)
        if region is None:
            return plan
        if self._adopt:
            plan = replace(plan, adoption=replace(plan.adoption, records=self._taken(region)))
            plan = replace(plan, changes=(*plan.changes, *plan.adoption.records))
        ours = f"its DNS stays as it is; `deploy dns apply --adopt {plan.target}` takes it over"
        warnings = (*plan.warnings, *(f"{conflict}: {ours}" for conflict in region.conflicts))
        if region.conflicts or not region.changes_anything:
            return replace(plan, warnings=warnings)
        lines = tuple(f"dns: {line}" for line in region.changes)
        reasons = plan.reasons or ("its DNS is not as it should be",)
        return replace(plan, dns=True, changes=(*plan.changes, *lines), reasons=reasons, warnings=warnings)

    def managed(self, target: Target, *, differs: bool) -> ManagedDns | None:
        """What writes a target's DNS after its deployment; None where it is not managed."""
        if target not in self._sites:
            return None
        adopt = self._adopt and self._region(target) is not None
        return ManagedDns(self._sites[target], differs, adopt, frozenset(self._in_the_way(target)))

    def withdrawal(self, target: Target) -> Withdrawal | None:
        """What takes a target's DNS away should its release have to go again; None where it is not managed."""
        return withdrawal_of(self._sites[target], self._services) if target in self._sites else None

    def _in_the_way(self, target: Target) -> tuple[str, ...]:
        """What somebody else has made in the place of ours, as long as nothing is taken over."""
        regions = [region for region in self._survey.planned().regions if region.target == target]
        return tuple(conflict for region in regions for conflict in region.conflicts)

    def _taken(self, region: RegionPlan) -> tuple[str, ...]:
        """What taking over means beyond writing what is ours."""
        found = [conflict for conflict in self._in_the_way(region.target) if conflict not in region.conflicts]
        if found or region.conflicts:
            return tuple(f"dns: {conflict}: taken over" for conflict in found)
        (plain,) = (each for each in self._survey.planned().regions if each.target == region.target)
        if plain.changes == region.changes:
            return ()
        return (f"dns: what somebody else has made of {region.host} and {region.service.host}: taken over",)

    def _region(self, target: Target) -> RegionPlan | None:
        return next((region for region in self._survey.regions if region.target == target), None)

    @property
    def _survey(self) -> Survey:
        if not self._sites:
            return Survey((), {}, ())
        self._thread.join()
        if self._failure is not None:
            raise self._failure
        return self._found or Survey((), {}, ())

    def _look(self) -> None:
        try:
            self._found = survey(list(self._sites.values())).planned(adopt=self._adopt)
        except BaseException as error:  # noqa: BLE001 -- raised where it is asked for
            self._failure = error
