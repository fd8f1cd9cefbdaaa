from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from deployer.errors import UnreachableError
from deployer.events import WarningRaised
from deployer.execute.attempt import Attempt
from deployer.execute.checkers import CheckersDisagree
from deployer.execute.dns.managed import ManagedDns, give_old_check_back, write_dns, write_dns_alone
from deployer.model import TargetResult
from deployer.model.dns import RecordSet
from tests.fake_dns import seen_by
from tests.unit.execute.dns import World
from tests.unit.execute.test_drain import Time


def attempt_at(world: World, *, differs: bool = True, adopt: bool = False, known: tuple[str, ...] = ()) -> Attempt:
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
    attempt.stopping = Time().stop()
    return attempt


def written(
    world: World,
    outcome: Any = "deployed",
    *,
    revision: int | None = 1,
    **more: Any,
) -> TargetResult:
    attempt = attempt_at(world, **more)
    attempt.revision = revision
    return write_dns_alone(
        attempt, TargetResult(attempt.work.target, outcome, changes=("Deployment/myapp: image", "dns: planned"))
    )


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


# Judged by Route 53's checkers.


@pytest.fixture(autouse=True)
def no_time_is_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("deployer.execute.checkers._MARGIN", -1000.0)


def test_clients_are_led_only_to_what_the_checkers_see_healthy() -> None:
    world = World()
    world.dns.seen["check-1"] = seen_by(0, 18)
    attempt = attempt_at(world)
    attempt.revision = 1
    with pytest.raises(CheckersDisagree) as refused:
        write_dns(attempt)
    assert "myapp.london.example.com" in refused.value.what
    assert "no record that leads clients there was made" in (refused.value.hint or "")
    assert ("myapp.london.example.com", "A", None) in world.dns.stored  # the checkers need it
    assert ("myapp.example.com", "A", "london") not in world.dns.stored


def test_a_release_that_is_there_is_not_taken_back_but_has_failed() -> None:
    world = World()
    world.dns.seen["check-1"] = seen_by(0, 18)
    result = written(world, "unchanged", revision=None)
    assert result.outcome == "failed"
    assert isinstance(result.error, CheckersDisagree)
    world.dns.seen.clear()
    assert written(world, "unchanged", revision=None).outcome == "unchanged"
    assert ("myapp.example.com", "A", "london") in world.dns.stored


def test_checkers_that_nobody_can_ask_about_take_no_release_back() -> None:
    world = World()

    def down(check: object) -> Any:
        raise UnreachableError("Route 53 could not be reached")

    world.dns.status = down  # type: ignore[method-assign]
    result = written(world)
    assert result.outcome == "deployed"
    assert isinstance(result.error, UnreachableError)
    assert ("myapp.example.com", "A", "london") not in world.dns.stored


def test_who_has_waited_for_the_checkers_says_so() -> None:
    world = World()
    attempt = attempt_at(world)
    attempt.revision = 1
    assert write_dns(attempt).agreed
    assert not write_dns(attempt).agreed  # nothing was left to do


def test_a_way_back_takes_the_health_check_along_and_leaves_a_drain() -> None:
    world = World()
    written(world)
    (check,) = world.dns.checks.values()
    attempt = attempt_at(replace(world, health=replace(world.health, path="/new")))
    attempt.revision = 2
    write_dns(attempt)
    assert world.dns.checks[check.id].config.path == "/new"
    now = world.dns.checks[check.id]
    world.dns.checks[check.id] = replace(now, config=replace(now.config, disabled=True, inverted=True))
    give_old_check_back(attempt)
    config = world.dns.checks[check.id].config
    assert config == replace(check.config, disabled=True, inverted=True)
    world.dns.done.clear()
    give_old_check_back(attempt)
    assert world.dns.done == []


def warnings(world: World) -> list[str]:
    return [event.text for event in world.sink.events if isinstance(event, WarningRaised)]
