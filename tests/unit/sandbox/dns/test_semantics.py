"""docs/route53.md, line by line: every case carries the number of the line that it holds."""

from __future__ import annotations

import asyncio
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from deployer.sandbox.dns import check_rules
from deployer.sandbox.dns.answers import Code, View
from deployer.sandbox.dns.batches import Refused, Surroundings, changed
from deployer.sandbox.dns.check_rules import Created
from deployer.sandbox.dns.checkers import Checkers
from deployer.sandbox.dns.geography import client_region
from deployer.sandbox.dns.health import CHECKERS, Checker, Endpoint, is_healthy, regions_of
from deployer.sandbox.dns.ledger import Ledger
from deployer.sandbox.dns.records import Alias, HealthCheck, RecordSet, State
from tests.unit.sandbox.dns.world import (
    ADDRESSES,
    APP,
    REGIONS,
    ZONE,
    alias,
    balancer,
    change,
    check,
    latency,
    own_records,
    regions,
    says,
    state,
    view,
    without,
)

LONDON, VIRGINIA, SEOUL = REGIONS
DOCUMENT = Path(__file__).parents[4] / "docs" / "route53.md"
ALL = tuple(latency(region) for region in REGIONS)


def test_every_line_is_held() -> None:
    documented = re.findall(r"^\| ([A-Z]\d+) \|", DOCUMENT.read_text(), re.MULTILINE)
    assert len(documented) == len(set(documented))
    held = set(re.findall(r'"([A-Z]\d+)"', Path(__file__).read_text()))
    for other in ("test_probe.py", "test_name_server.py"):
        held |= set(re.findall(r'"([A-Z]\d+)"', Path(__file__).with_name(other).read_text()))
    assert held == set(documented)


# --- which record is chosen ------------------------------------------------------------------------------------------


def answered(seen: View, client: str = LONDON, name: str = APP, type_: str = "A") -> tuple[str, ...]:
    answer = seen.answer(name, type_, client)
    return answer.records[-1].values if answer.records else ()


CHOICES = [
    ("C1", ALL, (), LONDON, LONDON),
    ("C1", ALL, (), VIRGINIA, VIRGINIA),
    ("C1", ALL, (), SEOUL, SEOUL),
    ("C2", (latency(VIRGINIA), latency(SEOUL)), (), LONDON, VIRGINIA),
    ("C2", (latency(LONDON), latency(VIRGINIA)), (), SEOUL, VIRGINIA),
    ("C3", ALL, regions(LONDON), LONDON, VIRGINIA),
    ("C3", ALL, regions(LONDON, VIRGINIA), LONDON, SEOUL),
    ("C3", ALL, regions(SEOUL), SEOUL, VIRGINIA),
    ("C3", ALL, regions(VIRGINIA), VIRGINIA, LONDON),
    ("C4", ALL, regions(*REGIONS), LONDON, LONDON),
    ("C4", ALL, regions(*REGIONS), SEOUL, SEOUL),
    ("C5", (latency(LONDON), latency(VIRGINIA, health_check=None)), regions(LONDON, VIRGINIA), LONDON, VIRGINIA),
    ("R4", (latency(LONDON, health_check="deleted"), latency(VIRGINIA)), (), LONDON, LONDON),
]


@pytest.mark.parametrize(("line", "records", "unhealthy", "client", "expected"), CHOICES)
def test_the_record_that_is_chosen(
    line: str, records: tuple[RecordSet, ...], unhealthy: tuple[str, ...], client: str, expected: str
) -> None:
    assert answered(view(*records, unhealthy=unhealthy), client) == (ADDRESSES[expected],)


@says("C6")
def test_an_alias_takes_over_the_load_balancers_health(line: str) -> None:
    plain = [without(record, health_check=None) for record in ALL]
    assert answered(view(*plain, down=(LONDON,))) == (ADDRESSES[VIRGINIA],)
    ignoring = [latency(region, evaluate=False, health_check=None) for region in REGIONS]
    assert answered(view(*ignoring, down=(LONDON,))) == (ADDRESSES[LONDON],)


@says("R1")
def test_both_a_health_check_and_the_target_must_be_healthy(line: str) -> None:
    assert answered(view(*ALL, down=(LONDON,))) == (ADDRESSES[VIRGINIA],)
    assert answered(view(*ALL, unhealthy=regions(LONDON))) == (ADDRESSES[VIRGINIA],)
    assert answered(view(*ALL, unhealthy=regions(LONDON), down=(VIRGINIA,))) == (ADDRESSES[SEOUL],)


@says("C7")
def test_an_alias_to_records_is_healthy_while_one_of_them_is(line: str) -> None:
    inner = [latency(region, "inner.deploy.test.") for region in (SEOUL, VIRGINIA)]
    outer = [
        RecordSet(APP, "A", identifier="a", region=SEOUL, alias=Alias("inner.deploy.test.", ZONE, True)),
        latency(LONDON, health_check=None),
    ]
    one = view(*inner, *outer, unhealthy=regions(SEOUL))
    assert answered(one, SEOUL) == (ADDRESSES[VIRGINIA],)
    assert answered(view(*inner, *outer, unhealthy=regions(SEOUL, VIRGINIA)), SEOUL) == (ADDRESSES[LONDON],)


def test_aliases_in_a_circle_end() -> None:
    circle = [
        RecordSet("a.deploy.test.", "A", alias=Alias("b.deploy.test.", ZONE, True)),
        RecordSet("b.deploy.test.", "A", alias=Alias("a.deploy.test.", ZONE, True)),
        RecordSet("c.deploy.test.", "CNAME", 60, ("c.deploy.test",)),
    ]
    assert view(*circle).answer("a.deploy.test", "A", LONDON).code is Code.NODATA
    assert len(view(*circle).answer("c.deploy.test", "A", LONDON).records) < 20


@says("C8")
def test_a_client_is_located_by_its_address(line: str) -> None:
    assert [client_region(f"127.0.31.{number}") for number in (1, 2, 3)] == list(REGIONS)
    assert client_region("10.231.3.7") == SEOUL
    assert client_region("127.0.0.1") == client_region("::1") == LONDON


# --- health checks ---------------------------------------------------------------------------------------------------


@says("H5")
@pytest.mark.parametrize("threshold", [1, 3, 10])
def test_a_checker_changes_its_mind_after_some_checks_in_a_row(line: str, threshold: int) -> None:
    checker = Checker()
    for passed in (False, True):
        for _ in range(threshold - 1):
            checker.observe(passed, threshold)
            assert checker.healthy is not passed
        checker.observe(passed, threshold)
        assert checker.healthy is passed
    for _ in range(20):  # never enough in a row
        for _ in range(threshold - 1):
            checker.observe(False, threshold)
        checker.observe(True, threshold)
        assert checker.healthy
    assert HealthCheck("x", "HTTP").threshold == 3


@says("H6")
@pytest.mark.parametrize(
    ("convinced", "healthy"),
    [(tuple(CHECKERS), True), (("us-west-1", "us-west-2"), True), (("eu-west-1",), False), ((), False)],
)
def test_more_than_eighteen_per_cent_must_agree(line: str, convinced: tuple[str, ...], healthy: bool) -> None:
    assert (sum(CHECKERS.values()), CHECKERS["us-west-1"] + CHECKERS["us-west-2"], CHECKERS["eu-west-1"]) == (18, 4, 3)
    endpoint = Endpoint({region: Checker(healthy=region in convinced) for region in CHECKERS})
    assert endpoint.healthy is healthy


def failing(*names: str) -> dict[str, Endpoint]:
    return {name: Endpoint({region: Checker(healthy=False) for region in CHECKERS}) for name in names}


@pytest.mark.parametrize(
    ("line", "given", "endpoints", "healthy"),
    [
        ("H7", check(), {}, True),
        ("H7", check(), {"check": Endpoint({region: Checker() for region in CHECKERS})}, True),
        ("H8", check(disabled=True), failing("check"), True),
        ("H9", check(inverted=True), failing("check"), True),
        ("H9", check(disabled=True, inverted=True), {}, False),
        ("H9", check(disabled=True, inverted=True), failing("check"), False),
        ("C10", check(), failing("check"), False),
        ("R2", check(inverted=True), {}, False),
        ("R4", None, {}, True),
    ],
)
def test_the_status_of_a_health_check(
    line: str, given: HealthCheck | None, endpoints: dict[str, Endpoint], healthy: bool
) -> None:
    assert is_healthy(given, endpoints) is healthy


@says("H13")
def test_checks_come_from_the_regions_that_are_named(line: str) -> None:
    assert len(regions_of(check())) == 8
    assert regions_of(check(regions=("us-west-1", "us-east-1", "sa-east-1"))) == ("us-east-1", "us-west-1", "sa-east-1")


@says("H14")
def test_every_checker_has_its_observation(line: str) -> None:
    endpoint = Endpoint({region: Checker() for region in CHECKERS})
    assert endpoint.observations(check()) == []
    for checker in endpoint.checkers.values():
        checker.observe(False, 3, "Failure: it is so", "2026-01-01T00:00:00.000Z")
    found = endpoint.observations(check())
    assert len(found) == len({each["IPAddress"] for each in found}) == 18
    assert {each["Region"] for each in found} == set(CHECKERS)
    report = {"Status": "Failure: it is so", "CheckedTime": "2026-01-01T00:00:00.000Z"}
    assert all(each["StatusReport"] == report for each in found)


class Clock:
    """Stands in for waiting: remembers how long, and lets every task wait `times` times before it waits for ever."""

    def __init__(self, times: int) -> None:
        self.waits: list[float] = []
        self._left = times

    async def wait(self, seconds: float) -> None:
        self.waits.append(seconds)
        self._left -= 1
        await (asyncio.sleep(0) if self._left >= 0 else asyncio.Event().wait())


def checking(given: HealthCheck) -> State:
    """A state without load balancers, which are looked at as well."""
    return replace(state(checks=(given,)), load_balancers={})


@says("H8", "R3")
def test_a_disabled_check_is_not_made_and_begins_anew(line: str) -> None:
    async def story() -> None:
        clock = Clock(8)  # each region's first check, and no more
        checkers = Checkers(wait=clock.wait)
        on, off = check(threshold=1), check(threshold=1, disabled=True)
        checkers.adopt(checking(on))  # app.deploy.test does not exist: every check fails
        while clock.waits.count(10) < 8:
            await asyncio.sleep(0)
        assert checkers.view is not None
        assert not checkers.view.is_healthy("check")
        checkers.adopt(checking(off))
        before = len(clock.waits)
        for _ in range(50):
            await asyncio.sleep(0)
        assert len(clock.waits) == before
        assert checkers.view.is_healthy("check")
        checkers.adopt(checking(on))
        assert checkers.view.is_healthy("check")
        await checkers.close()

    asyncio.run(story())


@says("H12")
def test_checks_are_made_at_the_interval_and_spread_over_it(line: str) -> None:
    async def story() -> None:
        clock = Clock(24)
        checkers = Checkers(wait=clock.wait)
        checkers.adopt(checking(check(interval=10)))
        while len(clock.waits) < 24:
            await asyncio.sleep(0)
        assert sorted(clock.waits[:8]) == [index * 10 / 8 for index in range(8)]
        assert set(clock.waits[8:]) - set(clock.waits[:8]) == {10}
        await checkers.close()

    asyncio.run(story())
    assert HealthCheck("x", "HTTP").interval == 30
    assert [each.interval for each in map(interval, (10, 30))] == [10, 30]
    with pytest.raises(Refused, match="10 or 30"):
        interval(20)


def interval(seconds: int) -> HealthCheck:
    config = {"Type": "HTTP", "FullyQualifiedDomainName": "x", "RequestInterval": seconds}
    return check_rules.checked("id", config)


@says("R5")
def test_observations_say_what_was_seen(line: str) -> None:
    ledger = Ledger()
    ledger.put(check(), "reference")
    ledger.observe({"check": [{"Region": "sa-east-1"}], "unknown": []})
    ledger.put(check(disabled=True, inverted=True))
    assert ledger.observations("check") == [{"Region": "sa-east-1"}]
    assert ledger.observations("unknown") == ()
    ledger.remove("check")
    assert ledger.observations("check") == ()


# --- answers ---------------------------------------------------------------------------------------------------------


@says("A1", "A2")
def test_an_alias_is_answered_with_the_load_balancers_address(line: str) -> None:
    answer = view(alias(LONDON)).answer(APP, "A", SEOUL)
    assert [(each.name, each.ttl, each.values) for each in answer.records] == [(APP, 60, ("127.0.31.1",))]
    dualstack = alias(LONDON)
    assert dualstack.alias is not None
    prefixed = without(dualstack, alias=Alias(f"dualstack.{dualstack.alias.name}", dualstack.alias.zone, True))
    assert answered(view(prefixed)) == ("127.0.31.1",)
    assert view(alias(LONDON)).answer(APP, "AAAA", SEOUL).code is Code.NODATA
    assert answered(view(), name=balancer(SEOUL).name) == ("127.0.31.3",)


@says("A3")
def test_an_alias_to_a_record_is_answered_as_that_record(line: str) -> None:
    other = RecordSet("other.deploy.test.", "A", alias=Alias(APP, ZONE, False))
    assert answered(view(*ALL, other), SEOUL, "other.deploy.test.") == ("127.0.31.3",)
    target = RecordSet("plain.deploy.test.", "A", 300, ("127.0.0.9",))
    shown = RecordSet("x.deploy.test.", "A", alias=Alias("plain.deploy.test.", ZONE, True))
    [answer] = view(target, shown).answer("x.deploy.test", "A", LONDON).records
    assert (answer.name, answer.ttl, answer.values) == ("x.deploy.test.", 300, ("127.0.0.9",))


def test_a_cname_is_followed_within_the_zone() -> None:
    records = [
        RecordSet("www.deploy.test.", "CNAME", 300, ("MyApp.deploy.test",)),
        RecordSet("away.deploy.test.", "CNAME", 300, ("example.com",)),
        RecordSet("lost.deploy.test.", "CNAME", 300, ("nobody.deploy.test",)),
        alias(LONDON),
    ]
    found = view(*records).answer("www.deploy.test", "A", LONDON).records
    assert [(each.name, each.type) for each in found] == [("www.deploy.test.", "CNAME"), (APP, "A")]
    assert [each.type for each in view(*records).answer("away.deploy.test", "A", LONDON).records] == ["CNAME"]
    assert [each.type for each in view(*records).answer("lost.deploy.test", "A", LONDON).records] == ["CNAME"]
    assert [each.type for each in view(*records).answer("www.deploy.test", "CNAME", LONDON).records] == ["CNAME"]


@says("A5")
def test_case_does_not_matter(line: str) -> None:
    assert answered(view(alias(LONDON)), name="MYAPP.Deploy.TEST") == ("127.0.31.1",)
    after = changed(zone(), [change("CREATE", alias(LONDON, "MyApp.DEPLOY.test"))], AROUND)
    assert after[-1].name == APP


@says("A6", "R6")
@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("anything.wild.deploy.test", Code.NOERROR),
        ("deep.down.wild.deploy.test", Code.NOERROR),
        ("*.wild.deploy.test", Code.NOERROR),
        ("\\052.wild.deploy.test", Code.NOERROR),
        ("there.wild.deploy.test", Code.NODATA),  # it exists, with a record of another type
        ("below.there.wild.deploy.test", Code.NXDOMAIN),  # its closest encloser exists, without a wildcard
        ("wild.deploy.test", Code.NODATA),
        ("notwild.deploy.test", Code.NXDOMAIN),
        ("deploy.test", Code.NODATA),
        ("other.test", Code.REFUSED),
        ("xdeploy.test", Code.REFUSED),
        (".", Code.REFUSED),
    ],
)
def test_wildcards_and_names_that_do_not_exist(line: str, name: str, code: Code) -> None:
    records = [
        RecordSet("*.wild.deploy.test.", "A", 60, ("127.0.0.1",)),
        RecordSet("there.wild.deploy.test.", "TXT", 60, ('"x"',)),
    ]
    assert view(*records).answer(name, "A", LONDON).code is code


# --- changing records ------------------------------------------------------------------------------------------------

AROUND = Surroundings({balancer(region).name: balancer(region) for region in REGIONS}, regions(*REGIONS))
TXT = RecordSet("_lock.deploy.test.", "TXT", 60, ('"holder"',))


def zone(*records: RecordSet) -> Any:
    return state(*records).zones[0]


def made(held: tuple[RecordSet, ...], *changes: tuple[str, RecordSet]) -> tuple[RecordSet, ...]:
    after = changed(zone(*held), [change(action, record) for action, record in changes], AROUND)
    return tuple(record for record in after if record not in own_records())


def refused(held: tuple[RecordSet, ...], *changes: tuple[str, RecordSet]) -> Refused:
    with pytest.raises(Refused) as caught:
        made(held, *changes)
    return caught.value


@says("B1")
def test_all_of_a_batch_or_nothing_and_all_errors_at_once(line: str) -> None:
    new = RecordSet("new.deploy.test.", "TXT", 60, ('"x"',))
    assert made((TXT,), ("CREATE", new)) == (TXT, new)
    error = refused((TXT,), ("CREATE", new), ("CREATE", TXT), ("DELETE", without(new, name="gone.deploy.test.")))
    assert error.code == "InvalidChangeBatch"
    assert "_lock.deploy.test." in error.message
    assert "gone.deploy.test." in error.message


@says("B2", "R7")
def test_create_of_what_exists(line: str) -> None:
    for other in (TXT, without(TXT, values=('"other"',), ttl=30), without(TXT, name="_LOCK.deploy.test")):
        error = refused((TXT,), ("CREATE", other))
        assert error.code == "InvalidChangeBatch"
        said = "Tried to create resource record set [name='_lock.deploy.test.', type='TXT'] but it already exists"
        assert error.message == f"[{said}]"
    error = refused(ALL, ("CREATE", latency(LONDON)))
    assert f"[name='{APP}', type='A', set-identifier='{LONDON}'] but it already exists" in error.message
    assert made((TXT,), ("CREATE", without(TXT, type="A", values=("127.0.0.1",))))


@says("B3", "R7")
def test_delete_needs_the_values(line: str) -> None:
    two = without(TXT, values=('"a"', '"b"'))
    assert made((two,), ("DELETE", without(two, values=('"b"', '"a"')))) == ()
    assert made(ALL, ("DELETE", latency(LONDON))) == ALL[1:]
    other_app = latency(LONDON, "other.deploy.test.")
    assert made((*ALL, other_app), ("DELETE", latency(LONDON))) == (*ALL[1:], other_app)
    for other in (without(TXT, ttl=61), without(TXT, values=('"other"',)), without(TXT, values=('"holder"', '"x"'))):
        error = refused((TXT,), ("DELETE", other))
        assert error.code == "InvalidChangeBatch"
        assert "but the values provided do not match the current values" in error.message
    changed_check = latency(LONDON, health_check=f"check-{SEOUL}")
    assert "do not match" in refused(ALL, ("DELETE", changed_check)).message
    assert "but it was not found" in refused((), ("DELETE", TXT)).message


@says("B4")
def test_upsert_makes_or_replaces(line: str) -> None:
    assert made((), ("UPSERT", TXT)) == (TXT,)
    newer = without(TXT, values=('"new"',))
    assert made((TXT,), ("UPSERT", newer)) == (newer,)
    assert made(ALL, ("UPSERT", latency(LONDON, health_check=None))) == (
        latency(LONDON, health_check=None),
        *ALL[1:],
    )


@says("B5")
def test_delete_and_create_are_one_operation(line: str) -> None:
    mine = without(TXT, values=('"me"',))
    assert made((TXT,), ("DELETE", TXT), ("CREATE", mine)) == (mine,)
    theirs = without(TXT, values=('"somebody else"',))
    error = refused((theirs,), ("DELETE", TXT), ("CREATE", mine))
    assert "do not match" in error.message


@says("B6")
def test_the_same_record_is_deleted_once(line: str) -> None:
    assert refused((TXT,), ("DELETE", TXT), ("DELETE", TXT)).code == "InvalidChangeBatch"
    assert refused((), ("CREATE", TXT), ("CREATE", TXT)).code == "InvalidChangeBatch"


@says("B7")
def test_latency_records_stand_alone(line: str) -> None:
    assert "other RRSets exist" in refused(ALL, ("CREATE", alias(LONDON))).message
    assert "other RRSets exist" in refused((alias(LONDON),), ("CREATE", latency(LONDON))).message
    twice = latency(LONDON, identifier="other")
    assert "same name, type and region already exists" in refused(ALL, ("CREATE", twice)).message
    assert refused((), ("CREATE", latency(LONDON, identifier=None))).code == "InvalidInput"
    assert refused((), ("CREATE", alias(LONDON, identifier="x"))).code == "InvalidInput"


@says("B8")
def test_a_change_is_pending_until_the_name_servers_have_it(line: str) -> None:
    now = [100.0]
    ledger = Ledger(clock=lambda: now[0])
    change = ledger.changed("why")
    assert ledger.change(f"/change/{change.id}") is ledger.change(change.id) is change
    assert ledger.change("unknown") is None
    ledger.fetched(change.serial)
    assert not ledger.in_sync(change)
    now[0] += 1
    assert ledger.in_sync(change)
    second = ledger.changed()
    now[0] += 30
    assert not ledger.in_sync(second)  # no name server has fetched it
    ledger.fetched(second.serial - 1)
    assert not ledger.in_sync(second)
    now[0] += 30
    assert ledger.in_sync(second)


@says("B9")
def test_an_alias_names_the_load_balancers_zone(line: str) -> None:
    wrong = without(alias(LONDON), alias=Alias(balancer(LONDON).name, balancer(SEOUL).zone, True))
    assert "does not lie within the target zone" in refused((), ("CREATE", wrong)).message
    gone = without(alias(LONDON), alias=Alias("gone.eu-west-2.elb.amazonaws.com.", balancer(LONDON).zone, True))
    assert "that target was not found" in refused((), ("CREATE", gone)).message


@says("B10")
def test_an_alias_names_a_record_that_is_there(line: str) -> None:
    other = RecordSet("x.deploy.test.", "A", alias=Alias(APP, ZONE, True))
    assert made((alias(LONDON),), ("CREATE", other))
    assert made((), ("CREATE", other), ("CREATE", alias(LONDON)))
    assert "that target was not found" in refused((), ("CREATE", other)).message


@says("B11")
def test_a_record_names_a_health_check_that_is_there(line: str) -> None:
    assert refused((), ("CREATE", latency(LONDON, health_check="gone"))).code == "NoSuchHealthCheck"


@says("B12")
def test_the_order_of_a_listing(line: str) -> None:
    from deployer.sandbox.dns.border import _MOST_RECORDS, _sorted_name

    names = ["deploy.test.", "*.deploy.test.", "a.deploy.test.", "z.a.deploy.test.", "b.deploy.test."]
    assert sorted(["z.a.deploy.test.", *names], key=_sorted_name)[:3] == names[:3]
    assert sorted(names, key=_sorted_name) == names
    assert _MOST_RECORDS == 300


@pytest.mark.parametrize(
    ("record", "said"),
    [
        (without(TXT, values=("bare",)), "enclosed in quotation marks"),
        (without(TXT, values=('"' + "x" * 256 + '"',)), "CharacterStringTooLong"),
        (without(TXT, values=('"a"', '"a"')), "Duplicate Resource Record"),
        (without(TXT, type="A", values=("localhost",)), "not a valid IPv4 address"),
        (without(TXT, name="other.test."), "is not permitted in zone deploy.test."),
        (without(TXT, type="CNAME", values=("a.b",), name="deploy.test."), "at apex"),
        (without(TXT, type="CNAME", values=("a.b",)), "conflicts with other records"),
        (without(TXT, values=(), ttl=None), "Expected exactly one of"),
        (without(TXT, ttl=None), "Expected exactly one of"),
        (without(alias(LONDON), ttl=60), "Expected exactly one of"),
    ],
)
def test_what_else_is_refused(record: RecordSet, said: str) -> None:
    assert said in refused((TXT,), ("UPSERT", record)).message


def test_a_zone_keeps_its_own_records_and_takes_no_other_policies() -> None:
    for record in own_records():
        assert "must contain at least one" in refused((), ("DELETE", record)).message
    weighted = change("CREATE", alias(LONDON, identifier="x"))
    weighted["ResourceRecordSet"]["Weight"] = 1
    with pytest.raises(Refused, match="simulates simple and latency records only, not Weight"):
        changed(zone(), [weighted], AROUND)
    many = [change("CREATE", without(TXT, values=tuple(f'"{number}"' for number in range(1001))))]
    with pytest.raises(Refused, match="limit of 1000"):
        changed(zone(), many, AROUND)
    cname = without(TXT, type="CNAME", values=("a.b",))
    assert "conflicting RRSet of type CNAME" in refused((cname,), ("CREATE", TXT)).message
    with pytest.raises(Refused, match="CREATE, DELETE, UPSERT"):
        changed(zone(), [change("DESTROY", TXT)], AROUND)


# --- making health checks --------------------------------------------------------------------------------------------

CONFIG: dict[str, Any] = {"Type": "HTTPS", "FullyQualifiedDomainName": "a.deploy.test", "RequestInterval": 10}


@says("K1", "K2", "K3", "K4")
def test_caller_references(line: str) -> None:
    ledger = Ledger()
    first = check_rules.checked("first", CONFIG)
    assert check_rules.created("reference", first, ledger.references) is None
    ledger.put(first, "reference")
    assert check_rules.created("reference", check_rules.checked("again", CONFIG), ledger.references) == first
    other = check_rules.checked("again", {**CONFIG, "FailureThreshold": 5})
    with pytest.raises(Refused) as caught:
        check_rules.created("reference", other, ledger.references)
    assert caught.value.code == "HealthCheckAlreadyExists"
    assert check_rules.created("another", check_rules.checked("again", CONFIG), ledger.references) is None
    ledger.remove("first")
    assert ledger.references["reference"] == Created(first, deleted=True)
    with pytest.raises(Refused) as caught:
        check_rules.created("reference", check_rules.checked("again", CONFIG), ledger.references)
    assert caught.value.code == "HealthCheckAlreadyExists"
    with pytest.raises(Refused, match="1 to 64"):
        check_rules.created("x" * 65, first, {})


@says("K5", "K6")
def test_updates(line: str) -> None:
    before = check_rules.checked("id", CONFIG)
    request = {"HealthCheckVersion": 1, "Disabled": True, "Inverted": True, "RequestInterval": 30, "Type": "TCP"}
    after = check_rules.updated(before, request)
    assert (after.version, after.disabled, after.inverted) == (2, True, True)
    assert (after.interval, after.type) == (10, "HTTPS")
    with pytest.raises(Refused) as caught:
        check_rules.updated(after, {"HealthCheckVersion": 1, "Disabled": False})
    assert caught.value.code == "HealthCheckVersionMismatch"
    assert check_rules.updated(after, {"Disabled": False}).version == 3
    with pytest.raises(Refused, match="neither added nor removed"):
        check_rules.updated(before, {"IPAddress": "127.0.0.1"})
    named = check_rules.updated(before, {"Regions": ["us-east-1", "us-west-1", "us-west-2"]})
    assert len(named.regions) == 3
    assert check_rules.updated(named, {"ResetElements": ["Regions"]}).regions == ()


@says("K7")
def test_a_health_check_that_records_name_may_be_deleted(line: str) -> None:
    ledger = Ledger()
    ledger.put(check(f"check-{LONDON}"), "reference")
    ledger.remove(f"check-{LONDON}")
    assert not ledger.checks
    assert answered(view(*ALL)) == (ADDRESSES[LONDON],)


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"Type": "CALCULATED"}, "endpoints only"),
        ({"FailureThreshold": 11}, "from 1 to 10"),
        ({"Port": 70000}, "from 1 to 65535"),
        ({"FullyQualifiedDomainName": None}, "must be specified"),
        ({"SearchString": "x"}, "string matching"),
        ({"Type": "HTTP_STR_MATCH"}, "string matching"),
        ({"Type": "TCP"}, "A port must be specified"),
        ({"Regions": ["us-east-1"]}, "At least 3"),
        ({"Regions": ["us-east-1", "eu-west-2", "us-west-1"]}, "eu-west-2 is no region"),
        ({"ResourcePath": "/" * 256}, "at most 255"),
    ],
)
def test_health_checks_that_are_refused(fields: dict[str, Any], said: str) -> None:
    with pytest.raises(Refused, match=said) as caught:
        check_rules.checked("id", {**CONFIG, **fields})
    assert caught.value.code == "InvalidInput"


def test_the_state_survives_its_json() -> None:
    import json

    before = state(*ALL, TXT, checks=(check(), check("other", regions=("us-east-1",))))
    assert State.of(json.loads(json.dumps(before.json()))) == before
