"""A region's traffic around a deployment: out before the change, back once it is healthy, and all that may go wrong."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from deployer.errors import DeployError, HeldError, UnreachableError
from deployer.events import WarningRaised
from deployer.execute.attempt import Attempt
from deployer.execute.checkers import CheckersDisagree
from deployer.execute.dns.managed import OldCheck, Written
from deployer.execute.drain import Traffic
from deployer.execute.executor import Execution
from deployer.execute.traffic import is_left, settle
from deployer.execute.work import RegionPorts, Work
from deployer.model import (
    App,
    DeploymentRecord,
    HealthCheckSettings,
    Json,
    ObjectKey,
    RolloutSettings,
    Settings,
    Target,
    TargetResult,
)
from deployer.model.dns import HealthCheck, HealthStatus
from deployer.plan.drain import drain_of, lock_record, marks
from deployer.plan.manifests import PreparedManifests
from deployer.plan.manifests.canonical import canonical_text
from deployer.plan.steps import ReleaseAction, TargetPlan
from tests.fake_dns import seen_by
from tests.fakes import FakeCluster, FakeHeldLock, FakeLocks, FakeProber, FakeReleases, RecordingSink, make_revision
from tests.unit.execute.test_drain import ANNA, BEN, SERVICE, FakeNameServers, Time, gate_of, make_dns

INGRESS: Json = {
    "apiVersion": "networking.k8s.io/v1",
    "kind": "Ingress",
    "metadata": {"name": "myapp", "uid": "1"},
    "spec": {"rules": [{"host": SERVICE.regional_host("london")}]},
}
KEY = ObjectKey("networking.k8s.io/v1", "Ingress", "default", "myapp")


class Scene:
    """London with one good revision, in DNS beside Seoul and Virginia. Time passes where somebody would wait."""

    def __init__(self, *, action: ReleaseAction = "upgrade", **traffic: Any) -> None:
        self.dns = make_dns()
        self.looks = 0
        self.time = Time()
        self.cluster = FakeCluster({KEY: {**INGRESS, "status": {"loadBalancer": {"ingress": [{"hostname": "lb"}]}}}})
        self.releases = FakeReleases([make_revision(2, verified=False), make_revision(1)])
        self.prober = FakeProber()
        self.sink = RecordingSink()
        self.locks = FakeLocks()
        target = Target("prod", "london", "myapp")
        plan = TargetPlan(target, release_action=action, current_revision=2, good_revision=1)
        if action == "rollback":
            plan = replace(plan, rollback_to=1)
        health = HealthCheckSettings(connect_to="192.0.2.1:443", timeout=0.01)
        gate = gate_of(self.dns, name_servers=FakeNameServers(self.dns), prober=FakeProber(), time=self.time)
        self.work = Work(
            plan=plan,
            app=App("myapp", "myapp", (), sub_domain="myapp"),
            settings=Settings(
                "eu-west-2", dns_domain="example.com", health_check=health, rollout=RolloutSettings(timeout=0)
            ),
            prepared=PreparedManifests("default", (INGRESS,), (canonical_text(INGRESS),)),
            record=DeploymentRecord(ANNA.deployment_id, "myapp", "prod", "london"),
            ports=RegionPorts(self.cluster, self.releases, self.prober, self.locks),
            timeout=0,
            traffic=Traffic(gate, **{"drain": True, "reason": "deploy myapp 2", **traffic}),
        )
        self.attempt = Attempt(self.work, self.sink)
        self.attempt.stopping = self.time.stop()
        self.dns.status = self._look_anew  # type: ignore[method-assign]
        self.order: list[str] = []
        self._note(self.releases, "upgrade")
        self._note(self.dns, "update_health_check")

    def _look_anew(self, check: HealthCheck) -> HealthStatus:
        """The checkers go on looking: each answer is a new one."""
        self.looks += 1
        seen = self.dns.seen.get(check.id, seen_by(18, 18))
        return replace(
            seen, observations=tuple(replace(one, text=f"{one.text} ({self.looks})") for one in seen.observations)
        )

    def _note(self, port: Any, name: str) -> None:
        call = getattr(port, name)

        def noted(*arguments: Any, **named: Any) -> Any:
            self.order.append(name)
            return call(*arguments, **named)

        setattr(port, name, noted)

    def left(self, holder: Any = BEN, action: str = "deploy") -> None:
        """A drain that somebody has made before."""
        gate = gate_of(self.dns, holder=replace(holder, action=action))
        gate.drain("before", forced=False, stop=Time().stop())
        self.order.clear()

    def run(self) -> TargetResult:
        return Execution(self.attempt).run()

    @property
    def drained(self) -> bool:
        return self.dns.checks["london"].config.drained

    @property
    def warnings(self) -> list[str]:
        return [event.text for event in self.sink.events if isinstance(event, WarningRaised)]


def test_the_region_is_out_before_it_is_changed_and_back_when_it_is_healthy() -> None:
    scene = Scene()
    result = scene.run()
    assert result.outcome == "deployed", result.error
    assert scene.order == ["update_health_check", "upgrade", "update_health_check"]
    assert not scene.drained
    assert drain_of(scene.dns.checks["london"]) is None
    assert result.absence is not None
    assert result.absence.until is not None
    assert [phase.phase for phase in result.phases][:2] == ["drain", "release"]
    assert scene.time.seconds >= 60 + 30  # caches and connections, before the release
    assert scene.releases.stored[0].verified


def test_without_a_drain_nothing_is_asked_of_dns() -> None:
    scene = Scene()
    scene.attempt.work = replace(scene.work, traffic=None)
    scene.dns.down = UnreachableError("Route 53 does not answer")
    assert Execution(scene.attempt).run().outcome == "deployed"


def test_a_guard_that_refuses_leaves_everything_as_it_is() -> None:
    scene = Scene()
    scene.dns.seen = {"seoul": seen_by(0, 18), "virginia": seen_by(0, 18)}
    result = scene.run()
    assert isinstance(result.error, HeldError)
    assert result.revision is None
    assert scene.order == []
    assert result.absence is None


def test_a_rollback_goes_on_without_a_drain_that_is_refused() -> None:
    scene = Scene(action="rollback", optional=True)
    scene.dns.seen = {"seoul": seen_by(0, 18), "virginia": seen_by(0, 18)}
    assert scene.run().outcome == "restored"
    assert any("goes on without" in warning for warning in scene.warnings)


def test_a_rollback_goes_on_also_when_route_53_is_down() -> None:
    scene = Scene(action="rollback", optional=True, lenient=True)
    scene.dns.down = UnreachableError("Route 53 does not answer")
    assert scene.run().outcome == "restored"
    assert any("Route 53 does not answer; a rollback goes on" in warning for warning in scene.warnings)


def test_an_app_with_one_region_has_nothing_to_guard() -> None:
    scene = Scene()
    for key in [key for key in scene.dns.stored if key[2] in ("seoul", "virginia")]:
        del scene.dns.stored[key]
    assert scene.run().outcome == "deployed"
    assert scene.order == ["upgrade"]
    assert any("is not drained: no other region has a record" in warning for warning in scene.warnings)


def test_what_fails_is_rolled_back_and_put_back_once_that_is_healthy() -> None:
    scene = Scene()
    answers = iter([*["HTTP 500"] * 1, *[None] * 9])
    scene.prober.ask = lambda probe: next(answers)  # type: ignore[method-assign]
    scene.attempt.work = scene.work = replace(
        scene.work, settings=replace(scene.work.settings, health_check=_patient(scene.work.settings.health_check))
    )
    scene.releases.fail = UnreachableError("helm failed")
    result = scene.run()
    assert result.outcome == "rolled back", result.error
    assert not scene.drained
    assert result.absence is not None
    assert result.absence.until is not None


def _patient(health: HealthCheckSettings) -> HealthCheckSettings:
    return replace(health, timeout=30.0)


def test_a_region_that_is_not_healthy_after_its_rollback_stays_drained() -> None:
    scene = Scene()
    scene.prober.reason = "HTTP 500"
    result = scene.run()
    assert result.outcome == "rolled back"
    assert scene.drained
    assert result.absence is not None
    assert result.absence.until is None
    assert result.error is not None
    assert "london stays drained: `deploy recover prod london myapp`" in (result.error.hint or "")


def test_a_dns_that_cannot_be_put_back_keeps_a_good_release() -> None:
    scene = Scene()

    def fails_to_restore(*arguments: Any) -> Any:
        raise UnreachableError("Route 53 does not answer")

    upgrade = scene.releases.upgrade

    def upgraded(*arguments: Any) -> int:
        scene.dns.update_health_check = fails_to_restore  # type: ignore[assignment, method-assign]
        return upgrade(*arguments)

    scene.releases.upgrade = upgraded  # type: ignore[assignment, method-assign]
    result = scene.run()
    assert result.outcome == "failed"
    assert scene.releases.stored[0].verified
    assert scene.drained
    assert result.error is not None
    assert "deploy recover" in (result.error.hint or "")


def test_who_is_stopped_before_the_change_puts_the_region_back() -> None:
    scene = Scene()
    scene.time.passing = scene.attempt.stopping.set
    result = scene.run()
    assert result.outcome == "not started"
    assert "upgrade" not in scene.order
    assert not scene.drained


def test_who_is_stopped_after_the_change_leaves_it_drained_and_says_so() -> None:
    scene = Scene()
    scene.prober.ask = _then(scene.attempt.stopping.set)  # type: ignore[assignment, method-assign]
    result = scene.run()
    assert result.outcome == "interrupted"
    assert scene.drained
    assert result.error is not None
    assert "stays drained" in (result.error.hint or "")


def _then(happens: Callable[[], None]) -> Callable[[object], str]:
    def ask(probe: object) -> str:
        happens()
        return "HTTP 500"

    return ask


def test_a_lost_lock_means_hands_off_dns() -> None:
    scene = Scene()
    lock = FakeHeldLock(scene.locks, "myapp", None, scene.attempt.lose)  # type: ignore[arg-type]
    scene.attempt.lock = lock

    def lost(*arguments: Any) -> int:
        scene.locks.hold("myapp", BEN)
        scene.attempt.lose()
        return 3

    scene.releases.upgrade = lost  # type: ignore[assignment, method-assign]
    result = scene.run()
    assert result.outcome == "failed"
    assert scene.drained


# What others have left.


def test_a_drain_of_a_dead_run_is_ended_by_the_next_deployment() -> None:
    scene = Scene(drain=False, judged=True)
    scene.left()
    result = scene.run()
    assert result.outcome == "deployed", result.error
    assert not scene.drained
    assert scene.order == ["upgrade", "update_health_check"]
    assert any("was drained by ben@desk" in repair for repair in result.repairs)


def test_a_drain_by_hand_stays() -> None:
    scene = Scene()
    scene.left(action="drain")
    result = scene.run()
    assert result.outcome == "deployed", result.error
    assert scene.drained
    assert scene.order == ["upgrade"]
    assert any("stays so" in warning for warning in scene.warnings)


@pytest.fixture
def settled() -> Iterator[Scene]:
    """Nothing is to be done about the release, and its lock is ours."""
    scene = Scene(action="none", drain=False, lenient=True)
    scene.locks.hold("myapp", ANNA)
    scene.attempt.lock = FakeHeldLock(scene.locks, "myapp", scene.locks.states["myapp"], scene.attempt.lose)
    yield scene


def test_recovering_ends_a_drain_that_was_left(settled: Scene) -> None:
    settled.left()
    result = settle(settled.attempt)
    assert result.outcome == "repaired"
    assert any("was drained by ben@desk" in repair for repair in result.repairs)
    assert not settled.drained


def test_recovering_leaves_a_region_drained_that_is_not_healthy(settled: Scene) -> None:
    settled.left()
    settled.prober.reason = "HTTP 500"
    result = settle(settled.attempt)
    assert result.outcome == "failed"
    assert settled.drained


def test_recovering_does_not_need_dns_where_nothing_names_it(settled: Scene) -> None:
    settled.dns.down = UnreachableError("Route 53 does not answer")
    assert settle(settled.attempt).outcome == "unchanged"
    assert any("cannot be seen" in warning for warning in settled.warnings)


def test_a_mark_without_a_drain_is_no_drain(settled: Scene) -> None:
    settled.left()
    check = settled.dns.checks["london"]
    drain = drain_of(check)
    assert drain is not None
    assert {**check.tags, **marks(drain)} == check.tags
    settled.dns.checks["london"] = replace(check, config=replace(check.config, disabled=False, inverted=False))
    assert settle(settled.attempt).repairs == ()


def test_what_is_left_is_known_before_the_lock_is_taken(settled: Scene) -> None:
    traffic = settled.work.traffic
    assert not is_left(traffic)
    settled.dns.add(lock_record(SERVICE.host, BEN, "dead"))
    assert is_left(traffic)
    settled.dns.stored = make_dns().stored
    settled.left(action="drain")
    assert not is_left(traffic)
    settled.dns.down = UnreachableError("Route 53 does not answer")
    assert not is_left(traffic)
    assert not is_left(None)


def test_a_lock_of_drains_that_was_left_is_taken_away(settled: Scene) -> None:
    settled.dns.add(lock_record(SERVICE.host, BEN, "dead"))
    result = settle(settled.attempt)
    assert any("took away the lock of drains" in repair for repair in result.repairs)
    assert not [record for record in settled.dns.stored.values() if record.type == "TXT"]


# Judged by Route 53's checkers.


def test_checkers_that_disagree_make_a_deployment_fail() -> None:
    scene = Scene(drain=False, judged=True)
    scene.dns.seen = {"london": seen_by(0, 18)}
    result = scene.run()
    assert result.outcome == "rolled back"
    assert "do not see myapp.london.example.com healthy" in str(result.error)


def test_checkers_that_agree_by_new_looks_end_it() -> None:
    scene = Scene(drain=False, judged=True)
    result = scene.run()
    assert result.outcome == "deployed", result.error
    assert "checkers" in [phase.phase for phase in result.phases]
    assert scene.looks >= 2


def test_looks_from_before_prove_nothing() -> None:
    scene = Scene(drain=False, judged=True)
    scene.dns.status = lambda check: seen_by(18, 18)  # type: ignore[method-assign]
    result = scene.run()
    assert result.outcome == "rolled back"
    assert "reported nothing new" in str(result.error)


def test_checkers_that_nobody_can_ask_about_take_no_good_release_back() -> None:
    scene = Scene(drain=False, judged=True)

    def down(check: HealthCheck) -> HealthStatus:
        raise UnreachableError("Route 53 does not answer")

    scene.dns.status = down  # type: ignore[method-assign]
    result = scene.run()
    assert result.outcome == "failed"
    assert "could not be asked" in str(result.error)
    assert scene.releases.stored[0].verified
    assert result.error is not None
    assert "stays drained" not in (result.error.hint or "")


# DNS that a deployment writes.


class WritingDns:
    """DNS that is written, or of which the checkers say something; whether the revision counted as good then."""

    def __init__(self, scene: Scene, says: DeployError | None = None, *, agreed: bool = False) -> None:
        self.scene = scene
        self.says = says
        self.agreed = agreed
        self.differs = True
        self.good: list[bool | None] = []
        scene.attempt.work = scene.work = replace(scene.work, dns=self)  # type: ignore[arg-type]

    def write(self, attempt: Attempt) -> Written:
        self.good.append(self.scene.releases.stored[0].verified)
        attempt.old_check = OldCheck(SimpleNamespace(dns=self.scene.dns), self.scene.dns.checks["london"], "update")  # type: ignore[arg-type]
        self.scene.dns.update_health_check(
            self.scene.dns.checks["london"], replace(self.scene.dns.checks["london"].config, path="/new")
        )
        if self.says is not None:
            raise self.says
        return Written(("create it",), self.agreed)


def test_a_revision_is_good_only_once_the_checkers_agreed() -> None:
    scene = Scene(drain=False, judged=True)
    dns = WritingDns(scene, agreed=True)
    result = scene.run()
    assert result.outcome == "deployed", result.error
    assert dns.good == [False]
    assert scene.releases.stored[0].verified
    assert result.changes[-1] == "dns: create it"
    assert scene.dns.checks["london"].config.path == "/new"
    assert scene.looks == 0  # they are not waited for twice


def test_a_first_deployment_that_the_checkers_do_not_see_healthy_is_taken_away() -> None:
    scene = Scene(drain=False, judged=True)
    scene.releases.stored.clear()
    plan = TargetPlan(scene.work.target, release_action="install")
    scene.work = replace(scene.work, plan=plan)
    WritingDns(scene, CheckersDisagree("not seen healthy"))
    result = scene.run()
    assert result.outcome == "uninstalled"
    assert isinstance(result.error, CheckersDisagree)
    assert result.evidence is not None
    assert scene.releases.stored == []


def test_a_release_goes_back_with_its_health_check() -> None:
    scene = Scene(drain=False, judged=True)
    WritingDns(scene, CheckersDisagree("not seen healthy"))
    result = scene.run()
    assert result.outcome == "rolled back"
    assert scene.dns.checks["london"].config.path == "/health"


def test_dns_that_cannot_be_written_takes_no_release_back() -> None:
    scene = Scene(drain=False, judged=True)
    WritingDns(scene, UnreachableError("Route 53 does not answer"))
    result = scene.run()
    assert result.outcome == "deployed"
    assert isinstance(result.error, UnreachableError)
    assert scene.releases.stored[0].verified


def test_a_drained_region_gets_its_new_health_check_before_it_is_led_back() -> None:
    scene = Scene(judged=True)
    WritingDns(scene)
    result = scene.run()
    assert result.outcome == "deployed", result.error
    assert scene.order == ["update_health_check", "upgrade", "update_health_check", "update_health_check"]
    assert not scene.drained
    assert scene.dns.checks["london"].config.path == "/new"
