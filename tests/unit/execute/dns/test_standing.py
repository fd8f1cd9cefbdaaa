from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from deployer.errors import UnreachableError
from deployer.execute.dns.standing import read_standing
from deployer.model.drain import Drain
from deployer.model.traffic import TrafficStatus
from deployer.plan.drain import marks
from tests.fake_dns import seen_by
from tests.unit.execute.dns import World
from tests.unit.plan.dns import latency


@pytest.fixture
def world() -> World:
    made = World()
    made.apply()
    return made


def london(world: World, **options: Any) -> TrafficStatus:
    return read_standing(world.sites("london"), **options)[0]


def test_records_and_what_the_checkers_see(world: World) -> None:
    one, two = read_standing(world.sites())
    assert (one.health, one.global_host, one.host) == ("healthy", "myapp.example.com", "myapp.london.example.com")
    assert one.record is not None and one.record.region == "eu-west-2"
    assert (two.health, two.foreign) == ("healthy", False)


@pytest.mark.parametrize(("well", "checkers", "health"), [(3, 16, "healthy"), (2, 16, "unhealthy"), (0, 0, "no data")])
def test_the_health_is_what_route53_makes_of_it(world: World, well: int, checkers: int, health: str) -> None:
    world.dns.seen["check-1"] = seen_by(well, checkers)
    assert london(world).health == health


@pytest.mark.parametrize(
    ("disabled", "inverted", "health"),
    [(True, True, "drained"), (True, False, "disabled"), (False, True, "inverted")],
)
def test_what_was_switched_off_is_told(world: World, disabled: bool, inverted: bool, health: str) -> None:
    check = world.dns.checks["check-1"]
    world.dns.checks["check-1"] = replace(check, config=replace(check.config, disabled=disabled, inverted=inverted))
    assert london(world).health == health


def test_who_has_drained_it_is_told(world: World) -> None:
    check = world.dns.checks["check-1"]
    drain = Drain("anna@laptop", "2026-11-21T10:00:00+00:00", "a change", "20261121-100000-abcdef")
    config = replace(check.config, disabled=True, inverted=True)
    world.dns.checks["check-1"] = replace(check, config=config, tags={**check.tags, **marks(drain)})
    assert london(world).drain == drain


def test_a_region_without_a_record_of_ours(world: World) -> None:
    empty = london(World())
    assert (empty.health, empty.record, empty.foreign) == ("unchecked", None, False)
    world.dns.add(latency(health_check="theirs"))
    other = london(world)
    assert (other.foreign, other.record) == (True, latency(health_check="theirs"))


def test_no_cluster_is_needed(world: World) -> None:
    world.clusters["london"].down = UnreachableError("the API server does not answer")
    assert london(world).health == "healthy"


def test_what_cannot_be_asked_is_unknown(world: World) -> None:
    world.dns.down = UnreachableError("Route 53 could not be reached")
    found = read_standing(world.sites())
    assert [one.health for one in found] == ["unknown", "unknown"]
    assert all(isinstance(one.error, UnreachableError) for one in found)


def test_so_many_are_asked_and_no_more(world: World) -> None:
    assert [one.health for one in read_standing(world.sites(), most=1)] == ["healthy", "unknown"]
