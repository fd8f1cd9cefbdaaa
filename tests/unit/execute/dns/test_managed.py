from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from deployer.errors import UnreachableError
from deployer.events import WarningRaised
from deployer.execute.attempt import Attempt
from deployer.execute.dns.managed import ManagedDns, write_dns
from deployer.model import TargetResult
from deployer.model.dns import RecordSet
from tests.unit.execute.dns import World


def written(
    world: World,
    outcome: Any = "deployed",
    *,
    revision: int | None = 1,
    differs: bool = True,
    adopt: bool = False,
    known: tuple[str, ...] = (),
) -> TargetResult:
    site = world.site("london")
    record = SimpleNamespace(deployment_id="20261121-100000-abcdef", who="anna@laptop")
    work: Any = SimpleNamespace(
        dns=ManagedDns(site, differs, adopt, frozenset(known)),
        target=site.target,
        record=record,
        place="prod london",
        settings=site.settings,
    )
    attempt = Attempt(work, world.sink)
    attempt.revision = revision
    return write_dns(attempt, TargetResult(site.target, outcome, changes=("Deployment/myapp: image", "dns: planned")))


def test_a_deployment_that_ended_well_writes_dns() -> None:
    world = World()
    result = written(world)
    assert (result.outcome, result.error) == ("deployed", None)
    assert result.changes[0] == "Deployment/myapp: image"
    assert result.changes[-1].startswith("dns: create myapp.example.com A (london)")
    assert "dns: planned" not in result.changes
    assert ("myapp.example.com", "A", "london") in world.dns.stored


def test_a_failed_one_leaves_dns_alone() -> None:
    world = World()
    assert written(world, "rolled back").outcome == "rolled back"
    assert world.dns.done == []


def test_without_a_new_revision_only_what_was_seen_to_differ_is_written() -> None:
    world = World()
    written(world, "unchanged", revision=None, differs=False)
    assert world.dns.done == []
    written(world, "unchanged", revision=None, differs=True)
    assert world.dns.done


def test_a_release_stays_good_when_dns_cannot_be_written() -> None:
    world = World()
    world.dns.down = UnreachableError("Route 53 could not be reached", hint="check the network")
    result = written(world)
    assert result.outcome == "deployed"
    assert isinstance(result.error, UnreachableError)
    assert result.error.hint == (
        "check the network\nthe release is well and stays; `deploy dns apply prod london myapp` writes its DNS"
    )


def test_what_somebody_else_has_made_is_left_alone() -> None:
    world = World()
    world.dns.add(RecordSet("myapp.example.com", "CNAME", 60, ("elsewhere.example.net",)))
    result = written(world)
    assert (result.error, world.dns.done) == (None, [])
    assert "left as it is" in warnings(world)[0]


BY_HAND = RecordSet("myapp.example.com", "CNAME", 60, ("elsewhere.example.net",))
KNOWN = ("myapp.example.com CNAME → elsewhere.example.net: made by somebody else, in the place of a record for london",)


def test_an_adoption_takes_over_what_was_shown() -> None:
    world = World()
    world.dns.add(BY_HAND)
    result = written(world, adopt=True, known=KNOWN)
    assert "dns: delete myapp.example.com CNAME" in result.changes
    assert BY_HAND not in world.dns.stored.values()
    assert ("myapp.example.com", "A", "london") in world.dns.stored
    assert warnings(world) == []


def test_an_adoption_leaves_what_has_appeared_since() -> None:
    world = World()
    world.dns.add(BY_HAND)
    written(world, adopt=True)
    assert world.dns.done == []
    assert warnings(world) == [
        f"{KNOWN[0]}: left as it is; `deploy dns apply --adopt prod london myapp` takes it over",
    ]


def test_an_adoption_that_failed_takes_no_record_over() -> None:
    world = World()
    world.dns.add(BY_HAND)
    written(world, "rolled back", adopt=True, known=KNOWN)
    assert world.dns.done == []


def warnings(world: World) -> list[str]:
    return [event.text for event in world.sink.events if isinstance(event, WarningRaised)]
