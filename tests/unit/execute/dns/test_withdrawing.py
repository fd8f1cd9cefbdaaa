from __future__ import annotations

from threading import Event

import pytest

from deployer.errors import UnreachableError
from deployer.execute.dns.applying import Applied, Applying
from deployer.execute.dns.withdrawing import look_for_withdrawal, withdraw
from deployer.execute.phases import Phases
from deployer.model.dns import RecordSet
from tests.unit.execute.dns import World


@pytest.fixture
def world() -> World:
    made = World()
    made.apply()
    made.dns.done.clear()
    return made


def leave(world: World, *regions: str) -> Applied:
    found, failures = look_for_withdrawal(world.sites(*regions))
    assert not failures
    return withdraw(Applying(Phases(world.sink), Event(), ""), found)


def test_a_region_leaves_records_first(world: World) -> None:
    world.clusters["seoul"].down = UnreachableError("its cluster is gone")
    assert not leave(world, "seoul").left
    assert world.dns.done == [
        "DELETE myapp.example.com A (seoul)",
        "DELETE myapp.seoul.example.com A",
        "DELETE _deploy.myapp.seoul.example.com TXT",
        "in sync C3",
        "delete check-2",
    ]
    leave(world, "seoul")
    assert len(world.dns.done) == 5


def test_a_region_without_a_health_check_leaves_too(world: World) -> None:
    """A run was killed before it made one, or was not allowed to."""
    world.dns.checks = {
        key: each for key, each in world.dns.checks.items() if each.config.host != "myapp.seoul.example.com"
    }
    del world.dns.stored["myapp.example.com", "A", "seoul"]
    assert not leave(world, "seoul").left
    assert not [key for key in world.dns.stored if "seoul" in key[0]]
    assert ("myapp.london.example.com", "A", None) in world.dns.stored


def test_all_regions_leave_and_what_is_not_ours_stays(world: World) -> None:
    other = RecordSet("myapp.example.com", "TXT", 60, ('"not ours"',))
    world.dns.add(other)
    leave(world)
    assert list(world.dns.stored.values()) == [other]
    assert world.dns.checks == {}


def test_what_is_left_of_other_regions_is_not_taken_along(world: World) -> None:
    world.environments = ("prod.london",)
    leave(world, "london")
    assert {record.set_identifier for record in world.dns.stored.values()} == {None, "seoul"}


def test_an_app_without_hosts_has_nothing_to_leave() -> None:
    world = World(sub_domain=None)
    assert leave(world).left == ()
