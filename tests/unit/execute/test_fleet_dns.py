"""An app in two regions whose DNS is managed, the ports faked: who may write it, and what a way back leaves of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial

from deployer.execute.dns.managed import ManagedDns
from deployer.execute.fleet import Fleet, Member, run_fleets
from deployer.execute.work import Work
from deployer.model import (
    App,
    DeploymentRecord,
    HealthCheckSettings,
    Holder,
    Json,
    ObjectKey,
    RolloutSettings,
    Target,
    TargetResult,
)
from deployer.plan.manifests import PreparedManifests
from deployer.plan.manifests.canonical import canonical_text
from deployer.plan.order import Order
from deployer.plan.steps import TargetPlan
from tests.fakes import FakeCluster, FakeLocks, FakeReleases, make_revision
from tests.unit.execute.dns import REGIONS, World, ingress

CONFIG: Json = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "myapp"}, "data": {"a": "b"}}
KEY = ObjectKey("v1", "ConfigMap", "default", "myapp")
US = Holder("ours", "anna@laptop", "laptop", "2026-11-21T12:00:00+00:00")
THEM = Holder("theirs", "ben@desk", "desk", "2026-11-21T11:59:00+00:00", "remove")


class Region:
    """A region whose release is as its plan says."""

    def __init__(self, name: str, world: World, plan: TargetPlan) -> None:
        self.plan = plan
        self.world = world
        self.cluster = FakeCluster({KEY: {**CONFIG, "metadata": {"name": "myapp", "uid": "1"}}})
        self.cluster.lists = {"Ingress": [ingress(name)]}
        world.clusters[name] = self.cluster
        self.releases = FakeReleases([make_revision(1)] if plan.current_revision else [])
        self.locks = FakeLocks()
        self.again: list[str] = []

    @property
    def target(self) -> Target:
        return self.plan.target

    def work(self) -> Work:
        site = self.world.site(self.target.region)
        return Work(
            plan=self.plan,
            app=App("myapp", "myapp", (), sub_domain="myapp"),
            settings=replace(site.settings, rollout=RolloutSettings(timeout=0)),
            prepared=PreparedManifests("default", (CONFIG,), (canonical_text(CONFIG),)),
            record=DeploymentRecord("ours", "myapp", "prod", self.target.region),
            ports=replace(site.ports, releases=self.releases, locks=self.locks),
            timeout=0,
            dns=ManagedDns(site, self.plan.dns),
        )

    def planned_again(self) -> Work:
        self.again.append(self.target.region)
        if not self.releases.stored:
            self.plan = TargetPlan(self.target, release_action="install", dns=True)
        return self.work()


class Scene:
    """London and Seoul; `plan` is that of each region."""

    def __init__(self, plan: Callable[[Target], TargetPlan], *, order: Order | None = None) -> None:
        self.world = World(health=HealthCheckSettings(timeout=0.01, stable=0))
        targets = {name: Target("prod", name, "myapp") for name in REGIONS}
        self.regions = {name: Region(name, self.world, plan(target)) for name, target in targets.items()}
        self.order = order or Order((REGIONS,))

    def run(self, *, lock_wait: float = 0.0) -> dict[str, TargetResult]:
        members = [Member(one.work(), partial(one.planned_again)) for one in self.regions.values()]
        results, _ = run_fleets([Fleet(members, self.order, self.world.sink, US, lock_wait=lock_wait)])
        return {target.region: result for target, result in results.items()}

    @property
    def led_to(self) -> list[str]:
        """The regions to which clients are led."""
        return sorted(key[2] for key in self.world.dns.stored if key[2])


# Nothing to change but DNS.


def only_dns(target: Target) -> TargetPlan:
    return TargetPlan(target, current_revision=1, good_revision=1, dns=True)


def test_dns_alone_is_written_under_the_lock() -> None:
    scene = Scene(only_dns)
    results = scene.run()
    assert {one.outcome for one in results.values()} == {"unchanged"}, results
    assert scene.led_to == ["london", "seoul"]
    for region in scene.regions.values():
        assert [step for step, _ in region.locks.done] == ["acquire", "release"]
        assert region.locks.held[0].confirmed
        assert region.again  # its DNS may have been written meanwhile, without a new revision


def test_dns_that_a_removal_has_just_deleted_is_not_made_again() -> None:
    scene = Scene(only_dns)
    scene.regions["london"].locks.hold("myapp", THEM)
    results = scene.run()
    assert {one.outcome for one in results.values()} == {"not started"}
    assert "myapp is locked" in str(results["london"].error)
    assert scene.world.dns.done == []


def test_who_has_waited_for_a_removal_does_not_lead_clients_to_what_is_gone() -> None:
    scene = Scene(only_dns)
    london = scene.regions["london"]
    london.locks.hold("myapp", THEM)

    def they_remove(locks: FakeLocks) -> None:
        locks.states.clear()
        london.releases.stored.clear()

    london.locks.freed = they_remove
    results = scene.run(lock_wait=5)
    assert london.releases.stored  # it is installed again, as a deployment that begins now would do
    assert results["london"].outcome == "deployed"


def test_a_region_whose_dns_was_not_begun_is_not_called_unchanged() -> None:
    scene = Scene(only_dns, order=Order((("london",), ("seoul",))))
    london = scene.regions["london"]
    london.plan = replace(london.plan, release_action="upgrade")
    london.cluster.objects.clear()
    results = scene.run()
    assert results["london"].outcome != "deployed"
    assert (results["seoul"].outcome, scene.led_to) == ("not started", [])
