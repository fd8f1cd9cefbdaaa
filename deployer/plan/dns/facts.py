"""What an app's DNS is planned from: its names, its regions' load balancers, and what Route 53 has by now."""

from __future__ import annotations

from dataclasses import dataclass

from deployer.model import HealthCheckSettings, Target
from deployer.model.dns import HealthCheck, LoadBalancer, RecordSet


@dataclass(frozen=True)
class Service:
    """An app in one stage under one domain. `regions` are all that its `Environments` name for the stage."""

    stage: str
    application: str
    sub_domain: str
    domain: str
    regions: tuple[str, ...]

    @property
    def host(self) -> str:
        """The global host: `myapp.example.com`."""
        return f"{self.sub_domain}.{self.domain}".lower()

    def regional_host(self, region: str) -> str:
        """`myapp.london.example.com`."""
        return f"{self.sub_domain}.{region}.{self.domain}".lower()


@dataclass(frozen=True)
class Entrance:
    """An app's way in, in one region: the load balancer that its Ingress names, in an AWS region.

    `global_too`: an Ingress there serves the global host as well.
    """

    target: Target
    aws_region: str
    health: HealthCheckSettings
    balancer: LoadBalancer
    global_too: bool = True


@dataclass(frozen=True)
class Seen:
    """What Route 53 has: the record sets of all names that matter, and the health checks that may be the service's."""

    records: tuple[RecordSet, ...] = ()
    checks: tuple[HealthCheck, ...] = ()

    def named(self, name: str) -> list[RecordSet]:
        """The record sets of a name."""
        return [record for record in self.records if record.name == name]
