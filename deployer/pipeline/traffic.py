"""What a command does about the traffic of its regions: settings and the command line made into work."""

from __future__ import annotations

from dataclasses import dataclass, replace

from deployer.execute.drain import Gate, Traffic
from deployer.execute.ports import OutsideProber
from deployer.execute.services import Services
from deployer.model import App, Holder, RolloutSettings, Settings, Target
from deployer.plan.dns import Service
from deployer.plan.drain import Place
from deployer.plan.order import Order


@dataclass(frozen=True)
class Wish:
    """What the command line says of drains. `drain` None: what `Rollout.Drain` says. `reason` is written down."""

    drain: bool | None = None
    forced: bool = False
    reason: str = ""

    def drains(self, rollout: RolloutSettings) -> bool:
        """Whether a region with these settings is drained."""
        return rollout.drain if self.drain is None else self.drain

    def concerns(self, rollout: RolloutSettings) -> bool:
        """Whether a region with these settings is drained now, or may have been before."""
        return rollout.drain or self.drains(rollout)


def gate_of(
    services: Services, target: Target, app: App, settings: Settings, prober: OutsideProber, holder: Holder
) -> Gate | None:
    """The gate of a region; None for an app without hosts in DNS."""
    if not app.sub_domain or not settings.dns_domain:
        return None
    place = place_of(target, app.sub_domain, settings.dns_domain, app, settings)
    return Gate(place, services.dns(settings, target), services.name_servers(), prober, holder)


def place_of(target: Target, sub_domain: str, domain: str, app: App, settings: Settings) -> Place:
    """A region of an app that has these names in DNS."""
    pairs = [environment.split(".", 1) for environment in app.environments]
    regions = tuple(region for stage, region in pairs if stage == target.stage)
    return Place(
        Service(target.stage, target.application, sub_domain, domain.lower(), regions),
        target.region,
        settings.aws_region,
        settings.dns.hosted_zone_id,
        settings.dns.name_servers,
        settings.rollout.min_healthy_regions,
        settings.rollout.drain_grace,
    )


def traffic_of(
    services: Services,
    target: Target,
    app: App,
    settings: Settings,
    prober: OutsideProber,
    holder: Holder,
    wish: Wish | None = None,
    *,
    optional: bool = False,
    repairing: bool = False,
) -> Traffic | None:
    """What is done about a region's traffic; None where nothing is.

    `optional`: a rollback, which no guard refuses. `repairing`: a drain that a dead run has left is looked for also
    where the settings do not name DNS; then it is no error when Route 53 cannot be asked.
    """
    wish = wish or Wish(drain=False)
    drain, managed = wish.drains(settings.rollout), settings.dns.manage
    asked_for = drain or managed or settings.rollout.drain
    if not (asked_for or repairing):
        return None
    gate = gate_of(services, target, app, settings, prober, holder)
    if gate is None:
        return None
    version = f"{app.app_name} {app.version}" if app.version else app.app_name
    return Traffic(
        gate,
        drain,
        wish.reason or f"{holder.action} {version}",
        wish.forced,
        optional=optional,
        judged=managed,
        lenient=optional or not asked_for,
    )


def one_by_one(order: Order) -> Order:
    """The same order with one region in each wave: of those that are drained no two are gone at once."""
    return replace(order, waves=tuple((region,) for wave in order.waves for region in wave))
