"""The stories of `deploy dns plan`, `apply` and `status`.

plan     what is there, in Route 53 and in every region's cluster at once; what it lacks
apply    the same, refused as a whole where anything stands against it; then, under the locks of the releases and once
         all is seen to be as before, zone by zone: see `execute.dns.applying`
status   what Route 53 has and what its checkers see; no cluster is asked
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from threading import Event
from typing import Protocol

from deployer.errors import DeployError, HeldError
from deployer.events import Sink
from deployer.execute.dns.applying import Applying, apply
from deployer.execute.dns.locking import locked
from deployer.execute.dns.looking import Survey, survey
from deployer.execute.dns.site import Site
from deployer.execute.dns.standing import read_standing
from deployer.execute.everywhere import CommandFor, refuse
from deployer.execute.phases import Phases
from deployer.execute.services import Services
from deployer.model import App, Settings, Target
from deployer.model.traffic import TrafficStatus
from deployer.pipeline.command import new_deployment_id
from deployer.plan.dns import RegionPlan, ServicePlan


class Configured(Protocol):
    """What is known of a target: its settings and its app."""

    @property
    def target(self) -> Target:
        """The target."""
        ...

    @property
    def settings(self) -> Settings:
        """The settings of its stage and region."""
        ...

    @property
    def app(self) -> App:
        """Its app."""
        ...


@dataclass(frozen=True)
class DnsResult:
    """What was planned, and with `applied` also done. `errors` are of targets and of leftovers (target None)."""

    stage: str
    plans: tuple[ServicePlan, ...]
    errors: tuple[tuple[Target | None, DeployError], ...] = ()
    applied: bool = False
    pruned: bool = False

    @property
    def regions(self) -> list[RegionPlan]:
        """The plan of each target that has one."""
        return [region for plan in self.plans for region in plan.regions]

    @property
    def changes_anything(self) -> bool:
        """Whether something is not as it should be."""
        return any(region.changes_anything or region.conflicts for region in self.regions) or any(
            plan.leftovers for plan in self.plans
        )


class DnsCommand:
    """One of the commands, about these targets."""

    def __init__(self, stage: str, configured: Sequence[Configured], services: Services, sink: Sink) -> None:
        self._stage = stage
        self._sites = sites_of(configured, services)
        self._services = services
        self._phases = Phases(sink)

    def survey(self) -> Survey:
        """What is there and what it lacks. Raises nothing but a signal."""
        with self._phases("dns") as phase:
            found = survey(self._sites).planned()
            changes = sum(len(region.changes) for region in found.regions)
            phase.detail = f"{changes} change{'' if changes == 1 else 's'} to make" if changes else "as it should be"
        return found

    def planned(self, found: Survey) -> DnsResult:
        """What `deploy dns plan` tells."""
        return DnsResult(self._stage, tuple(found.plans.values()), tuple(found.failures))

    def refuse(self, found: Survey, command_for: CommandFor | None = None) -> None:
        """Raise everything that stands against carrying it out; nothing was changed then."""
        conflicts = [
            (region.target, _conflict(region, conflict)) for region in found.regions for conflict in region.conflicts
        ]
        refuse([site.target for site in self._sites], [*found.failures, *conflicts], command_for)

    def apply(self, found: Survey, *, adopt: bool = False, prune: bool = False) -> DnsResult:
        """Carry it out. What fails in one region keeps none of the others from being done.

        Raises HeldError where somebody deploys or removes an app meanwhile; nothing was changed then.
        """
        stop, holder = Event(), self._services.holder(new_deployment_id(), "dns apply")
        left = any(plan.leftovers for plan in found.plans.values()) if prune else False
        changing = {region.target for region in found.regions if left or region.changes_anything}
        with locked([site for site in self._sites if site.target in changing], holder, stop) as confirm:
            if changing:
                self._refuse_changed(found, survey(self._sites).planned(adopt=adopt))
            comment = f"deploy dns apply by {self._services.who()}"
            applied = apply(Applying(self._phases, stop, comment, about_to_change=confirm), found, prune=prune)
        errors = (*applied.errors.items(), *((None, error) for error in applied.left))
        return DnsResult(self._stage, tuple(found.plans.values()), errors, applied=True, pruned=prune)

    def _refuse_changed(self, found: Survey, now: Survey) -> None:
        refuse([site.target for site in self._sites], now.failures)
        changed = [service.host for service, plan in found.plans.items() if now.plans.get(service) != plan]
        if changed:
            raise HeldError(
                f"the DNS of {', '.join(changed)} was changed meanwhile",
                why="somebody deployed, removed or changed records since this command has looked",
                hint="run the same command again: it goes on from what is there now",
            )

    def status(self) -> tuple[TrafficStatus, ...]:
        """How clients are led to each target. Raises nothing but a signal."""
        with self._phases("dns"):
            return read_standing(self._sites)


def sites_of(configured: Sequence[Configured], services: Services) -> list[Site]:
    """The targets as DNS needs them; what they share they share here, too."""
    regions: dict[object, Site] = {}
    sites = []
    for one in configured:
        settings, target = one.settings, one.target
        key = (target.region, settings.cluster, settings.namespace, settings.aws_region, settings.aws_profile)
        if (shared := regions.get(key)) is None:
            shared = regions[key] = Site(
                target,
                one.app,
                settings,
                services.region(settings, target),
                services.dns(settings, target),
                services.load_balancers(settings, target),
            )
        sites.append(Site(target, one.app, settings, shared.ports, shared.dns, shared.balancers))
    return sites


def _conflict(region: RegionPlan, conflict: str) -> HeldError:
    return HeldError(
        f"a record of {region.target.application} in {region.target.region} is not ours",
        where=region.target.environment,
        why=conflict,
        hint="look at it; `deploy dns apply --adopt` takes over what somebody else has made",
    )
