"""Clients whose requests are counted: what is lost is never counted as served."""

from __future__ import annotations

import time

import pytest

from benchmarks import clients, failover
from benchmarks.clients import Clients, Sent
from benchmarks.measuring import Failed


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the regions near which DNS was asked; nothing serves at the address that it gives."""
    found: list[str] = []

    def resolve(host: str, near: str) -> tuple[str, int]:
        found.append(near)
        return "127.0.31.1", 3600

    monkeypatch.setattr(clients, "resolve", resolve)
    monkeypatch.setattr(clients, "INGRESS_PORT", 9)
    return found


def until(count: int, load: Clients) -> None:
    end = time.monotonic() + 60
    while (len(load.sent) < count or sum(one.cached for one in load.sent) < 2) and time.monotonic() < end:
        time.sleep(0.01)


def test_who_keeps_answers_asks_once_and_the_other_one_each_time(asked: list[str]) -> None:
    with Clients("app.test", "/", ["london"], caching=2, every=0.01) as load:
        until(30, load)
    load.check()
    assert {one.to for one in load.sent} == {"london"}
    assert len(load.lost()) == len(load.sent) >= 30
    assert len(asked) == sum(not one.cached for one in load.sent) + 2


def test_a_name_server_that_is_silent_is_no_result(monkeypatch: pytest.MonkeyPatch) -> None:
    def silent(host: str, near: str) -> tuple[str, int]:
        raise LookupError("no address")

    monkeypatch.setattr(clients, "resolve", silent)
    with Clients("app.test", "/", ["london"], caching=1, every=0.01) as load:
        for thread in load._threads:
            thread.join(10)
    with pytest.raises(Failed, match="no address"):
        load.check()


def sent(at: float, to: str, *, well: bool, cached: bool = False) -> Sent:
    return Sent(at, "london", to, cached, well)


BACK = [sent(201, "london", well=True)]


def test_requests_that_are_lost_after_the_bound_miss_it(capsys: pytest.CaptureFixture[str]) -> None:
    moved = [sent(1, "london", well=False), sent(40, "virginia", well=True)]
    assert failover._show(moved, 0.0, BACK, 200.0)
    assert not failover._show([*moved, sent(95, "london", well=False, cached=True)], 0.0, BACK, 200.0)
    assert not failover._show(moved, 0.0, [*BACK, sent(202, "london", well=False)], 200.0)
    assert capsys.readouterr().out.count("MISSED") == 3


def test_an_app_that_nobody_misses_was_not_killed() -> None:
    with pytest.raises(Failed, match="was not killed"):
        failover._show([sent(1, "london", well=True)], 0.0, BACK, 200.0)
