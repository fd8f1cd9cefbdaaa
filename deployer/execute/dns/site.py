"""One app in one region, as its DNS needs it."""

from __future__ import annotations

from dataclasses import dataclass

from deployer.errors import ConfigurationError
from deployer.execute.dns_ports import Dns, LoadBalancers
from deployer.execute.work import RegionPorts
from deployer.model import App, HealthCheckSettings, Settings, Target
from deployer.plan.dns import Service


@dataclass(frozen=True)
class ZoneKey:
    """Sites with the same key have their records in the same zone, and the same credentials for it."""

    domain: str
    zone_id: str | None
    profile: str | None
    config_file: str | None


@dataclass(frozen=True)
class Site:
    """One app in one region, with the ports that its DNS needs."""

    target: Target
    app: App
    settings: Settings
    ports: RegionPorts
    dns: Dns
    balancers: LoadBalancers

    @property
    def health(self) -> HealthCheckSettings:
        """How the app is asked: its own health check, or its region's."""
        return self.app.health_check or self.settings.health_check

    @property
    def has_hosts(self) -> bool:
        """Whether the app is to be reached from outside at all."""
        return bool(self.app.sub_domain and self.settings.dns_domain)

    @property
    def service(self) -> Service:
        """The app under its domain. Raises ConfigurationError for one without a SubDomain or a DnsDomain."""
        sub_domain, domain = self.app.sub_domain, self.settings.dns_domain
        if not sub_domain or not domain:
            missing = "SubDomain in its file" if not sub_domain else "DnsDomain in group_vars"
            raise ConfigurationError(
                f"{self.target.application} has no host that DNS could name",
                where=self.target.environment,
                why=f"there is no {missing}",
            )
        pairs = [environment.split(".", 1) for environment in self.app.environments]
        regions = tuple(region for stage, region in pairs if stage == self.target.stage)
        return Service(self.target.stage, self.target.application, sub_domain, domain.lower(), regions)

    @property
    def zone_key(self) -> ZoneKey:
        """Which zone it is in."""
        settings = self.settings
        return ZoneKey(self.service.domain, settings.dns.hosted_zone_id, settings.aws_profile, settings.aws_config_file)
