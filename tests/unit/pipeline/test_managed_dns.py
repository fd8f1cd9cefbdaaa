"""What a deployment, and an adoption, shows of DNS before anything is changed."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from deployer.cli.confirmation import confirm_adoption
from deployer.errors import HeldError
from deployer.model import Target
from deployer.model.dns import RecordSet
from deployer.pipeline.managed_dns import DnsAhead
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
