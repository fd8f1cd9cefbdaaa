"""How a signal ends what is under way: changes are cut short, ways back are not, and what hangs is left behind."""

from __future__ import annotations

from dataclasses import replace
from threading import Event, Thread
from typing import Any

import pytest

from deployer.errors import DeploymentFailed, HeldError, InterruptedBySignal, UnreachableError
from deployer.execute.attempt import Attempt
from deployer.execute.executor import Execution
from deployer.execute.fleet import Fleet, Member
from deployer.execute.parallel import Outcome
from deployer.execute.undo import fail
from deployer.execute.work import Work
from deployer.model import Holder, LockState
from deployer.plan.order import Order
from tests.fakes import RecordingSink, make_revision
from tests.unit.execute.test_fleet import THEM, US, Region, Scene


def attempt_at(region: Region) -> Attempt:
    return Attempt(region.work(), RecordingSink())


class Hanging:
    """Helm, which ends when it is stopped, and tells when it began."""

    def __init__(self, region: Region) -> None:
        self.began, self.stopped = Event(), Event()
        self._region = region
        region.releases.stop = self.stopped.set  # type: ignore[method-assign]

    def __call__(self, *_: Any, **__: Any) -> int:
        self.began.set()
        assert self.stopped.wait(10), "nobody has stopped it"
        raise InterruptedBySignal(15, "helm was stopped")


def test_a_change_is_cut_short() -> None:
    region = Region("london", [])
    helm = region.releases.upgrade = Hanging(region)  # type: ignore[method-assign]
    attempt = attempt_at(region)
    results: list[Any] = []
    thread = Thread(target=lambda: results.append(Execution(attempt).run()), daemon=True)
    thread.start()
    assert helm.began.wait(10)
    attempt.stop()
    thread.join(10)
    assert results[0].outcome == "not started", "helm has left nothing"


def test_a_stop_that_comes_while_helm_is_only_starting_is_not_missed() -> None:
    region = Region("london", [])
    attempt, asked = attempt_at(region), Event()
    times: list[int] = []

    def stop() -> None:
        times.append(1)
        if len(times) > 1:  # the first one found no helm
            asked.set()

    region.releases.stop = stop  # type: ignore[method-assign]
    with attempt.changing():
        attempt.stop()
        assert asked.wait(10)


def test_a_way_back_is_not_cut_short() -> None:
    region = Region("london", [])
    attempt = attempt_at(region)
    attempt.stop()
    region.releases.stored.insert(0, make_revision(2, verified=False, deployment_id="ours"))
    result = fail(attempt, DeploymentFailed("it was stopped"))
    assert result.outcome == "interrupted"
    assert [step for step in region.releases.done if step[0] == "rollback"] == [("rollback", 1, 3)]
    assert ("stop",) not in region.releases.done


def test_what_a_stopped_helm_has_left_is_taken_back_and_written_down() -> None:
    region = Region("london", [])
    attempt = attempt_at(region)
    region.releases.fail = DeploymentFailed("helm was stopped")
    upgrade = region.releases.upgrade

    def stopped(*arguments: Any) -> int:
        attempt.stop()
        return upgrade(*arguments)

    region.releases.upgrade = stopped  # type: ignore[method-assign, assignment]
    result = Execution(attempt).run()
    assert result.outcome == "interrupted"
    assert next(one for one in region.releases.stored if one.number == 2).ended == "interrupted"
    assert "deploy recover prod london myapp" in str(result.error.hint if result.error else "")
    assert result.evidence is None, "a container that hangs would keep us from going back in time"


def test_where_nothing_can_be_seen_recovering_is_recommended() -> None:
    region = Region("london", [])
    attempt = attempt_at(region)

    def silent(*_: Any) -> Any:
        raise UnreachableError("the cluster does not answer")

    region.releases.revisions = silent  # type: ignore[method-assign, assignment]
    result = fail(attempt, DeploymentFailed("helm failed"))
    assert result.outcome == "failed"
    assert result.error is not None
    assert "deploy recover prod london myapp" in str(result.error.hint)


def test_a_verification_that_is_stopped_changes_nothing() -> None:
    region = Region("london", [], ready=False)
    region.releases.stored = [make_revision(2, verified=False), make_revision(1)]
    region.plan = replace(region.plan, release_action="verify", current_revision=2)
    attempt = attempt_at(region)
    watch = attempt.watch

    def stopped(*arguments: Any) -> Any:
        attempt.stop()
        return watch(*arguments)

    attempt.watch = stopped  # type: ignore[method-assign, assignment]
    result = Execution(attempt).run()
    assert result.outcome == "interrupted"
    assert region.releases.done == []


@pytest.mark.parametrize(("ready", "outcome"), [(True, "deployed"), (False, "rolled back")])
def test_a_verification_ends_like_a_deployment(ready: bool, outcome: str) -> None:
    region = Region("london", [], ready=ready)
    region.releases.stored = [make_revision(2, verified=False), make_revision(1)]
    region.plan = replace(region.plan, release_action="verify", current_revision=2)
    assert Execution(attempt_at(region)).run().outcome == outcome
    assert "upgrade" not in [step[0] for step in region.releases.done]
    assert next(one for one in region.releases.stored if one.number == 2).verified is ready


def test_whoever_was_abandoned_changes_nothing_more() -> None:
    region = Region("london", [])
    attempt = attempt_at(region)
    attempt.abandon()
    assert Execution(attempt).run().outcome == "failed"
    assert region.releases.done == []
    with pytest.raises(HeldError):
        attempt.mark(verified=True) if attempt.revision else attempt.about_to_change()


# --- fleets ----------------------------------------------------------------------------------------------------------


def run_until(fleet: Fleet, event: Event) -> Thread:
    runner = Thread(target=fleet.run, daemon=True)
    runner.start()
    assert event.wait(10)
    return runner


def test_a_fleet_that_is_left_frees_the_regions_where_nothing_runs() -> None:
    """Seoul hangs: its lock expires, and the others' locks are given back."""
    scene = Scene(order=Order((("seoul", "london"), ("virginia",))))
    hangs, over, seoul = Event(), Event(), scene.regions["seoul"]
    mark = scene.regions["london"].releases.mark
    marked = Event()

    def hang(*_: Any) -> int:
        hangs.set()
        over.wait(30)
        raise UnreachableError("the cluster does not answer")

    def and_tell(*arguments: Any, **more: Any) -> None:
        mark(*arguments, **more)
        marked.set()

    seoul.releases.upgrade = hang  # type: ignore[method-assign, assignment]
    scene.regions["london"].releases.mark = and_tell  # type: ignore[method-assign]
    fleet = scene.fleet()
    runner = run_until(fleet, hangs)
    assert marked.wait(10)
    fleet.interrupt()
    while fleet.results.get(scene.regions["london"].target) is None:
        runner.join(0.01)
    fleet.leave(at_once=False)
    unfinished: Outcome[None] = Outcome()
    results = {one.work.target.region: fleet.result(one, unfinished) for one in fleet.attempts}
    assert {name: result.outcome for name, result in results.items()} == {
        "london": "deployed",
        "seoul": "interrupted",
        "virginia": "not started",
    }
    assert {name: bool(region.locks.states) for name, region in scene.regions.items()} == {
        "london": False,
        "seoul": True,
        "virginia": False,
    }
    over.set()
    runner.join(10)
    assert seoul.releases.done == [] or {step[0] for step in seoul.releases.done} == {"stop"}


def test_who_is_told_twice_to_stop_does_not_even_give_locks_back() -> None:
    scene = Scene()
    hangs, over = Event(), Event()
    seoul = scene.regions["seoul"]

    def wait_in_line(*_: Any, **__: Any) -> Any:
        hangs.set()
        over.wait(30)
        raise HeldError("it is locked")

    seoul.locks.acquire = wait_in_line  # type: ignore[method-assign]
    fleet = scene.fleet()
    runner = run_until(fleet, hangs)
    fleet.leave(at_once=True)
    assert scene.regions["london"].locks.states != {}
    over.set()
    runner.join(10)


def test_whose_lock_was_taken_over_is_told() -> None:
    scene = Scene()
    died = LockState(Holder("theirs", "ben@desk", "desk", "2026-11-21T11:59:00+00:00"), 20.0, "v", alive=False)
    scene.regions["london"].locks.states["myapp"] = died
    repairs = scene.run()["london"].repairs
    assert repairs == (f"took over the lock of {THEM}, whose process has ended",)


def test_a_member_that_must_not_be_stale_is_locked_and_planned_again_always() -> None:
    scene = Scene()
    region = scene.regions["london"]
    region.plan = replace(region.plan, release_action="none")
    seen: list[Work] = []

    def again() -> Work:
        seen.append(region.work())
        return seen[-1]

    fleet = Fleet([Member(region.work(), again, always=True)], scene.order, scene.sink, US)
    fleet.run()
    assert len(seen) == 1
    assert [step for step, _ in region.locks.done] == ["acquire", "release"]
    assert fleet.results[region.target].outcome == "unchanged"
