"""The story of a recovery with everything outside it faked: what is found, what is done, what is told."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from deployer.config import Loaded
from deployer.errors import DeployError, HeldError, InterruptedBySignal, UnreachableError
from deployer.execute.ports import Announcement
from deployer.execute.work import RegionPorts
from deployer.model import (
    App,
    DeploymentRecord,
    DeploymentResult,
    Holder,
    LockState,
    ObjectKey,
    Revision,
    RolloutSettings,
    Settings,
    Target,
)
from deployer.model.settings import DnsSettings
from deployer.pipeline.command import CommandRequest
from deployer.pipeline.recovery import Recovering
from deployer.report.document import json_document
from deployer.report.terminal import terminal_lines
from tests.fakes import FakeCluster, FakeLocks, FakeProber, FakeReleases, RecordingSink, make_revision
from tests.unit.execute.test_drain import FakeNameServers, make_dns

ANNA = Holder("d-1", "anna@laptop", "laptop", "2026-11-21T07:00:00+00:00")
DIED = LockState(ANNA, 20.0, "v", alive=False)


def made(number: int, name: str, *, good: bool = True, fleet: str = "london,seoul", **fields: Any) -> Revision:
    config = {"apiVersion": "v1", "kind": fields.pop("kind", "ConfigMap"), "metadata": {"name": "myapp"}}
    record = DeploymentRecord(f"2026-{name}", "myapp", "prod", "london", version=name, fleet=fleet)
    return make_revision(
        number,
        verified=good,
        record=record,
        deployment_id=record.deployment_id,
        manifests=(json.dumps(config | {"data": {"password": f"secret-of-{name}"}}),),
        **fields,
    )


class Region:
    def __init__(self, name: str, *revisions: Revision) -> None:
        self.target = Target("prod", name, "myapp")
        self.releases = FakeReleases(list(revisions))
        key = ObjectKey("v1", "ConfigMap", "here", "myapp")
        self.cluster = FakeCluster({key: {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"uid": "1"}}})
        self.locks = FakeLocks()
        self.settings = Settings("eu-west-2", namespace="here", rollout=RolloutSettings(timeout=0))


class World:
    """Two regions, and the services that reach them."""

    def __init__(self, london: list[Revision], seoul: list[Revision] | None = None) -> None:
        self.london, self.seoul = Region("london", *london), Region("seoul", *(seoul or london))
        self.regions = [self.london, self.seoul]
        self.told: list[Announcement] = []
        self.secrets: set[str] = set()
        self.sink = RecordingSink()
        self.confirmed: list[Any] = []
        self.app = App("myapp", "myapp", ())

    def run(self, *, failures: Any = (), **request: Any) -> DeploymentResult:
        configurations = tuple(
            SimpleNamespace(target=one.target, settings=one.settings, app=self.app) for one in self.regions
        )
        loaded = Loaded(tuple(one.target for one in configurations), configurations, failures)  # type: ignore[arg-type]
        asked = CommandRequest("2026-z", "prod", **request)
        story = Recovering(asked, loaded, self, self.sink, self.confirmed.append)  # type: ignore[arg-type]
        result, signalled = story.run()
        assert signalled is None
        return result

    def outcomes(self) -> dict[str, str]:
        return {target.target.region: target.outcome for target in self.run().targets}

    # --- execute.services.Services -----------------------------------------------------------------------------------

    def mask(self, text: str) -> str:
        return text

    def keep_secret(self, values: Iterable[str]) -> None:
        self.secrets |= set(values)

    def region(self, settings: Settings, target: Target) -> RegionPorts:
        one = next(one for one in self.regions if one.target == target)
        return RegionPorts(one.cluster, one.releases, FakeProber(), one.locks)

    def notifier(self, settings: Settings, channel: str | None) -> Any:
        return SimpleNamespace(announce=self.told.append)

    def webhook(self, settings: Settings) -> Any:
        raise NotImplementedError

    def git_commit(self) -> str | None:
        return "abc"

    def who(self) -> str:
        return "ben@desk"

    def holder(self, deployment: str, action: str) -> Holder:
        return Holder(deployment, self.who(), "desk", "now", action)


def test_nothing_to_do_is_said_and_nobody_is_told() -> None:
    world = World([made(2, "b"), made(1, "a")])
    result = world.run()
    assert {target.outcome for target in result.targets} == {"unchanged"}
    assert "nothing is left to repair" in "\n".join(terminal_lines(result))
    assert world.told == []
    assert all(region.releases.done == [] and region.locks.done == [] for region in world.regions)


def test_only_a_lock_was_left() -> None:
    world = World([made(1, "a")])
    world.london.locks.states["myapp"] = DIED
    result = world.run()
    assert [target.outcome for target in result.targets] == ["repaired", "unchanged"]
    assert result.targets[0].repairs == (f"took over the lock of {ANNA}, whose process has ended",)
    assert world.london.locks.states == {}
    assert "anna@laptop" in world.told[-1].text


def test_somebody_who_lives_is_left_alone() -> None:
    world = World([made(2, "b", good=False), made(1, "a")])
    world.london.locks.hold("myapp", ANNA)
    result = world.run()
    assert {target.outcome for target in result.targets} == {"not started"}
    assert isinstance(result.targets[0].error, HeldError)
    assert world.london.releases.done == []


def test_who_ended_well_while_we_waited_is_not_rolled_back() -> None:
    """It looked interrupted: the number is the same, and what became of it is not."""
    pending = made(2, "b", good=False, status="pending-upgrade")
    world = World([pending, made(1, "a")], [made(2, "b"), made(1, "a")])
    world.london.locks.hold("myapp", ANNA)

    def ended(locks: FakeLocks) -> None:
        locks.states.clear()
        world.london.releases.stored[0] = made(2, "b")

    world.london.locks.freed = ended
    result = world.run(lock_wait=5.0)
    assert {target.outcome for target in result.targets} == {"unchanged"}
    assert world.london.releases.done == []


def test_what_was_pending_goes_back_and_is_verified() -> None:
    world = World([made(2, "b", good=False, status="pending-upgrade"), made(1, "a")], [made(1, "a")])
    result = world.run()
    (repaired,) = result.targets[0].repairs
    assert result.targets[0].outcome == "repaired"
    assert repaired.endswith("was left pending-upgrade: rolled back to revision 1, as revision 3")
    assert world.london.releases.done == [("rollback", 1, 3), ("mark", 3, True)]
    record = world.london.releases.stored[0].record
    assert record is not None
    assert (record.action, record.restores, record.version) == ("recover", "2026-a", "a")
    assert result.targets[0].version == "a"
    assert len(world.told) == 2


def test_what_runs_well_is_verified_where_it_is() -> None:
    world = World([made(2, "b", good=False), made(1, "a")], [made(2, "b")])
    result = world.run()
    assert result.targets[0].outcome == "repaired"
    assert "it runs well, and is verified now" in result.targets[0].repairs[0]
    assert world.london.releases.done == [("mark", 2, True)]


def test_what_does_not_run_well_goes_back_with_its_evidence() -> None:
    world = World([made(2, "b", good=False, kind="Secret"), made(1, "a")], [made(1, "a")])
    result = world.run()
    assert result.targets[0].outcome == "repaired"
    assert result.targets[0].error is None
    assert "did not become ready" in result.targets[0].repairs[0]
    assert "rolled back, as revision 3" in result.targets[0].repairs[0]
    assert result.targets[0].evidence is not None
    assert not result.failed
    shown = "\n".join(terminal_lines(result))
    assert "Secret/myapp: 0/1 ready; does not exist yet" in shown
    assert json_document(result)["targets"][0]["evidence"]


def test_what_does_not_come_back_is_a_failure_and_left() -> None:
    world = World([made(2, "b", good=False, status="failed"), made(1, "a", kind="Secret")], [made(1, "a")])
    result = world.run()
    assert result.targets[0].outcome == "failed"
    assert [step[0] for step in world.london.releases.done] == ["rollback", "mark"]
    assert world.london.releases.done[-1] == ("mark", 3, "failed")


def test_a_first_installation_is_taken_away() -> None:
    world = World([made(1, "a", good=False, status="pending-install")])
    result = world.run()
    assert {target.outcome for target in result.targets} == {"repaired"}
    assert "uninstalled" in result.targets[0].repairs[0]
    assert world.london.releases.stored == []


def test_a_first_installation_that_is_in_dns_leaves_it_before_it_is_taken_away(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("deployer.execute.answers.Answers._sleep", lambda *_: None)
    world, dns = World([made(1, "a", good=False, status="failed")]), make_dns("london", "virginia")
    world.app = replace(world.app, sub_domain="myapp", environments=("prod.london", "prod.seoul", "prod.virginia"))
    for region in world.regions:
        rollout = RolloutSettings(timeout=0, drain_grace=0)
        region.settings = replace(
            region.settings, dns_domain="example.com", dns=DnsSettings(manage=True), rollout=rollout
        )
    world.dns = lambda *_: dns  # type: ignore[attr-defined]
    world.load_balancers = lambda *_: None  # type: ignore[attr-defined]
    world.name_servers = lambda: FakeNameServers(dns, answers=False)  # type: ignore[attr-defined]
    led_to: list[list[str | None]] = []
    world.london.releases.uninstall = lambda *_, **__: led_to.append([key[2] for key in dns.stored])  # type: ignore[method-assign]
    assert world.outcomes() == {"london": "repaired", "seoul": "repaired"}
    assert led_to == [["virginia"]]
    assert list(dns.checks) == ["virginia"]


def test_a_region_out_of_reach_keeps_all_as_they_are() -> None:
    world = World([made(2, "b", good=False), made(1, "a")])

    def silent(*_: Any) -> Any:
        raise UnreachableError("the cluster does not answer")

    world.seoul.releases.revisions = silent  # type: ignore[method-assign, assignment]
    with pytest.raises(DeployError) as caught:
        world.run(command_for=lambda regions: f"deploy recover prod {','.join(regions)} myapp")
    assert "to go on without seoul: deploy recover prod london myapp" in str(next(caught.value.leaves()).hint)
    assert world.london.releases.done == []
    assert world.london.locks.done == []


def test_a_fleet_that_stopped_halfway_is_told_with_both_ways_on() -> None:
    world = World([made(2, "b"), made(1, "a")], [made(7, "a")])
    result = world.run()
    (partial,) = result.partial
    assert (partial.reached, tuple(partial.lacking)) == (("london",), ("seoul",))
    shown = "\n".join(terminal_lines(result))
    assert "has not reached all of its regions" in shown
    assert "finish it    deploy prod seoul myapp --version b" in shown
    assert "take it back deploy rollback prod london myapp --to 2026-a" in shown
    assert json_document(result)["partial"][0]["takeBack"] == "deploy rollback prod london myapp --to 2026-a"
    assert world.london.releases.done == world.seoul.releases.done == [], "which way is not ours to decide"


def test_what_old_revisions_hold_is_masked() -> None:
    world = World([made(2, "b", kind="Secret"), made(1, "a", kind="Secret")])
    world.run()
    assert any("secret-of-a" in secret for secret in world.secrets)


def test_a_signal_is_told_in_every_report(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World([made(2, "b", good=False), made(1, "a")])
    signalled = InterruptedBySignal(15)

    def stopped(fleets: Any) -> Any:
        fleets[0].interrupt()
        fleets[0].run()
        return fleets[0].results, signalled

    monkeypatch.setattr("deployer.pipeline.recovery.run_fleets", stopped)
    configurations = tuple(
        SimpleNamespace(target=one.target, settings=one.settings, app=App("myapp", "myapp", ()))
        for one in world.regions
    )
    loaded = Loaded(tuple(one.target for one in configurations), configurations, ())  # type: ignore[arg-type]
    story = Recovering(CommandRequest("2026-z", "prod"), loaded, world, world.sink, lambda plan: None)  # type: ignore[arg-type]
    result, told = story.run()
    assert told is signalled
    assert result.stopped_by == "SIGTERM"
    assert "stopped by SIGTERM" in list(terminal_lines(result))[-1]
    assert json_document(result)["stoppedBy"] == "SIGTERM"
    assert json_document(result)["ok"] is False
    assert world.london.releases.done == []
    assert "stopped by SIGTERM" in world.told[-1].text
