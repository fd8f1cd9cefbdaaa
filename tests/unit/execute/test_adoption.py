"""What an adoption keeps for its way back, and that no way back deletes what was there before."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from deployer.errors import DeploymentFailed, HeldError
from deployer.execute.adoption import adoption_of, settle
from deployer.execute.attempt import Attempt
from deployer.execute.executor import Execution
from deployer.execute.preflight import Entry
from deployer.execute.undo import revert
from deployer.execute.work import RegionPorts, Work
from deployer.model import App, DeploymentRecord, Json, ObjectKey, RolloutSettings, Settings, Target, TargetResult
from deployer.plan.adoption import Adopted, Adoption, Predecessor
from deployer.plan.manifests import PreparedManifests
from deployer.plan.manifests.canonical import canonical_text
from deployer.plan.steps import TargetPlan
from tests.fakes import FakeCluster, FakeLocks, FakeProber, FakeReleases, RecordingSink, make_revision

TARGET = Target("prod", "london", "web")
OWN = {"meta.helm.sh/release-name": "web", "meta.helm.sh/release-namespace": "default"}


def config(name: str, owner: Json | None = None, **data: str) -> Json:
    metadata = {"name": name, "namespace": "default", "annotations": owner or {}}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data}


def key(name: str) -> ObjectKey:
    return ObjectKey("v1", "ConfigMap", "default", name)


TAKEN, FREE = config("taken", a="new"), config("free")
THEIRS = {**config("taken", a="old"), "status": {"seen": "1"}}
BEFORE = canonical_text({name: value for name, value in THEIRS.items() if name != "status"})


class Scene:
    """An app with two objects, of which one is there already and not its own."""

    def __init__(self) -> None:
        self.cluster = FakeCluster({key("taken"): THEIRS})
        self.releases = FakeReleases()
        self.sink = RecordingSink()
        self.plan = TargetPlan(
            TARGET, release_action="install", adoption=Adoption((Adopted(key("taken"), None, ("data.a",)),))
        )
        self.attempt: Attempt | None = None

    @property
    def work(self) -> Work:
        objects = (TAKEN, FREE)
        return Work(
            plan=self.plan,
            app=App("web", "web", ("prod.london",)),
            settings=Settings(aws_region="eu-west-2", rollout=RolloutSettings(timeout=0)),
            prepared=PreparedManifests("default", objects, tuple(map(canonical_text, objects))),
            record=DeploymentRecord("this", "web", "prod", "london", action="adopt"),
            ports=RegionPorts(self.cluster, self.releases, FakeProber(), FakeLocks()),
            timeout=0,
        )

    def run(self) -> TargetResult:
        self.attempt = Attempt(self.work, self.sink)
        return Execution(self.attempt).run()

    def half_done(self) -> None:
        """What a failed upgrade leaves: both objects are the release's."""
        self.cluster.objects = {key("taken"): config("taken", OWN, a="new"), key("free"): config("free", OWN)}


def after(scene: Scene, *revisions: Any, **plan: Any) -> None:
    scene.releases.stored = list(revisions)
    scene.plan = replace(scene.plan, current_revision=revisions[0].number, **plan)


def test_what_is_taken_over_is_kept_with_the_revision_as_it_was() -> None:
    scene = Scene()
    scene.run()
    assert scene.releases.done[0] == ("take over", 1)


def test_a_deployment_takes_nothing_over() -> None:
    scene = Scene()
    scene.plan = replace(scene.plan, adoption=Adoption())
    scene.cluster.objects = {}
    scene.run()
    assert scene.releases.done[0] == ("upgrade", 1)


def test_a_failed_first_revision_is_given_back_and_never_uninstalled() -> None:
    scene = Scene()
    scene.releases.fail = DeploymentFailed("helm upgrade failed")
    upgrade = scene.releases.upgrade

    def half(request: Any, sink: Any) -> int:
        assert request.before == (BEFORE,)
        scene.half_done()
        return upgrade(request, sink)

    scene.releases.upgrade = half  # type: ignore[method-assign]
    result = scene.run()
    assert result.outcome == "rolled back"
    assert scene.cluster.objects == {key("taken"): json.loads(BEFORE)}
    assert scene.cluster.done == [f"restore {key('taken')}", f"delete {key('free')}"]
    assert ("forget", "web") in scene.releases.done
    assert ("uninstall",) not in scene.releases.done
    assert result.revision is None


def test_a_claim_that_a_failed_adoption_made_is_kept() -> None:
    scene = Scene()
    claim = {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": "data"}}
    manifests = (canonical_text(TAKEN), json.dumps(claim))
    after(scene, make_revision(1, verified=False, manifests=manifests, before=(BEFORE,)))
    scene.plan = replace(scene.plan, adoption=Adoption())
    scene.half_done()
    scene.cluster.objects[ObjectKey("v1", "PersistentVolumeClaim", "default", "data")] = {
        **claim,
        "metadata": {"name": "data", "annotations": OWN},
    }
    scene.releases.fail = DeploymentFailed("helm upgrade failed")
    scene.run()
    assert f"restore {key('taken')}" in scene.cluster.done
    assert "delete PersistentVolumeClaim/data" not in scene.cluster.done


def test_a_way_back_to_a_revision_keeps_what_it_would_delete_and_restores_it() -> None:
    scene = Scene()
    after(scene, make_revision(1, record=None), release_action="upgrade", foreign_revision=1)
    scene.releases.fail = DeploymentFailed("helm upgrade failed")
    result = scene.run()
    assert result.outcome in ("rolled back", "failed")
    assert scene.cluster.done == [f"keep {key('taken')}", f"restore {key('taken')}"]
    assert scene.releases.done[:3] == [("take over", 2), ("rollback", 1, 3), ("settle", 2)]


def test_a_rollback_that_fails_gives_back_all_the_same() -> None:
    scene = Scene()
    after(scene, make_revision(1, record=None), release_action="upgrade", foreign_revision=1)
    scene.releases.fail = DeploymentFailed("helm upgrade failed")
    scene.releases.fail_rollback = DeploymentFailed("helm rollback failed")
    assert scene.run().outcome == "failed"
    assert f"restore {key('taken')}" in scene.cluster.done


def test_one_that_is_taken_back_since_another_region_failed() -> None:
    scene = Scene()
    attempt = Attempt(scene.work, scene.sink)
    scene.half_done()
    texts = scene.work.prepared.texts
    scene.releases.stored = [make_revision(1, manifests=texts, before=(BEFORE,))]
    attempt.revision = 1
    result = revert(attempt, "seoul failed")
    assert result.outcome == "rolled back"
    assert scene.cluster.objects == {key("taken"): json.loads(BEFORE)}


def test_the_oldest_state_counts_where_an_adoption_was_tried_again() -> None:
    scene = Scene()
    scene.half_done()
    later = canonical_text(config("taken", {}, a="half way"))
    texts = scene.work.prepared.texts
    failed = [
        make_revision(2, verified=False, status="failed", manifests=texts, before=(later,)),
        make_revision(1, verified=False, status="failed", manifests=texts, before=(BEFORE,)),
    ]
    after(scene, *failed, release_action="uninstall", adoption=Adoption())
    assert scene.run().outcome == "removed"
    assert scene.cluster.objects == {key("taken"): json.loads(BEFORE)}
    assert scene.releases.stored == []


def test_what_has_appeared_since_the_plan_is_not_taken() -> None:
    scene = Scene()
    scene.cluster.objects[key("free")] = config("free")
    result = scene.run()
    assert isinstance(result.error, HeldError)
    assert "ConfigMap/free has appeared" in result.error.what
    assert scene.releases.stored == []


def predecessor_of(scene: Scene, *objects: Json, status: str = "deployed") -> Adoption:
    manifest = "".join(f"---\n{canonical_text(one)}\n" for one in objects)
    scene.releases.stored = [make_revision(4, record=None, manifest=manifest, status=status)]
    entry = Entry("web", "default", scene.work.ports, scene.work.prepared)
    live = {key("taken"): THEIRS, key("free"): None}
    return adoption_of(entry, (), {key("taken"): ("old", "default")}, live, {key("taken"): ("data.a",)})


def test_another_release_and_what_remains_of_it() -> None:
    scene = Scene()
    found = predecessor_of(scene, TAKEN)
    assert found.objects == (Adopted(key("taken"), ("old", "default"), ("data.a",)),)
    assert found.predecessors == (Predecessor(("old", "default"), 4),)
    assert found.sources == "default/old"
    assert [str(line) for line in found.lines] == [
        "ConfigMap/taken: taken over, of the release old in default; changes data.a",
        "release old in default: forgotten afterwards, since all its objects are taken over",
    ]
    (one,) = predecessor_of(scene, TAKEN, config("other")).predecessors
    assert one.remaining == (key("other"),)
    assert "ConfigMap/other" in str(one.warning)


def test_a_release_that_is_being_changed_is_not_taken_from() -> None:
    with pytest.raises(HeldError, match="is being changed"):
        predecessor_of(Scene(), TAKEN, status="pending-upgrade")


@pytest.mark.parametrize(
    ("objects", "revision", "forgotten"),
    [((TAKEN,), 4, True), ((TAKEN, config("other")), 4, False), ((TAKEN,), 3, False)],
    ids=["nothing is left", "something is left", "changed meanwhile"],
)
def test_only_a_release_that_has_nothing_left_is_forgotten(
    objects: tuple[Json, ...], revision: int, forgotten: bool
) -> None:
    scene = Scene()
    predecessor_of(scene, *objects)
    adoption = Adoption(predecessors=(Predecessor(("old", "default"), revision),))
    scene.plan = replace(scene.plan, adoption=adoption)
    told = settle(scene.work, 1)
    assert (("forget", "old") in scene.releases.done) == forgotten
    assert bool(told) == (forgotten or revision == 3)
