"""Looks at the DNS of all targets of a deployment where it is managed or drained, while all else is looked at."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from threading import Thread
from typing import Any

from deployer.errors import DeployError, HeldError
from deployer.execute.dns.looking import Survey, Zone, read_zones, survey
from deployer.execute.dns.managed import ManagedDns
from deployer.execute.dns.withdrawing import Withdrawal
from deployer.execute.everywhere import Failure
from deployer.execute.parallel import values_of
from deployer.execute.services import Services
from deployer.model import Target
from deployer.pipeline.dns import Configured, sites_of
from deployer.pipeline.traffic import Wish
from deployer.pipeline.withdrawal import withdrawal_of
from deployer.plan.dns import RegionPlan
from deployer.plan.dns.standing import standing
from deployer.plan.steps import TargetPlan

_WITHOUT = """to deploy without writing DNS: -e '{"Dns": {"Manage": false}}'"""


@dataclass(frozen=True)
class _Found:
    """What was seen: of the managed targets all, of those that are drained only what Route 53 has."""

    managed: Survey = field(default_factory=lambda: Survey((), {}, ()))
    zones: Sequence[Zone] = ()
    unseen: Mapping[Target, DeployError] = field(default_factory=dict)


class DnsAhead:
    """The DNS of those targets whose DNS is managed, or that are drained, and that have a host.

    Nothing is asked where there are none.
    """

    def __init__(
        self, configured: Sequence[Configured], services: Services, wish: Wish | None = None, *, adopt: bool = False
    ) -> None:
        """`adopt`: what somebody else has made there is taken over."""
        wish = wish or Wish()
        self._adopt = adopt
        self._services = services
        concerned = [one for one in configured if one.settings.dns.manage or wish.concerns(one.settings.rollout)]
        sites = [site for site in sites_of(concerned, services) if site.has_hosts] if concerned else []
        self._sites = {site.target: site for site in sites if site.settings.dns.manage}
        self._drained = [site for site in sites if site.target not in self._sites]
        self._found = _Found()
        self._failure: BaseException | None = None
        self._thread = Thread(target=self._look, name="dns", daemon=True)

    def begin(self) -> None:
        """Look in the background."""
        if self._sites or self._drained:
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
        plan = self._with_drain(plan)
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

    def _with_drain(self, plan: TargetPlan) -> TargetPlan:
        """The plan with the end of a drain that a run has left. Where the release is changed, that ends it anyway."""
        if plan.release_action != "none":
            return plan
        seen, target = self._seen, plan.target
        if (error := seen.unseen.get(target)) is not None:
            told = f"whether {target.region} is drained cannot be seen: {error}"
            return replace(plan, warnings=(*plan.warnings, told))
        found = (
            standing(service, target, zone.seen)
            for zone in (*seen.managed.zones, *seen.zones)
            for service, sites in zone.services.items()
            if any(site.target == target for site in sites)
        )
        status = next(found, None)
        if status is None or status.record is None or status.foreign:
            return plan
        if status.drain is None or status.drain.kept:
            return plan
        return replace(
            plan,
            dns=True,
            reasons=plan.reasons or (f"it was drained {status.drain}, and is still out of DNS",),
            changes=(*plan.changes, f"dns: {target.region} comes back, once it is healthy"),
        )

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
        return self._seen.managed

    @property
    def _seen(self) -> _Found:
        if self._sites or self._drained:
            self._thread.join()
        if self._failure is not None:
            raise self._failure
        return self._found

    def _look(self) -> None:
        try:
            jobs: list[Callable[[], Any]] = [self._look_at_managed, partial(read_zones, self._drained)]
            managed, (zones, failures) = values_of(jobs)
            self._found = _Found(managed, zones, dict(failures))
        except BaseException as error:  # noqa: BLE001 -- raised where it is asked for
            self._failure = error

    def _look_at_managed(self) -> Survey:
        return survey(list(self._sites.values())).planned(adopt=self._adopt)
