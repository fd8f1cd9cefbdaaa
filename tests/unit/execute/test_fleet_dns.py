"""An app in two regions whose DNS is managed, the ports faked: who may write it, and what a way back leaves of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import pytest

from deployer.errors import UnreachableError
from deployer.execute import bake
from deployer.execute.answers import Answers
from deployer.execute.dns.managed import ManagedDns
from deployer.execute.dns.withdrawing import Withdrawal
from deployer.execute.drain import Gate, Traffic
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
from deployer.model.dns import HealthCheck
from deployer.model.drain import Drain
from deployer.plan.drain import Place, drained, marks
from deployer.plan.manifests import PreparedManifests
from deployer.plan.manifests.canonical import canonical_text
from deployer.plan.order import Order
from deployer.plan.steps import TargetPlan
from tests.fake_dns import seen_by
from tests.fakes import FakeCluster, FakeLocks, FakeReleases, make_revision
from tests.unit.execute.dns import REGIONS, World, ingress
from tests.unit.execute.test_drain import FakeNameServers

CONFIG: Json = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "myapp"}, "data": {"a": "b"}}
INGRESS: Json = {"apiVersion": "networking.k8s.io/v1", "kind": "Ingress", **ingress("london")}
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
        self.led_to_when_uninstalled: list[str] = []
        self.releases.uninstall = self._uninstall  # type: ignore[method-assign]
        self.in_ingress = False
        self.again: list[str] = []

    @property
    def target(self) -> Target:
        return self.plan.target

    def _uninstall(self, *arguments: object, **named: object) -> None:
        self.led_to_when_uninstalled = led_to(self.world)
        self.releases.stored.clear()

    def break_down(self) -> None:
        """From now on what is deployed does not become ready."""
        self.cluster.objects.clear()

    def work(self) -> Work:
        site = self.world.site(self.target.region)
        place = Place(site.service, self.target.region, site.settings.aws_region)
        names = FakeNameServers(self.world.dns, answers=False)
        answers = Answers(place, site.dns, names)
        settings = replace(site.settings, rollout=RolloutSettings(timeout=0, drain_grace=0))
        objects = (CONFIG, INGRESS) if self.in_ingress else (CONFIG,)
        return Work(
            plan=self.plan,
            app=App("myapp", "myapp", (), sub_domain="myapp"),
            settings=settings,
            prepared=PreparedManifests("default", objects, tuple(map(canonical_text, objects))),
            record=DeploymentRecord("ours", "myapp", "prod", self.target.region),
            ports=replace(site.ports, releases=self.releases, locks=self.locks),
            timeout=0,
            dns=ManagedDns(site, self.plan.dns),
            traffic=Traffic(Gate(place, site.dns, names, site.ports.prober, US)) if self.in_ingress else None,
            withdrawal=Withdrawal(replace(site, settings=settings), answers),
        )

    def planned_again(self) -> Work:
        self.again.append(self.target.region)
        if not self.releases.stored:
            self.plan = TargetPlan(self.target, release_action="install", dns=True)
        return self.work()


class Scene:
    """London and Seoul; `plan` is that of each region."""

    def __init__(self, plan: Callable[[Target], TargetPlan], *, order: Order | None = None) -> None:
        self.world = World(health=HealthCheckSettings(timeout=0.01, stable=0, connect_to="192.0.2.1:443"))
        targets = {name: Target("prod", name, "myapp") for name in REGIONS}
        self.regions = {name: Region(name, self.world, plan(target)) for name, target in targets.items()}
        self.order = order or Order((REGIONS,))

    def run(self, *, lock_wait: float = 0.0) -> dict[str, TargetResult]:
        members = [Member(one.work(), partial(one.planned_again)) for one in self.regions.values()]
        results, _ = run_fleets([Fleet(members, self.order, self.world.sink, US, lock_wait=lock_wait)])
        return {target.region: result for target, result in results.items()}

    @property
    def led_to(self) -> list[str]:
        return led_to(self.world)


def led_to(world: World) -> list[str]:
    """The regions to which clients are led."""
    return sorted(key[2] for key in world.dns.stored if key[2])


@pytest.fixture(autouse=True)
def nobody_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("deployer.execute.answers.Answers._sleep", lambda *_: None)
    monkeypatch.setattr("deployer.execute.checkers._MARGIN", -1000.0)


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
    london.break_down()
    results = scene.run()
    assert results["london"].outcome != "deployed"
    assert (results["seoul"].outcome, scene.led_to) == ("not started", [])


def test_a_region_that_was_left_drained_comes_back_under_the_lock() -> None:
    scene = Scene(only_dns, order=Order((("london",),)))
    del scene.regions["seoul"]
    scene.world.apply("london")
    check = check_of(scene.world, "london")
    drain = Drain("ben@desk", "2026-11-21T12:00:00+00:00", "deploy myapp 2", "d-2", "deploy")
    scene.world.dns.checks[check.id] = replace(check, config=drained(check.config), tags={**check.tags, **marks(drain)})
    london = scene.regions["london"]
    london.in_ingress = True
    result = scene.run()["london"]
    assert (result.outcome, result.error) == ("repaired", None)
    assert check_of(scene.world, "london").config == check.config
    assert result.absence is not None
    assert result.absence.until is not None
    assert [step for step, _ in london.locks.done] == ["acquire", "release"]


# A first installation that is taken away again.

BACK = Order((("london",), ("seoul",)), on_failure="rollback")


def first(target: Target) -> TargetPlan:
    return TargetPlan(target, release_action="install", dns=True)


def test_a_region_that_goes_back_because_of_another_leaves_dns_first() -> None:
    scene = Scene(first, order=BACK)
    london, seoul = scene.regions.values()
    seoul.break_down()
    results = scene.run()
    assert {name: one.outcome for name, one in results.items()} == {"london": "uninstalled", "seoul": "uninstalled"}
    assert london.led_to_when_uninstalled == []
    assert scene.world.dns.stored == {}
    assert scene.world.dns.checks == {}
    phases = [one.phase for one in results["london"].phases]
    assert phases[-3:] == ["dns", "clients", "uninstall"]


def test_a_region_that_falls_ill_after_it_came_into_dns_leaves_it_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bake, "PAUSE", 0.01)
    scene = Scene(first, order=replace(BACK, bake=5, on_failure="hold"))
    london = scene.regions["london"]
    mark = london.releases.mark

    def falls_ill(*arguments: Any, verified: bool, **more: Any) -> None:
        mark(*arguments, verified=verified, **more)
        assert scene.led_to == ["london"]
        london.break_down()

    london.releases.mark = falls_ill  # type: ignore[method-assign]
    results = scene.run()
    assert results["london"].outcome == "uninstalled", results["london"].error
    assert (london.led_to_when_uninstalled, scene.led_to) == ([], [])


def test_a_release_stays_while_clients_cannot_be_led_away() -> None:
    scene = Scene(first, order=BACK)
    london, seoul = scene.regions.values()
    change = seoul.releases.upgrade

    def outage(*arguments: Any) -> int:
        scene.world.dns.down = UnreachableError("Route 53 could not be reached")
        seoul.break_down()
        return change(*arguments)

    seoul.releases.upgrade = outage  # type: ignore[method-assign, assignment]
    results = scene.run()
    assert results["london"].outcome == "failed"
    assert "Route 53 could not be reached" in str(results["london"].error.hint if results["london"].error else "")
    assert london.releases.stored
    assert results["seoul"].outcome == "uninstalled"  # nobody was ever led there


def test_what_the_checkers_refuse_keeps_what_leads_nobody() -> None:
    scene = Scene(first, order=Order((("london",),)))
    del scene.regions["seoul"]
    scene.world.dns.seen["check-1"] = seen_by(0, 18)
    assert scene.run()["london"].outcome == "uninstalled"
    assert ("myapp.london.example.com", "A", None) in scene.world.dns.stored
    assert list(scene.world.dns.checks) == ["check-1"]


# A health check that had to be replaced.


def check_of(world: World, region: str) -> HealthCheck:
    """The only health check of a region, which its record names."""
    (check,) = [one for one in world.dns.checks.values() if one.config.host == f"myapp.{region}.example.com"]
    assert world.dns.stored["myapp.example.com", "A", region].health_check == check.id
    return check


@pytest.mark.parametrize("drained", [False, True])
def test_a_health_check_that_was_replaced_comes_back_with_the_release(*, drained: bool) -> None:
    scene = Scene(
        lambda target: TargetPlan(target, release_action="upgrade", current_revision=1, good_revision=1, dns=True),
        order=BACK,
    )
    world = scene.world
    world.apply()
    before = check_of(world, "london")
    if drained:
        out = replace(before.config, disabled=True, inverted=True)
        world.dns.checks[before.id] = before = replace(before, config=out, tags={**before.tags, "by": "anna"})
    world.health = replace(world.health, interval=10)
    seoul = scene.regions["seoul"]
    change = seoul.releases.upgrade

    def breaks(*arguments: Any) -> int:
        assert check_of(world, "london").config.interval == 10
        seoul.break_down()
        return change(*arguments)

    seoul.releases.upgrade = breaks  # type: ignore[method-assign, assignment]
    results = scene.run()
    assert results["london"].outcome == "rolled back"
    now = check_of(world, "london")
    assert (now.config, now.tags) == (before.config, before.tags)
    assert check_of(world, "seoul").config.interval == 30
