"""`deploy dns apply`: under the locks of the releases, and only what was shown."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import pytest

from deployer.errors import HeldError
from deployer.execute.dns.site import Site
from deployer.execute.services import Services
from deployer.model import Holder
from deployer.pipeline.dns import DnsCommand
from tests.fake_dns import FakeDns
from tests.fakes import RecordingSink
from tests.unit.execute.dns import REGIONS, World

SOMEBODY = Holder("d-1", "anna@laptop", "laptop", "", "remove")


class Around:
    """What the command knows of the world: each target's site, as its settings and its ports."""

    def __init__(self, sites: Sequence[Site]) -> None:
        self._sites = {site.target: site for site in sites}

    def region(self, settings: Any, target: Any) -> Any:
        return self._sites[target].ports

    def dns(self, settings: Any, target: Any) -> Any:
        return self._sites[target].dns

    def load_balancers(self, settings: Any, target: Any) -> Any:
        return self._sites[target].balancers

    def who(self) -> str:
        return "eve@desk"

    def holder(self, deployment: str, action: str) -> Holder:
        return Holder(deployment, self.who(), "desk", "", action)


def command(world: World) -> DnsCommand:
    sites = world.sites()
    return DnsCommand("prod", sites, cast(Services, Around(sites)), RecordingSink())


def test_dns_is_written_under_the_locks_of_the_releases() -> None:
    class Watching(FakeDns):
        def change(self, *arguments: Any) -> str:
            held.append({region: dict(locks.states) for region, locks in world.locks.items()})
            return super().change(*arguments)

    held: list[dict[str, Any]] = []
    world = World(dns=Watching())
    applying = command(world)
    result = applying.apply(applying.survey())
    assert not result.errors
    assert held
    for states in held:
        assert {region: [*states[region]] for region in REGIONS} == {region: ["myapp"] for region in REGIONS}
        holder = states["london"]["myapp"].holder
        assert (holder.action, holder.who) == ("dns apply", "eve@desk")
    assert not any(locks.states for locks in world.locks.values())
    asked = len(world.locks["london"].done)
    again = applying.apply(applying.survey())
    assert not again.changes_anything
    assert len(world.locks["london"].done) == asked, "where nothing is to be done no lock is needed"


def test_nothing_is_written_where_somebody_is_at_work() -> None:
    world = World()
    world.locks["seoul"].hold("myapp", SOMEBODY)
    applying = command(world)
    with pytest.raises(HeldError, match="locked"):
        applying.apply(applying.survey())
    assert world.dns.done == []
    assert world.locks["london"].states == {}


def test_what_changed_since_it_was_shown_is_not_carried_out() -> None:
    world = World()
    applying = command(world)
    shown = applying.survey()
    world.apply("london")
    done = list(world.dns.done)
    with pytest.raises(HeldError, match="changed meanwhile"):
        applying.apply(shown)
    assert world.dns.done == done
    assert not any(locks.states for locks in world.locks.values())


def test_a_lock_that_is_lost_ends_it() -> None:
    class Losing(FakeDns):
        def create_health_check(self, *arguments: Any, **named: Any) -> Any:
            made = super().create_health_check(*arguments, **named)
            world.locks["london"].held[-1].lose()
            return made

    world = World(dns=Losing())
    applying = command(world)
    result = applying.apply(applying.survey())
    assert result.errors
    assert not any(record.set_identifier for record in world.dns.stored.values())
