from __future__ import annotations

import re
from dataclasses import replace
from threading import Event

import pytest

from deployer.errors import ConflictError, DeployError, HeldError, UnreachableError
from deployer.execute.checkers import CheckersDisagree
from deployer.execute.dns.applying import Applying, apply
from deployer.execute.phases import Phases
from deployer.model import Target
from deployer.model.dns import HealthStatus, RecordSet
from tests.fake_dns import seen_by
from tests.unit.execute.dns import World, ingress
from tests.unit.plan.dns import AWS, SERVICE

LONDON, SEOUL = (Target("prod", region, "myapp") for region in ("london", "seoul"))
HOST = SERVICE.host


def test_hosts_come_first_then_checks_then_records_of_what_answers() -> None:
    world = World()
    assert not world.apply().errors
    assert world.dns.done == [
        "CREATE myapp.london.example.com A",
        "CREATE _deploy.myapp.london.example.com TXT",
        "CREATE myapp.seoul.example.com A",
        "CREATE _deploy.myapp.seoul.example.com TXT",
        "in sync C1",
        "create check-1 of myapp.london.example.com",
        "create check-2 of myapp.seoul.example.com",
        f"CREATE {HOST} A (london)",
        f"CREATE {HOST} A (seoul)",
        "in sync C2",
    ]
    records = {each.set_identifier: each for each in world.dns.stored.values() if each.name == HOST}
    assert {region: (each.region, each.health_check) for region, each in records.items()} == {
        "london": ("eu-west-2", "check-1"),
        "seoul": ("ap-northeast-2", "check-2"),
    }
    assert not world.survey().changes_anything


def test_no_record_leads_to_a_region_that_does_not_answer() -> None:
    world = World()
    world.probers["seoul"].reason = "HTTP status 503"
    errors = world.apply().errors
    assert [*errors] == [SEOUL]
    assert "HTTP status 503" in str(errors[SEOUL])
    assert [*world.dns.stored.keys()].count((HOST, "A", "london")) == 1
    assert (HOST, "A", "seoul") not in world.dns.stored
    world.probers["seoul"].reason = None
    assert not world.apply().errors
    assert (HOST, "A", "seoul") in world.dns.stored


def test_hosts_are_asked_only_before_clients_are_led_anew() -> None:
    world = World()
    world.apply()
    for prober in world.probers.values():
        prober.asked.clear()
    world.health = replace(world.health, failure_threshold=5)
    world.apply()
    assert [prober.asked for prober in world.probers.values()] == [[], []]
    assert [check.config.failure_threshold for check in world.dns.checks.values()] == [5, 5]


def test_a_check_that_cannot_be_changed_is_replaced_and_then_deleted() -> None:
    world = World()
    world.apply("london")
    world.health = replace(world.health, interval=10)
    world.dns.done.clear()
    assert not world.apply("london").errors
    assert world.dns.done == [
        "create check-2 of myapp.london.example.com",
        f"UPSERT {HOST} A (london)",
        "in sync C3",
        "delete check-1",
    ]
    (record,) = (each for each in world.dns.stored.values() if each.name == HOST)
    assert record.health_check == "check-2"


def test_a_check_is_replaced_only_once_the_checkers_agree_by_the_new_one() -> None:
    world = World()
    world.apply("london")
    world.health = replace(world.health, interval=10)
    world.dns.seen["check-2"] = seen_by(2, 18)
    error = world.apply("london").errors[LONDON]
    assert isinstance(error, CheckersDisagree)
    assert "2 of 18 see it healthy" in str(error)
    assert world.dns.stored[(HOST, "A", "london")].health_check == "check-1"
    world.dns.seen.clear()
    assert not world.apply("london").errors
    assert not world.survey("london").changes_anything


def test_a_health_check_that_is_drained_keeps_no_record_waiting() -> None:
    world = World()
    world.apply("london")
    (check,) = world.dns.checks.values()
    world.dns.checks[check.id] = replace(check, config=replace(check.config, disabled=True, inverted=True))
    del world.dns.stored[(HOST, "A", "london")]
    world.dns.seen[check.id] = HealthStatus()
    applied = world.apply("london")
    assert not applied.errors
    assert not applied.agreed
    assert (HOST, "A", "london") in world.dns.stored


def test_what_fails_in_one_region_keeps_no_other_from_being_done() -> None:
    world = World()
    world.dns.refuses = "myapp.seoul.example.com"
    errors = world.apply().errors
    assert [*errors] == [SEOUL]
    assert [each.set_identifier for each in world.dns.stored.values() if each.name == HOST] == ["london"]
    world.dns.refuses = None
    assert not world.apply().errors
    assert [each.set_identifier for each in world.dns.stored.values() if each.name == HOST] == ["london", "seoul"]


def test_a_batch_that_is_refused_fails_for_all_that_were_in_it_and_changes_nothing() -> None:
    world = World()
    found = world.survey()
    world.dns.add(RecordSet("myapp.london.example.com", "A", 60, ("192.0.2.1",)))  # between plan and deed
    errors = apply(Applying(Phases(world.sink), Event(), ""), found).errors
    assert {target: type(error) for target, error in errors.items()} == {LONDON: ConflictError, SEOUL: ConflictError}
    assert world.dns.done == []


def test_a_run_that_was_cut_off_is_taken_up() -> None:
    world = World()
    world.apply("london")
    (check,) = world.dns.checks.values()
    world.dns.checks[check.id] = replace(check, tags={})  # made, and not tagged any more
    del world.dns.stored[(HOST, "A", "london")]
    world.dns.done.clear()
    assert not world.apply("london").errors
    assert world.dns.done == [f"tag {check.id}", f"CREATE {HOST} A (london)", "in sync C3"]


def test_leftovers_go_only_when_asked_records_before_checks() -> None:
    world = World()
    world.apply()
    world.environments = ("prod.london",)
    world.dns.done.clear()
    world.apply("london")
    assert world.dns.done == []
    applied = world.apply("london", prune=True)
    assert not applied.left
    assert world.dns.done == [
        f"DELETE {HOST} A (seoul)",
        "DELETE myapp.seoul.example.com A",
        "DELETE _deploy.myapp.seoul.example.com TXT",
        "in sync C3",
        "delete check-2",
    ]
    assert not world.survey("london").plans[world.site("london").service].leftovers


def test_what_is_taken_over_gives_way_in_one_batch() -> None:
    world = World()
    by_hand = RecordSet(HOST, "A", 60, ("192.0.2.1",))
    world.dns.add(by_hand)
    (one, two) = world.survey().regions
    assert one.conflicts and two.conflicts
    assert not world.apply(adopt=True).errors
    last = world.dns.batches[-1]
    assert [change.action for change in last] == ["DELETE", "CREATE", "CREATE"]
    assert last[0].record == by_hand


# Looking.


def failure(world: World, region: str = "london") -> DeployError:
    ((target, error),) = world.survey(region).failures
    assert target.region == region
    return error


@pytest.mark.parametrize(
    ("status", "message"),
    [
        ([], r"has no load balancer .* names none yet"),
        ([{"ip": "192.0.2.1"}], r"has no load balancer .* names only the address 192\.0\.2\.1"),
        ([{"hostname": "lb.example.net"}], r"lb\.example\.net is no load balancer of this account in eu-west-2"),
    ],
)
def test_an_ingress_without_a_load_balancer_of_ours_is_told(status: list[dict[str, str]], message: str) -> None:
    world = World()
    live = ingress("london")
    live["status"]["loadBalancer"]["ingress"] = status
    world.clusters["london"] = replace(world.clusters["london"], lists={"Ingress": [live]})
    error = failure(world)
    assert isinstance(error, HeldError)
    assert re.search(message, str(error))


def test_an_app_that_is_not_there_yet_is_told() -> None:
    world = World()
    world.clusters["london"] = replace(world.clusters["london"], lists={})
    assert "no Ingress serves myapp.london.example.com" in str(failure(world))


def test_an_app_without_hosts_is_told() -> None:
    assert "there is no SubDomain in its file" in str(failure(World(sub_domain=None)))


def test_a_region_out_of_reach_hides_no_other() -> None:
    world = World()
    world.clusters["seoul"].down = UnreachableError("the API server does not answer")
    found = world.survey()
    assert [target.region for target, _ in found.failures] == ["seoul"]
    assert [region.target.region for region in found.regions] == ["london"]


def test_route53_out_of_reach_is_told_for_all() -> None:
    world = World()
    world.dns.down = UnreachableError("Route 53 could not be reached")
    assert {target.region for target, _ in world.survey().failures} == {*AWS} - {"paris"}
