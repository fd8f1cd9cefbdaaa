"""One target from plan to result, with the ports faked: what is done, in which order, and what is undone."""

from __future__ import annotations

from dataclasses import replace

import pytest

from deployer.errors import DeploymentFailed, HeldError, UnreachableError
from deployer.events import WarningRaised
from deployer.execute.attempt import Attempt
from deployer.execute.executor import Execution
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
from deployer.plan.manifests import PreparedManifests
from deployer.plan.manifests.canonical import canonical_text
from deployer.plan.steps import TargetPlan
from tests.fakes import FakeCluster, FakeLocks, FakeProber, FakeReleases, RecordingSink, make_revision

TARGET = Target("prod", "london", "myapp")
HOST = "myapp.london.example.com"
INGRESS: Json = {
    "apiVersion": "networking.k8s.io/v1",
    "kind": "Ingress",
    "metadata": {"name": "myapp"},
    "spec": {"rules": [{"host": HOST}]},
}
CONFIG: Json = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "myapp"}, "data": {"a": "b"}}
LIVE_INGRESS = {**INGRESS, "status": {"loadBalancer": {"ingress": [{"hostname": "lb.example.com"}]}}}


def key(manifest: Json) -> ObjectKey:
    return ObjectKey(manifest["apiVersion"], manifest["kind"], "default", manifest["metadata"]["name"])


class Scene:
    """A region in which the new objects become ready (or do not), and a plan to deploy to it."""

    def __init__(self, *objects: Json, ready: bool = True) -> None:
        self.objects = objects or (CONFIG,)
        self.cluster = FakeCluster()
        if ready:
            for manifest in self.objects:
                live = LIVE_INGRESS if manifest["kind"] == "Ingress" else manifest
                self.cluster.objects[key(manifest)] = {**live, "metadata": {**live["metadata"], "uid": "1"}}
        self.releases = FakeReleases()
        self.prober = FakeProber()
        self.sink = RecordingSink()
        self.attempt: Attempt | None = None
        self.plan = TargetPlan(TARGET, release_action="install")

    def after(self, *revisions: object, **plan: object) -> Scene:
        self.releases.stored = list(revisions)  # type: ignore[arg-type]
        number = self.releases.stored[0].number if revisions else None
        self.plan = replace(self.plan, release_action="upgrade", current_revision=number, **plan)  # type: ignore[arg-type]
        return self

    def run(self) -> TargetResult:
        work = Work(
            plan=self.plan,
            app=App("myapp", "myapp", ("prod.london",), version="2", sub_domain="myapp"),
            settings=Settings(
                aws_region="eu-west-2",
                dns_domain="example.com",
                health_check=HealthCheckSettings(timeout=0, path="/health"),
                rollout=RolloutSettings(timeout=0),
            ),
            prepared=PreparedManifests("default", self.objects, tuple(map(canonical_text, self.objects))),
            record=DeploymentRecord("this-deployment", "myapp", "prod", "london"),
            ports=RegionPorts(self.cluster, self.releases, self.prober, FakeLocks()),
            timeout=0,
        )
        self.attempt = Attempt(work, self.sink)
        return Execution(self.attempt).run()


def test_success_ends_with_our_mark_and_asks_through_the_load_balancer() -> None:
    scene = Scene(CONFIG, INGRESS)
    result = scene.run()
    assert result.outcome == "deployed"
    assert scene.releases.done == [("upgrade", 1), ("mark", 1, True)]
    assert scene.prober.asked[0].url == f"https://{HOST}/health"
    assert scene.prober.asked[0].connect_to == "lb.example.com:443"


def test_an_app_without_ingress_is_not_asked() -> None:
    scene = Scene()
    scene.run()
    assert scene.prober.asked == []


def test_what_does_not_become_ready_goes_back_to_the_last_good_revision() -> None:
    scene = Scene(ready=False).after(make_revision(2), make_revision(1, status="superseded"), good_revision=2)
    result = scene.run()
    assert (result.outcome, result.revision) == ("rolled back", 4)
    assert scene.releases.done == [("upgrade", 3), ("rollback", 2, 4), ("mark", 4, True), ("mark", 3, "failed")]
    assert isinstance(result.error, DeploymentFailed)
    assert result.evidence is not None


def test_evidence_is_taken_before_the_rollback() -> None:
    scene = Scene(ready=False).after(make_revision(1), good_revision=1)
    result = scene.run()
    assert [phase.phase for phase in result.phases] == ["release", "rollout", "evidence", "rollback"]


def test_a_first_installation_that_fails_is_uninstalled() -> None:
    scene = Scene(ready=False)
    result = scene.run()
    assert result.outcome == "uninstalled"
    assert scene.releases.stored == []


def test_somebody_elses_release_is_never_uninstalled() -> None:
    scene = Scene(ready=False).after(make_revision(5, verified=False), foreign_revision=5)
    result = scene.run()
    assert scene.releases.done == [("upgrade", 6), ("rollback", 5, 7), ("mark", 6, "failed")]
    assert result.outcome == "rolled back"
    assert not any(revision.verified for revision in scene.releases.stored)


def test_what_was_complete_comes_back_where_nothing_was_ever_verified() -> None:
    before = make_revision(2, verified=False, ended="failed"), make_revision(1, verified=False, status="superseded")
    scene = Scene(ready=False).after(*before)
    result = scene.run()
    assert scene.releases.done == [("upgrade", 3), ("rollback", 1, 4), ("mark", 3, "failed")]
    assert (result.outcome, result.revision) == ("rolled back", 4)


def test_what_once_ran_is_never_uninstalled() -> None:
    """Helm keeps so many revisions, and the good one may be gone by now."""
    scene = Scene(ready=False).after(make_revision(12, verified=False, status="failed"))
    result = scene.run()
    assert scene.releases.done == [("upgrade", 13), ("mark", 13, "failed")]
    assert (result.outcome, result.revision) == ("failed", 13)
    assert result.error is not None
    assert "left as it is" in str(result.error.hint)


def test_a_host_that_does_not_answer_from_outside_is_a_failure_like_any_other() -> None:
    scene = Scene(CONFIG, INGRESS).after(make_revision(1), good_revision=1)
    scene.prober.reason = "HTTP 503"
    result = scene.run()
    assert result.outcome == "rolled back"
    assert "HTTP 503" in str(result.error)


def test_an_upgrade_that_left_nothing_is_not_rolled_back() -> None:
    scene = Scene().after(make_revision(1), good_revision=1)

    def refuse(*_: object) -> int:
        raise UnreachableError("the cluster does not answer")

    scene.releases.upgrade = refuse  # type: ignore[method-assign, assignment]
    result = scene.run()
    assert result.outcome == "failed"
    assert scene.releases.done == []


def test_an_upgrade_that_left_a_failed_revision_is_rolled_back() -> None:
    scene = Scene().after(make_revision(1), good_revision=1)
    scene.releases.fail = DeploymentFailed("helm refused")
    assert scene.run().outcome == "rolled back"


def test_a_revision_that_an_upgrade_left_is_known_also_where_the_way_back_fails() -> None:
    """Otherwise the region would count as untouched, and be led back into DNS."""
    scene = Scene().after(make_revision(1), good_revision=1)
    scene.releases.fail = DeploymentFailed("helm refused")
    scene.releases.fail_rollback = UnreachableError("the API server went away")
    result = scene.run()
    assert (result.outcome, result.revision) == ("failed", 2)


def test_a_rollback_that_fails_is_told_and_what_stands_is_named() -> None:
    scene = Scene(ready=False).after(make_revision(1), good_revision=1)
    scene.releases.fail_rollback = UnreachableError("the API server went away")
    result = scene.run()
    assert result.outcome == "failed"
    assert result.error is not None
    assert "the API server went away" in str(result.error.hint)


def test_a_pending_revision_is_repaired_before_the_upgrade() -> None:
    scene = Scene().after(make_revision(2, status="pending-upgrade", verified=False), repair=2)
    scene.run()
    assert [step[0] for step in scene.releases.done] == ["repair", "upgrade", "mark"]
    assert any(isinstance(event, WarningRaised) for event in scene.sink.events)


def test_a_release_that_changed_since_the_plan_is_left_alone() -> None:
    scene = Scene().after(make_revision(1), good_revision=1)
    scene.releases.stored.insert(0, make_revision(2))
    result = scene.run()
    assert isinstance(result.error, HeldError)
    assert scene.releases.done == []


@pytest.mark.parametrize("good", [1, None])
def test_when_asked_to_stop_the_rollback_is_issued_but_not_awaited(good: int | None) -> None:
    scene = Scene(ready=False)
    if good:
        scene.after(make_revision(1), good_revision=good)
    upgrade = scene.releases.upgrade

    def upgrade_and_stop(*arguments: object) -> int:
        number = upgrade(*arguments)  # type: ignore[arg-type]
        assert scene.attempt is not None
        scene.attempt.stop()
        return number

    scene.releases.upgrade = upgrade_and_stop  # type: ignore[method-assign, assignment]
    result = scene.run()
    assert result.outcome == "interrupted"
    done = [step for step in scene.releases.done if step[0] != "stop"]
    assert done[1:] == ([("rollback", 1, 3), ("mark", 2, "interrupted")] if good else [("uninstall",)])


OLD = DeploymentRecord("first", "myapp", "prod", "london", version="1", digest="sha256:1", who="anna@laptop")


def test_what_is_taken_back_tells_who_did_it_and_what_came_back() -> None:
    scene = Scene(ready=False).after(make_revision(1, record=OLD), good_revision=1)
    scene.run()
    record = scene.releases.stored[0].record
    assert record == DeploymentRecord(
        "this-deployment", "myapp", "prod", "london", "1", digest="sha256:1", action="rollback", restores="first"
    )


def rolling_back(scene: Scene) -> Scene:
    newest = make_revision(2, record=replace(OLD, deployment_id="second", version="2"))
    scene.after(newest, make_revision(1, record=OLD, status="superseded"), good_revision=2, rollback_to=1)
    scene.plan = replace(scene.plan, release_action="rollback")
    return scene


def test_a_rollback_is_watched_and_asked_like_a_deployment() -> None:
    scene = rolling_back(Scene(CONFIG, INGRESS))
    result = scene.run()
    assert (result.outcome, result.revision) == ("restored", 3)
    assert scene.releases.done == [("rollback", 1, 3), ("mark", 3, True)]
    assert scene.prober.asked


def test_a_rollback_that_fails_goes_back_to_what_was_good() -> None:
    scene = rolling_back(Scene(ready=False))
    result = scene.run()
    assert (result.outcome, result.revision) == ("rolled back", 4)
    assert scene.releases.done == [("rollback", 1, 3), ("rollback", 2, 4), ("mark", 4, True), ("mark", 3, "failed")]
    assert result.evidence is not None


def test_a_rollback_from_what_was_not_good_either_stays_where_it_is() -> None:
    scene = rolling_back(Scene(ready=False))
    scene.plan = replace(scene.plan, good_revision=None)
    result = scene.run()
    assert (result.outcome, result.revision) == ("failed", 3)
    assert scene.releases.done == [("rollback", 1, 3), ("mark", 3, "failed")]
    assert "revision 2" in ((result.error and result.error.hint) or "")
