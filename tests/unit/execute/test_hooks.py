"""An app's hooks around an attempt at a region: when they run, what they are told, and what their failure means."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import pytest

from deployer.errors import DeploymentFailed
from deployer.events import Sink
from deployer.execute.attempt import Attempt
from deployer.execute.executor import Execution
from deployer.execute.hook_ports import HookRequest
from deployer.execute.hooks import TargetHooks, run_on_failure
from deployer.execute.phases import Phases
from deployer.execute.work import RegionPorts, Work
from deployer.model import App, DeploymentRecord, HealthCheckSettings, Image, RolloutSettings, Settings, Target
from deployer.model.hooks import Hooks
from deployer.plan.manifests import PreparedManifests
from deployer.plan.manifests.canonical import canonical_text
from deployer.plan.steps import TargetPlan
from tests.fakes import FakeCluster, FakeLocks, FakeProber, FakeReleases, RecordingSink, make_revision

TARGET = Target("prod", "london", "site")
CONFIG = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "site"}, "data": {"a": "b"}}


@dataclass
class FakeRunner:
    """Notes what it is asked to run, beside what has happened in the cluster by then."""

    releases: FakeReleases
    fails: str = ""
    ran: list[HookRequest] = field(default_factory=list)
    revisions: list[int] = field(default_factory=list)
    stopped: bool = False

    def run(self, request: HookRequest, sink: Sink) -> None:
        self.ran.append(request)
        self.revisions.append(len(self.releases.stored))
        if request.playbook == self.fails:
            raise DeploymentFailed(f"the hook {request.playbook} failed")

    def stop(self) -> None:
        self.stopped = True


class Scene:
    def __init__(self, hooks: Hooks, fails: str = "") -> None:
        cluster, releases, self.sink = FakeCluster(), FakeReleases(), RecordingSink()
        releases.stored = [make_revision(1)]
        self.releases = releases
        self.runner = FakeRunner(releases, fails)
        image = Image("registry.test", "site", "1-abc", "sha256:" + "0" * 64)
        self.work = Work(
            plan=TargetPlan(
                TARGET,
                image=image,
                release_action="upgrade",
                current_revision=1,
                good_revision=1,
                image_action="present",
            ),
            app=App("site", "site", ("prod.london",), version="2"),
            settings=Settings(
                aws_region="eu-west-2",
                health_check=HealthCheckSettings(timeout=0),
                rollout=RolloutSettings(timeout=0),
            ),
            prepared=PreparedManifests("default", (CONFIG,), (canonical_text(CONFIG),)),
            record=DeploymentRecord("this", "site", "prod", "london"),
            ports=RegionPorts(cluster, releases, FakeProber(), FakeLocks()),
            timeout=0,
            hooks=TargetHooks(hooks, self.runner, TARGET, lambda: {"Name": "site"}, ("--tags", "x")),
        )
        from deployer.model import ObjectKey

        key = ObjectKey("v1", "ConfigMap", "default", "site")
        cluster.objects[key] = {**CONFIG, "metadata": {"name": "site", "uid": "1"}}
        self.attempt = Attempt(self.work, self.sink)

    @property
    def events(self) -> list[str]:
        return [f"{one.event} {one.playbook}" for one in self.runner.ran]


HOOKS = Hooks(before_upgrade=("a.yml", "b.yml"), after_upgrade=("c.yml",), on_failure=("d.yml",))


def test_hooks_run_around_the_change() -> None:
    scene = Scene(HOOKS)
    result = Execution(scene.attempt).run()
    assert result.outcome == "deployed"
    assert scene.events == ["BeforeUpgrade a.yml", "BeforeUpgrade b.yml", "AfterUpgrade c.yml"]
    assert scene.runner.revisions == [1, 1, 2]
    before, _, after = scene.runner.ran
    assert before.arguments == ("--tags", "x") and before.timeout == 600
    assert before.variables["Name"] == "site" and before.variables["HookEvent"] == "BeforeUpgrade"
    assert before.variables["Image"].endswith("site:1-abc") and before.variables["Outcome"] is None
    assert (after.variables["Outcome"], after.variables["Revision"]) == ("deployed", 2)
    assert [phase.phase for phase in result.phases][:2] == ["hook BeforeUpgrade", "release"]
    assert scene.releases.stored[0].verified


def test_a_failing_hook_before_leaves_the_region_as_it_was() -> None:
    scene = Scene(HOOKS, fails="a.yml")
    result = Execution(scene.attempt).run()
    assert (result.outcome, result.revision) == ("failed", None)
    assert scene.events == ["BeforeUpgrade a.yml"]
    assert len(scene.releases.stored) == 1


def test_a_failing_hook_after_takes_the_region_back() -> None:
    scene = Scene(HOOKS, fails="c.yml")
    result = Execution(scene.attempt).run()
    assert result.outcome == "rolled back"
    assert "c.yml" in str(result.error)
    assert not any(one.verified for one in scene.releases.stored if one.number == 2)


def test_what_fails_after_a_failure_is_a_warning() -> None:
    scene = Scene(HOOKS, fails="d.yml")
    error = DeploymentFailed("it broke", where="prod london", why="a reason")
    result = run_on_failure(scene.attempt, scene.attempt.result("rolled back", error))
    assert result.outcome == "rolled back" and result.error is error
    assert result.warnings == ("the hook d.yml failed",)
    told = scene.runner.ran[0].variables
    assert told["Outcome"] == "rolled back"
    assert told["Error"] == {"What": "it broke", "Where": "prod london", "Why": "a reason", "Hint": None}


def test_nothing_runs_once_it_was_stopped() -> None:
    scene = Scene(HOOKS)
    scene.attempt.stop()
    assert scene.runner.stopped
    assert Execution(scene.attempt).run().outcome == "not started"
    run_on_failure(scene.attempt, scene.attempt.result("interrupted", DeploymentFailed("x")))
    assert scene.runner.ran == []


@pytest.mark.parametrize("hooks", [Hooks(), Hooks(before_build=("x.yml",))])
def test_variables_are_not_even_asked_for_without_a_playbook(hooks: Hooks) -> None:
    scene = Scene(hooks)
    assert scene.work.hooks is not None

    def never() -> dict[str, object]:
        raise AssertionError

    scene.attempt.work = replace(scene.work, hooks=replace(scene.work.hooks, variables=never))
    assert Execution(scene.attempt).run().outcome == "deployed"
    assert scene.runner.ran == []
    assert Phases(scene.sink).timings == []
