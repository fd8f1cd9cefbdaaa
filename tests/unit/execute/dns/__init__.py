"""An app in two regions with fakes of everything around it."""

from __future__ import annotations

from dataclasses import dataclass, field

from deployer.execute.dns.applying import Applied, Applying, apply
from deployer.execute.dns.looking import Survey, survey
from deployer.execute.dns.site import Site
from deployer.execute.phases import Phases
from deployer.execute.work import RegionPorts
from deployer.model import App, HealthCheckSettings, Json, Settings, Target
from deployer.model.settings import DnsSettings
from tests.fake_dns import FakeDns, FakeLoadBalancers
from tests.fakes import FakeCluster, FakeLocks, FakeProber, FakeReleases, RecordingSink
from tests.unit.execute.test_drain import Time
from tests.unit.plan.dns import AWS, balancer

REGIONS = ("london", "seoul")


def ingress(region: str) -> Json:
    hosts = ("myapp.example.com", f"myapp.{region}.example.com")
    return {
        "metadata": {"name": "myapp"},
        "spec": {"rules": [{"host": host} for host in hosts]},
        "status": {"loadBalancer": {"ingress": [{"hostname": balancer(region).name}]}},
    }


@dataclass
class World:
    """Each region has a cluster and a prober of its own; Route 53 is one."""

    dns: FakeDns = field(default_factory=FakeDns)
    clusters: dict[str, FakeCluster] = field(
        default_factory=lambda: {region: FakeCluster(lists={"Ingress": [ingress(region)]}) for region in REGIONS}
    )
    probers: dict[str, FakeProber] = field(default_factory=lambda: {region: FakeProber() for region in REGIONS})
    locks: dict[str, FakeLocks] = field(default_factory=lambda: {region: FakeLocks() for region in REGIONS})
    sink: RecordingSink = field(default_factory=RecordingSink)
    environments: tuple[str, ...] = tuple(f"prod.{region}" for region in REGIONS)
    health: HealthCheckSettings = field(default_factory=lambda: HealthCheckSettings(timeout=0.01))
    sub_domain: str | None = "myapp"

    def site(self, region: str) -> Site:
        app = App("myapp", "myapp", self.environments, sub_domain=self.sub_domain)
        settings = Settings(AWS[region], "example.com", dns=DnsSettings(manage=True), health_check=self.health)
        ports = RegionPorts(self.clusters[region], FakeReleases(), self.probers[region], self.locks[region])
        balancers = FakeLoadBalancers(*(balancer(each) for each in REGIONS))
        return Site(Target("prod", region, "myapp"), app, settings, ports, self.dns, balancers)

    def sites(self, *regions: str) -> list[Site]:
        return [self.site(region) for region in regions or REGIONS]

    def survey(self, *regions: str, adopt: bool = False) -> Survey:
        return survey(self.sites(*regions)).planned(adopt=adopt)

    def apply(self, *regions: str, prune: bool = False, adopt: bool = False) -> Applied:
        found = self.survey(*regions, adopt=adopt)
        assert not found.failures
        time = Time()
        return apply(Applying(Phases(self.sink), time.stop(), "test", time), found, prune=prune)
