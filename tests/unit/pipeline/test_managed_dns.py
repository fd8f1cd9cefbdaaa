"""What a deployment, and an adoption, shows of DNS before anything is changed."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from deployer.cli.confirmation import confirm_adoption
from deployer.errors import HeldError, UnreachableError
from deployer.model import RolloutSettings, Target
from deployer.model.dns import RecordSet
from deployer.model.drain import BY_HAND, Drain
from deployer.model.settings import DnsSettings
from deployer.pipeline.managed_dns import DnsAhead
from deployer.pipeline.traffic import Wish
from deployer.plan.drain import drained, marks
from deployer.plan.steps import Plan, TargetPlan
from tests.unit.execute.dns import World

TARGET = Target("prod", "london", "myapp")
CONFLICT = "myapp.example.com A → 192.0.2.1: made by somebody else, in the place of a record for london"


def ahead(world: World, *, adopt: bool) -> DnsAhead:
    site = world.site("london")
    services: Any = SimpleNamespace(
        region=lambda *_: site.ports, dns=lambda *_: site.dns, load_balancers=lambda *_: site.balancers
    )
    made = DnsAhead([site], services, adopt=adopt)
    made.begin()
    assert made.failures == []
    return made


def with_record_by_hand() -> World:
    world = World()
    world.dns.add(RecordSet("myapp.example.com", "A", 60, ("192.0.2.1",)))
    return world


def test_a_deployment_warns_of_what_is_not_ours() -> None:
    dns = ahead(with_record_by_hand(), adopt=False)
    plan = dns.planned(TargetPlan(TARGET))
    assert (plan.dns, plan.adoption.lines) == (False, ())
    assert [warning.startswith(CONFLICT) for warning in plan.warnings] == [True]
    managed = dns.managed(TARGET, differs=plan.dns)
    assert managed is not None
    assert not managed.adopt


def test_an_adoption_shows_and_asks_for_what_it_takes_over() -> None:
    dns = ahead(with_record_by_hand(), adopt=True)
    plan = dns.planned(TargetPlan(TARGET))
    assert (plan.dns, plan.warnings) == (True, ())
    assert plan.adoption.lines == (f"dns: {CONFLICT}: taken over",)
    assert plan.changes[0] == plan.adoption.lines[0]
    assert "dns: delete myapp.example.com A" in plan.changes
    with pytest.raises(HeldError) as caught:
        confirm_adoption(Plan((plan,)), yes=False, pause=lambda: pytest.fail("nobody is there to be asked"))
    assert CONFLICT in str(caught.value.why)
    managed = dns.managed(TARGET, differs=plan.dns)
    assert managed is not None
    assert (managed.adopt, managed.known) == (True, frozenset({CONFLICT}))


def test_what_leads_right_is_taken_over_after_asking_too() -> None:
    world = World()
    world.apply("london")
    world.dns.stored = {key: record for key, record in world.dns.stored.items() if record.type != "TXT"}
    plan = ahead(world, adopt=True).planned(TargetPlan(TARGET))
    assert len(plan.adoption.lines) == 1
    assert any("_deploy.myapp.london.example.com TXT" in change for change in plan.changes)


def test_an_adoption_with_nothing_of_others_in_dns_asks_for_nothing() -> None:
    plan = ahead(World(), adopt=True).planned(TargetPlan(TARGET))
    assert (plan.dns, plan.adoption.lines) == (True, ())


def test_records_of_a_region_that_could_not_be_seen_are_not_taken_over() -> None:
    world = with_record_by_hand()
    world.clusters["london"].lists = {"Ingress": []}
    dns = ahead(world, adopt=True)
    assert dns.planned(replace(TargetPlan(TARGET))).adoption.lines == ()
    managed = dns.managed(TARGET, differs=False)
    assert managed is not None
    assert not managed.adopt


# A drain that a run has left.


def leave_drained(world: World, *, action: str = "deploy") -> None:
    world.apply("london")
    (check,) = world.dns.checks.values()
    drain = Drain("ben@desk", "2026-11-21T12:00:00+00:00", "deploy myapp 2", "d-2", action)
    world.dns.checks[check.id] = replace(check, config=drained(check.config), tags={**check.tags, **marks(drain)})


def only_drained(world: World, wish: Wish | None = None, *, drain: bool = True) -> DnsAhead:
    """DNS that is not managed: the settings of the stage, or the command, say that regions are drained."""
    site = world.site("london")
    settings = replace(site.settings, dns=DnsSettings(), rollout=RolloutSettings(drain=drain))
    services: Any = SimpleNamespace(
        region=lambda *_: site.ports, dns=lambda *_: site.dns, load_balancers=lambda *_: site.balancers
    )
    made = DnsAhead([replace(site, settings=settings)], services, wish)
    made.begin()
    assert made.failures == []
    return made


@pytest.mark.parametrize("managed", [True, False])
def test_a_region_that_was_left_drained_is_something_to_do(*, managed: bool) -> None:
    world = World()
    leave_drained(world)
    plan = (ahead(world, adopt=False) if managed else only_drained(world)).planned(TargetPlan(TARGET))
    assert plan.changes_anything
    assert plan.changes_region  # so that its lock is taken
    assert plan.changes == ("dns: london comes back, once it is healthy",)
    assert "it was drained by ben@desk" in plan.reasons[0]


def test_a_drain_that_was_asked_for_on_this_command_line_counts_too() -> None:
    world = World()
    leave_drained(world)
    assert only_drained(world, Wish(drain=True), drain=False).planned(TargetPlan(TARGET)).dns
    world.dns.down = UnreachableError("nobody is to ask")
    assert only_drained(world, drain=False).planned(TargetPlan(TARGET)) == TargetPlan(TARGET)


def test_a_drain_by_hand_and_one_that_a_change_ends_are_nothing_to_plan() -> None:
    world = World()
    leave_drained(world)
    upgrade = TargetPlan(TARGET, release_action="upgrade", reasons=("new image",))
    assert ahead(world, adopt=False).planned(upgrade) == upgrade
    world = World()
    leave_drained(world, action=BY_HAND)
    assert not ahead(world, adopt=False).planned(TargetPlan(TARGET)).changes_anything


def test_an_outage_of_route_53_is_told_where_it_is_only_asked_for_drains() -> None:
    world = World()
    world.dns.down = UnreachableError("Route 53 could not be reached")
    plan = only_drained(world).planned(TargetPlan(TARGET))
    assert not plan.changes_anything
    assert plan.warnings == ("whether london is drained cannot be seen: Route 53 could not be reached",)
