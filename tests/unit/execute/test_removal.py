"""A release is taken away: in which order, and how it ends when its pods do not."""

from __future__ import annotations

from typing import Any

import pytest

from deployer.errors import DeploymentFailed, HeldError
from deployer.execute.attempt import Attempt
from deployer.execute.executor import Execution
from deployer.execute.removal import look, refuse_others, refuse_unsettled
from deployer.execute.restore import Place
from deployer.execute.work import RegionPorts, Work
from deployer.model import App, DeploymentRecord, Json, ObjectKey, Settings, Target
from deployer.plan.manifests import PreparedManifests
from deployer.plan.manifests.canonical import canonical_text
from deployer.plan.removal import Removal
from deployer.plan.steps import TargetPlan
from tests.fakes import FakeCluster, FakeLocks, FakeProber, FakeReleases, RecordingSink, make_revision

TARGET = Target("prod", "london", "web")
KEY = ObjectKey("apps/v1", "Deployment", "default", "web")
DEPLOYMENT: Json = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web", "uid": "d"}}


def owned(name: str, by: str) -> Json:
    return {"metadata": {"name": name, "uid": name, "ownerReferences": [{"uid": by}]}}


class Scene:
    def __init__(self, removal: Removal | None = None) -> None:
        self.cluster = FakeCluster({KEY: DEPLOYMENT})
        self.releases = FakeReleases([make_revision(3, manifests=(canonical_text(DEPLOYMENT),))])
        self.removal = removal or Removal((KEY,), uids=frozenset({"d"}))
        self.place = Place(
            TARGET,
            Settings(aws_region="eu-west-2"),
            App("web", "web", ()),
            RegionPorts(self.cluster, self.releases, FakeProber(), FakeLocks()),
        )
        self.attempt = Attempt(self.work, RecordingSink())

    @property
    def work(self) -> Work:
        return Work(
            plan=TargetPlan(TARGET, release_action="uninstall", current_revision=3),
            app=self.place.app,
            settings=self.place.settings,
            prepared=PreparedManifests("default", (), ()),
            record=DeploymentRecord("this", "web", "prod", "london"),
            ports=self.place.ports,
            timeout=30,
            removal=self.removal,
        )

    def run(self, times: Any = lambda: 0.0) -> Any:
        return Execution(self.attempt, times).run()


def test_it_ends_when_the_pods_have_ended() -> None:
    scene = Scene()
    scene.cluster.lists = {"ReplicaSet": [owned("rs", "d"), owned("other", "x")]}
    scene.cluster.pods = [owned("mine", "rs"), owned("somebodys", "other")]
    ticks = iter(range(100))

    def clock() -> float:
        if next(ticks) == 1:
            scene.cluster.pods = scene.cluster.pods[1:]
        return 0.0

    result = scene.run(clock)
    assert result.outcome == "removed"
    assert scene.releases.done == [("uninstall",)]
    assert [phase.phase for phase in result.phases] == ["uninstall", "pods"]


def test_pods_that_do_not_end_in_time_are_named() -> None:
    scene = Scene()
    scene.cluster.pods = [owned("stuck", "d")]
    times = iter([0.0, 31.0])
    result = scene.run(lambda: next(times))
    assert result.outcome == "failed"
    assert (result.error.what, result.error.why) == (
        "the release is gone, but 1 of its pods did not end in time",
        "stuck",
    )


def test_strays_go_after_the_release() -> None:
    stray = ObjectKey("v1", "ConfigMap", "default", "old")
    scene = Scene(Removal(strays=(stray,)))
    assert scene.run().outcome == "removed"
    assert scene.cluster.done == ["delete ConfigMap/old"]


def test_stopped_before_it_began_and_while_its_pods_end() -> None:
    scene = Scene()
    scene.attempt.stop()
    assert scene.run().outcome == "not started"
    assert scene.releases.done == []
    scene = Scene()
    scene.cluster.pods = [owned("ending", "d")]
    uninstall = scene.releases.uninstall

    def stopped(*arguments: Any, **options: Any) -> None:
        uninstall(*arguments, **options)
        scene.attempt.stopping.set()

    scene.releases.uninstall = stopped  # type: ignore[method-assign]
    result = scene.run()
    assert result.outcome == "interrupted"
    assert "not awaited: ending" in str(result.error.why)


def test_nothing_is_taken_back_when_helm_fails() -> None:
    scene = Scene()

    def fail(*arguments: Any, **options: Any) -> None:
        raise DeploymentFailed("helm uninstall failed")

    scene.releases.uninstall = fail  # type: ignore[method-assign]
    assert scene.run().outcome == "failed"
    assert scene.releases.done == []


def test_a_plan_for_a_release_that_has_moved_on_is_not_carried_out() -> None:
    scene = Scene()
    scene.releases.stored.insert(0, make_revision(4))
    assert isinstance(scene.run().error, HeldError)
    assert scene.releases.done == []


def test_a_look_asks_for_claims_only_where_a_set_may_have_made_some() -> None:
    scene = Scene()
    found = look(scene.place, scene.releases.stored)
    assert (found.goes, found.uids) == ((KEY,), frozenset({"d"}))
    assert "list PersistentVolumeClaim" not in scene.cluster.questions
    assert look(scene.place, ()) == Removal()


def test_a_look_at_everything_finds_also_what_helm_would_leave() -> None:
    keep = {"helm.sh/resource-policy": "keep"}
    owner = {"meta.helm.sh/release-name": "web", "meta.helm.sh/release-namespace": "default"}

    def manifest(kind: str, name: str, annotations: dict[str, str]) -> Json:
        return {"apiVersion": "v1", "kind": kind, "metadata": {"name": name, "annotations": annotations}}

    claim, old = (manifest("PersistentVolumeClaim", name, keep | owner) for name in ("data", "old-data"))
    somebodys = manifest("PersistentVolumeClaim", "somebodys", keep)
    hook, gone = (manifest("ConfigMap", name, {"helm.sh/hook": "pre-install"}) for name in ("hook", "gone"))
    scene = Scene()
    scene.releases.stored = [
        make_revision(2, manifests=tuple(map(canonical_text, (DEPLOYMENT, claim, hook, gone)))),
        make_revision(1, manifests=tuple(map(canonical_text, (DEPLOYMENT, old, somebodys)))),
    ]
    keys = {
        one["metadata"]["name"]: ObjectKey("v1", one["kind"], "default", one["metadata"]["name"])
        for one in (claim, old, somebodys, hook)
    }
    scene.cluster.objects |= {keys[one["metadata"]["name"]]: one for one in (claim, old, somebodys, hook)}
    found = look(scene.place, scene.releases.stored, everything=True)
    assert (found.goes, found.kept) == ((KEY,), {})
    assert (found.beyond, found.lost) == ((keys["data"], keys["hook"]), (keys["data"],))
    assert found.strays == (keys["old-data"],)
    usual = look(scene.place, scene.releases.stored)
    assert (list(usual.kept), usual.beyond, usual.strays) == ([keys["data"]], (), ())


def test_what_helm_would_leave_goes_while_the_release_still_tells_of_it() -> None:
    keys = tuple(ObjectKey("v1", "PersistentVolumeClaim", "default", name) for name in ("data", "more"))
    scene = Scene(Removal((KEY,), lost=keys, beyond=keys))

    def fail(*arguments: Any, **options: Any) -> None:
        assert scene.cluster.done == ["delete PersistentVolumeClaim/data", "delete PersistentVolumeClaim/more"]
        raise DeploymentFailed("helm uninstall failed")

    scene.releases.uninstall = fail  # type: ignore[method-assign]
    assert scene.run().outcome == "failed"
    assert scene.releases.stored
    assert scene.cluster.done


@pytest.mark.parametrize(
    ("record", "why"),
    [
        (None, "another tool made it"),
        (DeploymentRecord("d", "web", "dev", "london"), "this tool made it for dev london"),
        (DeploymentRecord("d", "web", "prod", "london"), None),
    ],
)
def test_by_its_name_alone_only_a_release_of_ours_is_removed(record: DeploymentRecord | None, why: str | None) -> None:
    scene, revisions = Scene(), [make_revision(1, record=record)]
    if why is None:
        refuse_others(scene.place, revisions)
        return
    with pytest.raises(HeldError) as caught:
        refuse_others(scene.place, revisions)
    assert caught.value.why == why


def test_an_adoption_that_was_cut_off_is_not_removed_with_what_it_took() -> None:
    before = canonical_text({**DEPLOYMENT, "metadata": {"name": "web", "namespace": "default"}})
    scene = Scene()
    with pytest.raises(HeldError, match="was cut off") as caught:
        refuse_unsettled(scene.place, [make_revision(1, verified=False, before=(before,))])
    assert caught.value.why == "taken over: Deployment/web"
    refuse_unsettled(scene.place, [make_revision(1, before=(before,))])
