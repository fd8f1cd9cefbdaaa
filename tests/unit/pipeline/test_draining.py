"""The stories of `deploy dns drain` and `restore` with everything outside them faked."""

from __future__ import annotations

from threading import Event, Thread
from types import SimpleNamespace
from typing import Any

import pytest

from deployer.config import Loaded
from deployer.errors import HeldError, UnreachableError
from deployer.execute import answers
from deployer.execute.parallel import Outcome
from deployer.execute.ports import Announcement
from deployer.execute.work import RegionPorts
from deployer.model import App, DeploymentResult, HealthCheckSettings, Holder, RolloutSettings, Settings, Target
from deployer.model.dns import HealthCheck, HealthStatus
from deployer.pipeline.draining import Action, Draining, DrainRequest
from deployer.plan.drain import drain_of
from deployer.report.announcement import finished
from deployer.report.document import json_document
from deployer.report.terminal import terminal_lines
from tests.fake_dns import seen_by
from tests.fakes import FakeCluster, FakeLocks, FakeProber, FakeReleases, RecordingSink
from tests.unit.execute.test_drain import AWS, BEN, FakeNameServers, Time, gate_of, make_dns


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(answers.Answers, "_sleep", lambda *arguments: None)


class World:
    """Three regions in DNS, and the services that reach them."""

    def __init__(self) -> None:
        self.routes = make_dns()
        self.prober = FakeProber()
        self.locks = {region: FakeLocks() for region in AWS}
        self.told: list[Announcement] = []
        self.sink = RecordingSink()
        self.looks = 0
        self.routes.status = self._status  # type: ignore[method-assign]

    def _status(self, check: HealthCheck) -> HealthStatus:
        self.looks += 1
        seen = self.routes.seen.get(check.id, seen_by(18, 18))
        return HealthStatus(
            tuple(type(one)(one.region, one.address, f"{one.text} {self.looks}") for one in seen.observations)
        )

    def run(self, action: Action, *regions: str, sub_domain: str | None = "myapp", **request: Any) -> DeploymentResult:
        configurations = tuple(
            SimpleNamespace(
                target=Target("prod", region, "myapp"),
                settings=Settings(
                    AWS[region],
                    dns_domain="example.com",
                    health_check=HealthCheckSettings(connect_to="192.0.2.1:443", timeout=0.01),
                    rollout=RolloutSettings(drain_grace=0),
                ),
                app=App("myapp", "myapp", tuple(f"prod.{name}" for name in AWS), sub_domain=sub_domain),
            )
            for region in regions
        )
        loaded = Loaded(tuple(one.target for one in configurations), configurations, ())  # type: ignore[arg-type]
        result, signalled = Draining(DrainRequest("d-9", "prod", action, **request), loaded, self, self.sink).run()  # type: ignore[arg-type]
        assert signalled is None
        return result

    def drained(self) -> list[str]:
        return sorted(name for name, check in self.routes.checks.items() if check.config.drained)

    # --- execute.services.Services

    def dns(self, settings: Settings, target: Target) -> Any:
        return self.routes

    def name_servers(self) -> Any:
        return FakeNameServers(self.routes)

    def region(self, settings: Settings, target: Target) -> RegionPorts:
        return RegionPorts(FakeCluster(), FakeReleases(), self.prober, self.locks[target.region])

    def notifier(self, settings: Settings, channel: str | None) -> Any:
        return SimpleNamespace(announce=self.told.append)

    def webhook(self, settings: Settings) -> Any:
        raise NotImplementedError

    def git_commit(self) -> str | None:
        return None

    def who(self) -> str:
        return "anna@laptop"

    def holder(self, deployment: str, action: str) -> Holder:
        return Holder(deployment, self.who(), "laptop", "now", action)


def test_a_region_is_drained_and_put_back() -> None:
    world = World()
    result = world.run("drain", "london", reason="new network")
    assert [one.outcome for one in result.targets] == ["drained"], result.targets[0].error
    drain = drain_of(world.routes.checks["london"])
    assert drain is not None
    assert drain.kept
    assert drain.why == "new network"
    assert "out of DNS since" in "\n".join(terminal_lines(result))
    assert "out of DNS since" in world.told[-1].text
    back = world.run("restore", "london")
    assert [one.outcome for one in back.targets] == ["in traffic"], back.targets[0].error
    assert world.drained() == []
    assert json_document(back)["targets"][0]["drained"]["until"]
    assert "out of DNS from" in finished(back).text
    assert [step for step, _ in world.locks["london"].done] == ["acquire", "release"] * 2


def test_regions_go_one_after_another_until_the_guard_refuses() -> None:
    world = World()
    result = world.run("drain", "london", "seoul", "virginia")
    assert [one.outcome for one in result.targets] == ["drained", "drained", "failed"]
    assert isinstance(result.targets[2].error, HeldError)
    assert world.drained() == ["london", "seoul"]


def test_who_is_drained_already_stays_so() -> None:
    world = World()
    world.run("drain", "london")
    result = world.run("drain", "london")
    assert [one.outcome for one in result.targets] == ["unchanged"]
    assert "anna@laptop" in result.targets[0].reasons[0]


def test_what_a_dead_run_has_left_becomes_a_drain_that_stays() -> None:
    world = World()
    gate_of(world.routes, holder=Holder("d-2", "ben@desk", "desk", "", "deploy")).drain(
        "deploy", forced=False, stop=Time().stop()
    )
    result = world.run("drain", "london", reason="look at it")
    assert result.targets[0].outcome == "drained"
    drain = drain_of(world.routes.checks["london"])
    assert drain is not None
    assert (drain.kept, drain.who, drain.why) == (True, "anna@laptop", "look at it")


def test_what_is_not_drained_needs_no_restore() -> None:
    result = World().run("restore", "london")
    assert [(one.outcome, one.reasons) for one in result.targets] == [("unchanged", ("it is not drained",))]


def test_what_is_not_healthy_stays_drained_unless_forced() -> None:
    world = World()
    world.run("drain", "london")
    world.prober.reason = "HTTP 500"
    result = world.run("restore", "london")
    assert result.targets[0].outcome == "failed"
    assert "stays drained: it is not healthy" in str(result.targets[0].error)
    assert world.drained() == ["london"]
    assert world.run("restore", "london", forced=True, reason="it must").targets[0].outcome == "in traffic"


def test_a_cluster_that_is_down_keeps_nobody_from_draining() -> None:
    world = World()

    def down(*arguments: Any, **named: Any) -> Any:
        raise UnreachableError("the API server does not answer")

    world.locks["london"].acquire = down  # type: ignore[method-assign]
    assert world.run("drain", "london").targets[0].outcome == "drained"


def test_who_deploys_there_is_not_disturbed() -> None:
    world = World()
    world.locks["london"].hold("myapp", BEN)
    result = world.run("drain", "london")
    assert isinstance(result.targets[0].error, HeldError)
    assert world.drained() == []


def test_the_only_region_is_not_drained() -> None:
    world = World()
    for key in [key for key in world.routes.stored if key[2] != "london"]:
        del world.routes.stored[key]
    result = world.run("drain", "london")
    assert "no other region has a record" in str(result.targets[0].error)
    assert world.run("drain", "london", forced=True, reason="I know").targets[0].outcome == "drained"


def test_a_drain_that_does_not_end_after_a_signal_is_not_called_not_started(monkeypatch: pytest.MonkeyPatch) -> None:
    """Route 53 is slow, the waiting is given up, and the region may be drained or not."""
    world = World()
    asked, told, finished_ = Event(), Event(), Event()
    tag = world.routes.tag_health_check

    def slow(check: HealthCheck, tags: Any) -> HealthCheck:
        asked.set()
        assert told.wait(10)
        finished_.set()
        return tag(check, tags)

    def given_up(jobs: Any, *, interrupt: Any) -> Any:
        outcome: Outcome[None] = Outcome()
        Thread(target=jobs[0], daemon=True).start()
        assert asked.wait(10)
        interrupt()
        return [outcome], None

    world.routes.tag_health_check = slow  # type: ignore[method-assign]
    monkeypatch.setattr("deployer.pipeline.draining.run_all", given_up)
    result = world.run("drain", "london", "seoul")
    told.set()
    assert [one.outcome for one in result.targets] == ["interrupted", "not started"]
    error = result.targets[0].error
    assert error is not None
    assert "`deploy dns status prod london myapp`" in (error.hint or "")
    assert finished_.wait(10)


def test_an_app_without_a_host_has_nothing_to_drain() -> None:
    with pytest.raises(HeldError, match="no host that could be drained"):
        World().run("drain", "london", sub_domain=None)
