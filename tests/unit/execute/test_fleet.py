"""One app in many regions, with the ports faked: locks, waves, bakes, and what happens to the others on a failure."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from threading import Event, Thread
from typing import Any

import pytest

from deployer.errors import HeldError
from deployer.events import LockAwaited
from deployer.execute import bake
from deployer.execute.fleet import Fleet, Member, run_fleets
from deployer.execute.work import RegionPorts, Work
from deployer.model import (
    App,
    DeploymentRecord,
    Holder,
    Json,
    ObjectKey,
    RolloutSettings,
    Settings,
    Target,
    TargetResult,
)
from deployer.model.changes import FieldChange, ObjectChange, Preview
from deployer.plan.manifests import PreparedManifests
from deployer.plan.manifests.canonical import canonical_text
from deployer.plan.order import Order
from deployer.plan.steps import TargetPlan
from tests.fakes import FakeCluster, FakeLocks, FakeProber, FakeReleases, RecordingSink, make_revision

CONFIG: Json = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "myapp"}, "data": {"a": "b"}}
KEY = ObjectKey("v1", "ConfigMap", "default", "myapp")
US = Holder("ours", "anna@laptop", "laptop", "2026-11-21T12:00:00+00:00")
THEM = Holder("theirs", "ben@desk", "desk", "2026-11-21T11:59:00+00:00")


class Region:
    """A region with one good revision, in which the next one becomes ready or does not."""

    def __init__(self, name: str, order: list[str], *, ready: bool = True) -> None:
        self.target = Target("prod", name, "myapp")
        self.cluster = FakeCluster({KEY: {**CONFIG, "metadata": {"name": "myapp", "uid": "1"}}} if ready else {})
        self.releases = FakeReleases([make_revision(1)])
        self.locks = FakeLocks()
        self.plan = TargetPlan(self.target, release_action="upgrade", current_revision=1, good_revision=1)
        upgrade = self.releases.upgrade

        def told(*arguments: Any) -> int:
            order.append(name)
            return upgrade(*arguments)

        self.releases.upgrade = told  # type: ignore[method-assign, assignment]

    def work(self) -> Work:
        return Work(
            plan=self.plan,
            app=App("myapp", "myapp", ()),
            settings=Settings("eu-west-2", rollout=RolloutSettings(timeout=0)),
            prepared=PreparedManifests("default", (CONFIG,), (canonical_text(CONFIG),)),
            record=DeploymentRecord("ours", "myapp", "prod", self.target.region),
            ports=RegionPorts(self.cluster, self.releases, FakeProber(), self.locks),
            timeout=0,
        )


class Scene:
    """London, Seoul and Virginia; `broken` ones do not become ready."""

    def __init__(self, *broken: str, order: Order | None = None, lock_wait: float = 0.0) -> None:
        self.done: list[str] = []
        names = ("london", "seoul", "virginia")
        self.regions = {name: Region(name, self.done, ready=name not in broken) for name in names}
        self.order = order or Order((names,))
        self.sink = RecordingSink()
        self.lock_wait = lock_wait
        self.planned_again: list[str] = []
        self.deletes_later: tuple[ObjectKey, ...] = ()
        self.changes_later: Preview | None = None

    def fleet(self) -> Fleet:
        members = [Member(region.work(), partial(self.again, region)) for region in self.regions.values()]
        return Fleet(members, self.order, self.sink, US, lock_wait=self.lock_wait)

    def again(self, region: Region) -> Work:
        self.planned_again.append(region.target.region)
        newest = region.releases.stored[0].number
        region.plan = replace(region.plan, current_revision=newest, deletions=self.deletes_later)
        region.plan = replace(region.plan, preview=self.changes_later)
        return region.work()

    def run(self) -> dict[str, TargetResult]:
        results, signalled = run_fleets([self.fleet()])
        assert signalled is None
        return {target.region: result for target, result in results.items()}

    def outcomes(self) -> dict[str, str]:
        return {name: result.outcome for name, result in self.run().items()}


CANARY = Order((("seoul",), ("london", "virginia")))


def test_every_region_is_locked_before_any_is_changed_and_freed_after_all() -> None:
    scene = Scene()
    assert set(scene.outcomes().values()) == {"deployed"}
    for region in scene.regions.values():
        assert [step for step, _ in region.locks.done] == ["acquire", "release"]


def test_locks_are_taken_in_the_order_of_their_regions() -> None:
    scene = Scene(order=CANARY)
    taken: list[str] = []
    for name, region in scene.regions.items():
        region.locks.acquire = partial(noted, taken, name, region.locks.acquire)  # type: ignore[method-assign]
    scene.run()
    assert taken == ["london", "seoul", "virginia"]


def noted(taken: list[str], name: str, acquire: Any, *arguments: Any, **named: Any) -> Any:
    taken.append(name)
    return acquire(*arguments, **named)


def test_a_lock_that_somebody_holds_ends_everything_before_anything_is_changed() -> None:
    scene = Scene()
    scene.regions["seoul"].locks.hold("myapp", THEM)
    results = scene.run()
    assert {result.outcome for result in results.values()} == {"not started"}
    assert all(isinstance(result.error, HeldError) for result in results.values())
    assert scene.done == []
    assert scene.regions["london"].locks.states == {}  # given back


def test_who_waited_in_line_plans_again_upon_what_is_there_now() -> None:
    scene = Scene(lock_wait=5)
    region = scene.regions["seoul"]
    region.locks.hold("myapp", THEM)

    def they_deploy(locks: FakeLocks) -> None:
        locks.states.clear()
        region.releases.stored.insert(0, make_revision(2))

    region.locks.freed = they_deploy
    assert set(scene.outcomes().values()) == {"deployed"}
    assert scene.planned_again == ["seoul"]
    assert [event.state.holder for event in scene.sink.events if isinstance(event, LockAwaited)] == [THEM]


def test_waiting_never_deletes_data_that_nobody_was_asked_about() -> None:
    scene = Scene()
    region = scene.regions["seoul"]
    region.releases.stored.insert(0, make_revision(2))
    claim = ObjectKey("v1", "PersistentVolumeClaim", "default", "data")
    scene.deletes_later = (claim,)
    assert set(scene.outcomes().values()) == {"not started"}
    assert scene.done == []


@pytest.mark.parametrize(("live", "outcome"), [("shown", "deployed"), ("another", "not started")])
def test_what_somebody_has_agreed_to_is_done_only_to_what_was_shown(live: str, outcome: str) -> None:
    def preview(value: str) -> Preview:
        return Preview((ObjectChange(KEY, "change", (FieldChange("data.a", "changed", value, "b"),)),))

    scene = Scene()
    region = scene.regions["seoul"]
    region.plan = replace(region.plan, preview=preview("shown"))
    region.releases.stored.insert(0, make_revision(2))
    scene.changes_later = preview(live)
    assert set(scene.outcomes().values()) == {outcome}


def test_waves_follow_each_other() -> None:
    scene = Scene(order=CANARY)
    assert set(scene.outcomes().values()) == {"deployed"}
    assert scene.done[0] == "seoul"


def test_a_canary_that_fails_ends_it_for_the_others() -> None:
    scene = Scene("seoul", order=CANARY)
    results = scene.run()
    assert {name: result.outcome for name, result in results.items()} == {
        "seoul": "rolled back",
        "london": "not started",
        "virginia": "not started",
    }
    assert "seoul failed" in str(results["london"].error)
    assert scene.done == ["seoul"]


def test_regions_that_have_advanced_stay_where_nothing_else_is_said() -> None:
    scene = Scene("london", order=CANARY)
    assert scene.outcomes() == {"seoul": "deployed", "london": "rolled back", "virginia": "deployed"}
    assert scene.regions["seoul"].releases.stored[0].verified


def test_regions_that_have_advanced_go_back_where_that_is_wanted() -> None:
    scene = Scene("london", order=replace(CANARY, on_failure="rollback"))
    results = scene.run()
    assert {result.outcome for result in results.values()} == {"rolled back"}
    assert "london failed" in str(results["seoul"].error)
    stored = {revision.number: revision.verified for revision in scene.regions["seoul"].releases.stored}
    assert stored == {1: True, 2: False, 3: True}  # what was taken back is not good any more


def test_a_wave_that_falls_ill_while_it_is_watched_goes_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bake, "PAUSE", 0.01)
    scene = Scene(order=replace(CANARY, bake=5))
    seoul = scene.regions["seoul"]
    mark = seoul.releases.mark

    def falls_ill(*arguments: Any, verified: bool, **more: Any) -> None:
        mark(*arguments, verified=verified, **more)
        if verified:
            seoul.cluster.objects.clear()

    seoul.releases.mark = falls_ill  # type: ignore[method-assign]
    results = scene.run()
    assert results["seoul"].outcome in ("rolled back", "failed")
    assert "did not stay healthy" in str(results["seoul"].error)
    assert {results[name].outcome for name in ("london", "virginia")} == {"not started"}
    assert not next(one for one in seoul.releases.stored if one.number == 2).verified


def test_a_healthy_wave_is_watched_before_the_next() -> None:
    scene = Scene(order=replace(CANARY, bake=0.01))
    results = scene.run()
    assert {result.outcome for result in results.values()} == {"deployed"}
    assert "bake" in [phase.phase for phase in results["seoul"].phases]
    assert "bake" not in [phase.phase for phase in results["london"].phases]


def test_whoever_lost_the_lock_changes_nothing_more() -> None:
    scene = Scene()
    seoul = scene.regions["seoul"]
    upgrade = seoul.releases.upgrade

    def upgrade_and_lose(*arguments: Any) -> int:
        number = upgrade(*arguments)
        seoul.locks.held[0].lose()
        return number

    seoul.releases.upgrade = upgrade_and_lose  # type: ignore[method-assign, assignment]
    results = scene.run()
    assert results["seoul"].outcome == "failed"
    assert results["london"].outcome == "deployed"
    assert [step[0] for step in seoul.releases.done if step[0] != "stop"] == ["upgrade"]
    error = results["seoul"].error
    assert error is not None
    assert (error.what, error.exit_code) == ("the lock of myapp was lost", 1)
    assert error.hint is not None
    assert "nothing more was changed" in error.hint


def test_stopped_between_two_waves() -> None:
    scene = Scene(order=replace(CANARY, bake=60))
    fleet = scene.fleet()
    runner = Thread(target=fleet.run, daemon=True)
    baking = Event()
    emit = scene.sink.emit

    def watch(event: Any) -> None:
        emit(event)
        if getattr(event, "phase", "") == "bake":
            baking.set()

    scene.sink.emit = watch  # type: ignore[method-assign]
    runner.start()
    assert baking.wait(10)
    fleet.interrupt()
    runner.join(10)
    outcomes = {target.region: result.outcome for target, result in fleet.results.items()}
    assert outcomes == {"seoul": "deployed", "london": "not started", "virginia": "not started"}
    error = fleet.results[scene.regions["london"].target].error
    assert "`deploy recover prod london,seoul,virginia myapp`" in str(error.hint if error else "")
    assert all(region.locks.states == {} for region in scene.regions.values())
