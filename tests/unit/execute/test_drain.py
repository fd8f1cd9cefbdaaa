"""Regions that are drained and put back, Route 53 faked: the guard, the lock of drains, answers, checkers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from threading import Barrier, Event, Thread
from typing import Any

import pytest

from deployer.errors import ConflictError, DeployError, DeploymentFailed, HeldError, UnreachableError
from deployer.execute.drain import Gate
from deployer.execute.drain_lock import LEASE, DrainLock
from deployer.model import Holder
from deployer.model.dns import (
    AliasTarget,
    Answered,
    HealthCheck,
    HealthCheckConfig,
    HealthStatus,
    Observation,
    RecordSet,
)
from deployer.plan.dns import Service, tags_of
from deployer.plan.drain import Place, drain_of, lock_holder, lock_name, lock_record, marks
from tests.fake_dns import ZONE, FakeDns, seen_by
from tests.fakes import FakeProber

SERVICE = Service("prod", "myapp", "myapp", "example.com", ("london", "seoul", "virginia"))
AWS = {"london": "eu-west-2", "seoul": "ap-northeast-2", "virginia": "us-east-1"}
ANNA = Holder("d-1", "anna@laptop", "laptop", "2026-11-21T12:00:00+00:00", "deploy")
BEN = Holder("d-2", "ben@desk", "desk", "2026-11-21T12:00:00+00:00", "drain")
NOW = datetime(2026, 11, 21, 12, 0, 5, tzinfo=UTC)


def add_region(dns: FakeDns, region: str) -> None:
    """A region in DNS, with a health check that is ours."""
    host = SERVICE.regional_host(region)
    config = HealthCheckConfig("HTTPS", host, 443, "/health", interval=10)
    dns.checks[region] = HealthCheck(region, f"ref-{region}", 1, config, tags_of(SERVICE, region))
    alias = AliasTarget("ZLB", f"lb.{region}.example.net", True)
    dns.add(RecordSet(SERVICE.host, "A", alias=alias, set_identifier=region, region=AWS[region], health_check=region))


def make_dns(*regions: str) -> FakeDns:
    dns = FakeDns()
    for region in regions or AWS:
        add_region(dns, region)
    return dns


class FakeNameServers:
    """Answers from the health checks as Route 53 would, for a client beside each region's load balancer."""

    def __init__(self, dns: FakeDns, *, answers: bool = True, follows: bool = True) -> None:
        self.dns = dns
        self.answers = answers
        self.follows = follows
        self.asked: list[tuple[str, str, str | None]] = []

    def ask(self, server: str, host: str, client: str | None = None) -> Answered | None:
        self.asked.append((server, host, client))
        if not self.answers:
            return None
        addresses = {region: f"192.0.2.{number}" for number, region in enumerate(AWS, 1)}
        for region, address in addresses.items():
            if host == SERVICE.regional_host(region):
                return Answered(frozenset({address}), 60)
        up = [name for name, check in self.dns.checks.items() if not check.config.drained or not self.follows]
        near = next((name for name, address in addresses.items() if address == client), "london")
        chosen = near if near in up or not up else up[0]
        return Answered(frozenset({addresses[chosen]}), 60)


class Time:
    """Nobody waits: time passes while somebody would."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self.passing: Callable[[], None] = lambda: None

    def __call__(self) -> float:
        return self.seconds

    def stop(self) -> Event:
        event = Event()
        wait = event.wait

        def passed(timeout: float | None = None) -> bool:
            self.seconds += timeout or 0.0
            self.passing()
            return wait(0)

        event.wait = passed  # type: ignore[method-assign]
        return event


def gate_of(
    dns: FakeDns,
    region: str = "london",
    *,
    name_servers: FakeNameServers | None = None,
    prober: Any = None,
    holder: Holder = ANNA,
    time: Time | None = None,
    **place: Any,
) -> Gate:
    return Gate(
        Place(SERVICE, region, AWS[region], **place),
        dns,
        name_servers or FakeNameServers(dns),
        prober or FakeProber(),
        holder,
        clock=time or Time(),
        now=lambda: NOW,
        pause=1.0 if time else 0.01,
    )


def drain(dns: FakeDns, region: str = "london", *, forced: bool = False, **more: Any) -> Gate:
    gate = gate_of(dns, region, **more)
    gate.drain("new version", forced=forced, stop=Event())
    return gate


def ill(*texts: str) -> HealthStatus:
    return HealthStatus(tuple(Observation("eu-west-1", f"203.0.113.{n}", text) for n, text in enumerate(texts)))


# Draining.


def test_a_drained_check_is_disabled_and_inverted_and_says_by_whom() -> None:
    dns = make_dns()
    drain(dns)
    config = dns.checks["london"].config
    assert (config.disabled, config.inverted) == (True, True)
    found = drain_of(dns.checks["london"])
    assert found is not None
    assert (found.who, found.why, found.deployment_id, found.action) == ("anna@laptop", "new version", "d-1", "deploy")
    assert found.since == NOW.isoformat()
    assert not found.kept


def test_the_mark_is_there_before_the_drain_and_the_lock_goes_last() -> None:
    dns = make_dns()
    drain(dns)
    lock = f"_deploy-drain.{SERVICE.host} TXT"
    assert dns.done == [f"CREATE {lock}", "tag london", "update london", f"DELETE {lock}"]


def test_tags_and_settings_that_are_others_stay() -> None:
    dns = make_dns()
    gate = drain(dns)
    gate.restore()
    assert dns.checks["london"].tags == tags_of(SERVICE, "london")
    assert dns.checks["london"].config == make_dns().checks["london"].config


def test_a_region_that_is_not_in_dns_is_not_drained() -> None:
    assert gate_of(make_dns("seoul")).look() is None
    with pytest.raises(HeldError, match="has no record of london"):
        drain(make_dns("seoul"))


def test_a_health_check_of_somebody_else_is_left_alone() -> None:
    dns = make_dns()
    dns.checks["london"] = replace(dns.checks["london"], tags={})
    with pytest.raises(HeldError, match="not made by this tool"):
        drain(dns)
    assert dns.done == []


def test_a_drained_region_is_not_drained_again() -> None:
    dns = make_dns()
    drain(dns)
    with pytest.raises(HeldError, match="drained already") as refused:
        drain(dns, holder=BEN)
    assert "anna@laptop" in str(refused.value)


# The guard.


def test_the_last_healthy_region_is_refused_with_the_reasons() -> None:
    dns = make_dns()
    dns.seen = {"seoul": seen_by(3, 18), "virginia": HealthStatus()}
    with pytest.raises(HeldError) as refused:
        drain(dns)
    assert refused.value.exit_code == 4
    assert "0 healthy regions would be left, at least 1 must be" in str(refused.value)
    assert "checkers see seoul unhealthy" in str(refused.value)
    assert "not reported on virginia" in str(refused.value)
    assert "--force --reason" in (refused.value.hint or "")
    assert not dns.checks["london"].config.drained
    assert dns.stored.keys() == make_dns().stored.keys()  # the lock is gone


def test_our_own_look_counts_as_well() -> None:
    dns = make_dns("london", "seoul")
    with pytest.raises(HeldError, match="seoul does not answer well from here"):
        drain(dns, prober=FakeProber("HTTP 500"))


def test_others_are_asked_as_the_checkers_ask_them() -> None:
    prober = FakeProber()
    drain(make_dns("london", "seoul"), prober=prober)
    (probe,) = prober.asked
    assert (probe.url, probe.connect_to) == ("https://myapp.seoul.example.com:443/health", "192.0.2.2:443")


def test_more_healthy_regions_may_be_wanted() -> None:
    dns = make_dns()
    drain(dns, minimum=2)
    with pytest.raises(HeldError, match="1 healthy region would be left, at least 2 must be: london is drained"):
        drain(dns, "seoul", minimum=2)


def test_who_forces_it_is_written_down() -> None:
    dns = make_dns("london", "seoul")
    dns.seen = {"seoul": seen_by(0, 18)}
    drain(dns, forced=True)
    found = drain_of(dns.checks["london"])
    assert found is not None
    assert (found.forced, found.why) == (True, "new version")
    assert "forced" in str(found)


def test_an_unhealthy_region_may_always_go() -> None:
    dns = make_dns("london", "seoul")
    dns.seen = {"london": seen_by(1, 18), "seoul": seen_by(0, 18)}
    drain(dns)
    assert dns.checks["london"].config.drained


def test_a_disabled_check_proves_nothing() -> None:
    dns = make_dns("london", "seoul")
    dns.checks["seoul"] = replace(dns.checks["seoul"], config=replace(dns.checks["seoul"].config, disabled=True))
    with pytest.raises(HeldError):
        drain(dns)


# Two at once.


@pytest.mark.parametrize("attempt", range(5))
def test_of_two_that_drain_the_last_two_regions_exactly_one_is_refused(attempt: int) -> None:
    dns = make_dns("london", "seoul")
    start, ended = Barrier(2), dict[str, DeployError | None]()

    def run(region: str, holder: Holder) -> None:
        start.wait(5)
        try:
            drain(dns, region, holder=holder)
            ended[region] = None
        except DeployError as error:
            ended[region] = error

    threads = [Thread(target=run, args=pair) for pair in (("london", ANNA), ("seoul", BEN))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    refused = [error for error in ended.values() if error is not None]
    assert len(refused) == 1
    assert isinstance(refused[0], HeldError)
    assert [check.config.drained for check in dns.checks.values()].count(True) == 1
    assert not [record for record in dns.stored.values() if record.type == "TXT"]


def lock_of(dns: FakeDns, time: Time, holder: Holder = ANNA) -> DrainLock:
    return DrainLock(dns, ZONE, SERVICE.host, holder, clock=time, pause=1.0)


def test_a_lock_that_was_left_behind_is_taken_over_once_it_has_stayed_the_same() -> None:
    dns, time = make_dns(), Time()
    left = lock_record(SERVICE.host, BEN, "dead")
    dns.add(left)
    with lock_of(dns, time).held(time.stop()):
        assert LEASE <= time.seconds <= LEASE + 2
        assert lock_holder(dns.stored[left.key]) == ANNA
    assert [[change.action for change in batch] for batch in dns.batches] == [["DELETE", "CREATE"], ["DELETE"]]
    assert left.key not in dns.stored


def test_a_lock_that_changes_hands_is_not_left_behind() -> None:
    dns, time = make_dns(), Time()
    dns.add(lock_record(SERVICE.host, BEN, "0"))

    def others_go_on() -> None:
        dns.add(lock_record(SERVICE.host, BEN, str(int(time.seconds // 30))))

    time.passing = others_go_on
    with pytest.raises(HeldError, match="ben@desk"), lock_of(dns, time).held(time.stop()):
        pass
    assert dns.batches == []


def test_two_that_wait_for_a_dead_holder_do_not_both_get_the_lock() -> None:
    dns, time = make_dns(), Time()
    left = lock_record(SERVICE.host, BEN, "dead")
    dns.add(left)
    change, other = dns.change, lock_record(SERVICE.host, BEN, "faster")

    def too_late(*arguments: Any) -> str:
        dns.change = change  # type: ignore[method-assign]
        dns.add(other)
        return change(*arguments)

    dns.change = too_late  # type: ignore[assignment, method-assign]
    with pytest.raises(HeldError), lock_of(dns, time).held(time.stop(), wait=LEASE + 30):
        pass
    assert dns.stored[other.key] == other


def test_an_answer_that_was_lost_is_no_other_holder() -> None:
    dns, time = make_dns(), Time()
    change = dns.change

    def answer_lost(*arguments: Any) -> str:
        dns.change = change  # type: ignore[method-assign]
        change(*arguments)
        return change(*arguments)  # the same request again, as botocore sends it

    dns.change = answer_lost  # type: ignore[assignment, method-assign]
    with lock_of(dns, time).held(time.stop()):
        assert time.seconds == 0
    assert lock_name(SERVICE.host) not in {record.name for record in dns.stored.values()}


def test_who_takes_too_long_gives_up_before_others_take_over() -> None:
    dns, time = make_dns(), Time()
    lock = lock_of(dns, time)
    with lock.held(time.stop()):
        time.seconds += LEASE - 25
        lock.confirm()
        time.seconds += 10
        with pytest.raises(HeldError, match="took too long"):
            lock.confirm()


def test_name_servers_that_are_slow_to_be_given_up_take_no_time_from_the_lock() -> None:
    dns, time = make_dns(), Time()
    silent = FakeNameServers(dns, answers=False)
    ask = silent.ask

    def slowly(server: str, host: str, client: str | None = None) -> Answered | None:
        assert host != SERVICE.regional_host("london") or not locked(dns)
        time.seconds += LEASE if host == SERVICE.regional_host("london") else 0
        return ask(server, host, client)

    silent.ask = slowly  # type: ignore[method-assign]
    drain(dns, name_servers=silent, time=time)
    assert dns.checks["london"].config.drained
    assert silent.asked


def locked(dns: FakeDns) -> bool:
    return any(name == lock_name(SERVICE.host) for name, _, _ in dns.stored)


def test_a_drain_whose_lock_was_taken_over_is_undone() -> None:
    dns = make_dns()
    update = dns.update_health_check

    def overtaken(check: HealthCheck, config: HealthCheckConfig) -> HealthCheck:
        dns.update_health_check = update  # type: ignore[method-assign]
        dns.add(lock_record(SERVICE.host, BEN, "theirs"))
        return update(check, config)

    dns.update_health_check = overtaken  # type: ignore[method-assign]
    with pytest.raises(HeldError, match="taken over"):
        drain(dns)
    assert not dns.checks["london"].config.drained
    assert dns.checks["london"].tags == tags_of(SERVICE, "london")


def test_the_lock_is_given_back_also_when_route_53_fails() -> None:
    dns = make_dns()
    dns.tag_health_check = failing  # type: ignore[assignment, method-assign]
    with pytest.raises(UnreachableError):
        drain(dns)
    assert not [record for record in dns.stored.values() if record.type == "TXT"]


def failing(*arguments: Any) -> Any:
    raise UnreachableError("Route 53 does not answer")


def test_a_left_lock_is_tidied_and_none_is_no_work() -> None:
    dns, time = make_dns(), Time()
    gate = gate_of(dns, time=time)
    assert gate.tidy(time.stop()) is False
    dns.add(lock_record(SERVICE.host, BEN, "dead"))
    assert gate.tidy(time.stop()) is True
    assert not [record for record in dns.stored.values() if record.type == "TXT"]


def test_what_the_lock_says_survives_any_name() -> None:
    holder = replace(ANNA, who='an"na \\ é; rm', machine="my laptop")
    record = lock_record(SERVICE.host, holder, "t")
    (value,) = record.values
    assert value.isascii()
    assert value[1:-1].count('"') == 0
    assert len(value) <= 257
    assert lock_holder(record) == replace(holder, who="an_na _ _; rm", machine="my_laptop")
    assert lock_holder(RecordSet(record.name, "TXT", 60, ('"hello"',))) is None


# Answers.


def test_it_waits_for_the_answers_the_caches_and_the_connections() -> None:
    dns, time = make_dns(), Time()
    servers = FakeNameServers(dns)
    gate = drain(dns, name_servers=servers, time=time, grace=5.0)
    told = gate.wait_until_left(time.stop())
    assert time.seconds >= 65
    assert told == "1 name server answered so, waited 60 s for DNS caches, 5 s for connections"
    assert ("ns-1.example.net", SERVICE.host, "192.0.2.1") in servers.asked


def test_answers_that_do_not_follow_are_a_failure() -> None:
    dns, time = make_dns(), Time()
    gate = drain(dns, name_servers=FakeNameServers(dns, follows=False), time=time)
    with pytest.raises(DeploymentFailed, match="did not follow"):
        gate.wait_until_left(time.stop())


def test_name_servers_that_cannot_be_asked_are_told() -> None:
    dns, time = make_dns(), Time()
    gate = drain(dns, name_servers=FakeNameServers(dns, answers=False), time=time, grace=0)
    assert "could not be asked" in gate.wait_until_left(time.stop())
    assert time.seconds >= 120


def test_the_only_healthy_region_is_answered_all_the_same() -> None:
    dns, time = make_dns("london", "seoul"), Time()
    dns.seen = {"seoul": seen_by(0, 18)}
    gate = drain(dns, forced=True, name_servers=FakeNameServers(dns, follows=False), time=time, grace=0)
    assert "no other region is healthy" in gate.wait_until_left(time.stop())


def test_a_stop_ends_the_waiting() -> None:
    dns, time = make_dns(), Time()
    gate = drain(dns, time=time)
    stop = time.stop()
    stop.set()
    with pytest.raises(DeploymentFailed, match="stopped"):
        gate.wait_until_left(stop)


def test_other_servers_may_be_named() -> None:
    dns = make_dns()
    servers = FakeNameServers(dns)
    gate = gate_of(dns, name_servers=servers, servers=("127.0.0.1:5353",))
    gate.drain("why", forced=False, stop=Event())
    assert {server for server, _, _ in servers.asked} == {"127.0.0.1:5353"}


# Back.


def test_restoring_meets_a_change_of_somebody_else() -> None:
    dns = make_dns()
    gate = drain(dns)
    update = dns.update_health_check

    def changed(check: HealthCheck, config: HealthCheckConfig) -> HealthCheck:
        dns.update_health_check = update  # type: ignore[method-assign]
        raise ConflictError("somebody else")

    dns.update_health_check = changed  # type: ignore[method-assign]
    gate.restore()
    assert drain_of(dns.checks["london"]) is None


def test_restoring_what_is_not_drained_takes_only_marks_away() -> None:
    dns = make_dns()
    drained = drain_of(drained_by(dns, "london"))
    assert drained is not None
    dns.checks["london"] = replace(dns.checks["london"], config=make_dns().checks["london"].config)
    dns.done.clear()
    gate_of(dns).restore()
    assert dns.done == ["tag london"]
    assert dns.checks["london"].tags == tags_of(SERVICE, "london")


def drained_by(dns: FakeDns, region: str) -> HealthCheck:
    drain(dns, region)
    return dns.checks[region]


def test_it_sees_the_region_come_back() -> None:
    dns, time = make_dns(), Time()
    gate = drain(dns, time=time)
    gate.restore()
    assert gate.wait_until_back(time.stop()) == "1 name server answered so"


def test_checkers_must_see_it_anew() -> None:
    dns, time = make_dns(), Time()
    gate = gate_of(dns, time=time)
    before = gate.snapshot()
    looks = [before, before, ill(*["Success: HTTP Status Code 200, OK (again)"] * 16)]
    dns.status = lambda check: looks.pop(0) if len(looks) > 1 else looks[0]  # type: ignore[method-assign]
    assert gate.agree(before, time.stop()) == "16 of 16 checkers see it healthy"
    assert len(looks) == 1


def test_checkers_that_disagree_are_a_failure_in_time() -> None:
    dns, time = make_dns(), Time()
    gate = gate_of(dns, time=time)
    dns.seen = {"london": seen_by(2, 18)}
    with pytest.raises(DeploymentFailed) as failed:
        gate.agree(HealthStatus(), time.stop())
    assert 60 <= time.seconds <= 63  # interval 10 × threshold 3, and 30 more
    assert "2 of 18 see it healthy; Failure: Connection refused" in str(failed.value)


def test_a_tag_that_nobody_can_read_is_still_a_drain() -> None:
    dns = make_dns()
    check = dns.checks["london"]
    by_hand = replace(check, config=replace(check.config, disabled=True, inverted=True))
    found = drain_of(by_hand)
    assert found is not None
    assert found.kept
    assert "nothing tells by whom" in str(found)
    assert drain_of(replace(check, tags=marks(found))) is None
