"""Lifted Secrets around a release: made before it, looked for beforehand, and deleted once nothing names them."""

from __future__ import annotations

import base64
from dataclasses import replace

import pytest

from deployer.errors import ConfigurationError, DeployError, UnreachableError
from deployer.events import WarningRaised
from deployer.execute import removal
from deployer.execute.attempt import Attempt
from deployer.execute.fingerprint_key import NAME, cluster_key, save
from deployer.execute.lifted import Lifted, clear_up, look, provide, refuse_gone
from deployer.execute.restore import Place
from deployer.execute.work import RegionPorts, Work
from deployer.model import App, DeploymentRecord, Json, ObjectKey, Settings, Target
from deployer.plan.manifests import PreparedManifests
from deployer.plan.manifests.canonical import canonical_text
from deployer.plan.manifests.lifted import secret_of
from deployer.plan.removal import Removal, plan_removal
from deployer.plan.steps import TargetPlan
from tests.fakes import FakeCluster, FakeLocks, FakeProber, FakeReleases, RecordingSink, make_revision

TARGET = Target("prod", "london", "myapp")


def secret(text: str, release: str = "myapp") -> Json:
    return secret_of(
        {"main.P": text.encode()}, workload=("Pod", "web"), part="env", release=release, namespace="apps", key=b"k"
    )


def key_of(manifest: Json) -> ObjectKey:
    return ObjectKey("v1", "Secret", "apps", manifest["metadata"]["name"])


def pod_with(one: Json, kind: str = "Pod") -> Json:
    """An object whose pods use a Secret."""
    env = [{"name": "P", "valueFrom": {"secretKeyRef": {"name": one["metadata"]["name"], "key": "main.P"}}}]
    spec: Json = {"containers": [{"name": "main", "env": env}]}
    content: Json = {"apiVersion": "v1", "kind": kind, "metadata": {"name": "web"}, "spec": spec}
    return content if kind == "Pod" else {**content, "spec": {"template": {"spec": spec}}}


class Scene:
    """A cluster with some Secrets in it, and a deployment of some."""

    def __init__(self, *wanted: Json, there: tuple[Json, ...] = ()) -> None:
        self.cluster = FakeCluster({key_of(one): one for one in there}, lists={"Secret": list(there)})
        self.releases = FakeReleases()
        self.sink = RecordingSink()
        self.prepared = PreparedManifests("apps", (), (), lifted=wanted)

    @property
    def attempt(self) -> Attempt:
        work = Work(
            plan=TargetPlan(TARGET),
            app=App("myapp", "myapp", ("prod.london",)),
            settings=Settings("eu-west-2", namespace="apps"),
            prepared=self.prepared,
            record=DeploymentRecord("d", "myapp", "prod", "london"),
            ports=RegionPorts(self.cluster, self.releases, FakeProber(), FakeLocks()),
            timeout=1,
        )
        result = Attempt(work, self.sink)
        result.revision = 2
        return result

    @property
    def warnings(self) -> list[str]:
        return [event.text for event in self.sink.events if isinstance(event, WarningRaised)]


def test_what_is_missing_is_told_and_then_made() -> None:
    one, other = secret("one"), secret("other")
    scene = Scene(one, other, there=(one,))
    found = look(scene.cluster, scene.prepared, "myapp")
    assert found.missing == (key_of(other),)
    assert set(found.secrets) == {one["metadata"]["name"] for one in (one, other)}
    provide(scene.attempt)
    assert scene.cluster.done == [f"create {key_of(other)}"]
    provide(scene.attempt)
    assert len(scene.cluster.done) == 1


def test_an_app_without_secrets_asks_for_none() -> None:
    scene = Scene()
    assert look(scene.cluster, scene.prepared, "myapp") == Lifted()
    assert scene.cluster.questions == []


@pytest.mark.parametrize(
    "change",
    [
        {"metadata": {"labels": {}}},
        {"metadata": {"labels": secret("one", "other")["metadata"]["labels"]}},
        {"immutable": False},
        {"data": {"main.P": base64.b64encode(b"two").decode()}},
        {"data": {}},
    ],
)
def test_a_secret_of_that_name_that_is_another_is_refused(change: Json) -> None:
    one = secret("one")
    if "metadata" in change:
        change = {"metadata": {**one["metadata"], **change["metadata"]}}
    scene = Scene(one, there=(one,))
    scene.cluster.objects[key_of(one)] = {**one, **change}
    scene.cluster.lists = {}
    for step in (lambda: look(scene.cluster, scene.prepared, "myapp"), lambda: provide(scene.attempt)):
        with pytest.raises(ConfigurationError, match="exists already and is not ours") as caught:
            step()
        assert "kubectl delete secret" in str(caught.value.hint)
    assert scene.cluster.done == []


def test_what_the_server_would_refuse_is_known_before() -> None:
    scene = Scene(secret("one"))
    scene.cluster.refuses = {"Secret": ConfigurationError("exceeded quota")}
    with pytest.raises(DeployError, match="exceeded quota"):
        look(scene.cluster, scene.prepared, "myapp")


def test_what_neither_a_revision_nor_anything_live_names_is_deleted() -> None:
    now, old, running, gone, foreign = (secret(name) for name in ("now", "old", "running", "gone", "foreign"))
    foreign["metadata"]["labels"] = secret("x", "other")["metadata"]["labels"]
    scene = Scene(now, there=(now, old, running, gone, foreign))
    scene.releases.stored = [make_revision(1, manifests=(canonical_text(pod_with(old)),))]
    listed = pod_with(running, "ReplicaSet")
    del listed["kind"]  # as the API server gives the items of a list
    scene.cluster.lists = {**scene.cluster.lists, "ReplicaSet": [listed]}
    clear_up(scene.attempt)
    assert scene.cluster.done == [f"delete {key_of(gone)}"]


def test_nothing_more_is_asked_where_all_is_in_use() -> None:
    now = secret("now")
    scene = Scene(now, there=(now,))
    clear_up(scene.attempt)
    assert scene.cluster.questions == ["list Secret"]


def test_what_was_not_deployed_after_all_keeps_nothing() -> None:
    now = secret("now")
    scene = Scene(now, there=(now,))
    attempt = scene.attempt
    attempt.revision = None
    clear_up(attempt)
    assert scene.cluster.done == [f"delete {key_of(now)}"]


def test_of_an_installation_that_was_taken_back_nothing_stays_for_pods_that_end() -> None:
    now, kept = secret("now"), secret("kept")
    scene = Scene(now, there=(now, kept))
    kinds = {"Pod": pod_with(now), "ReplicaSet": pod_with(now, "ReplicaSet"), "Job": pod_with(kept, "Job")}
    scene.cluster.lists = {**scene.cluster.lists, **{kind: [one] for kind, one in kinds.items()}}
    clear_up(scene.attempt, uninstalled=True)
    assert scene.cluster.done == [f"delete {key_of(now)}"]


def test_of_a_removed_app_all_goes_but_what_runs_on() -> None:
    left, kept = secret("left"), secret("kept")
    scene = Scene(there=(left, kept))
    scene.cluster.lists = {
        **scene.cluster.lists,
        "ReplicaSet": [pod_with(left, "ReplicaSet")],
        "Deployment": [pod_with(kept, "Deployment")],
    }
    attempt = scene.attempt
    attempt.work = replace(attempt.work, removal=Removal())
    clear_up(attempt)
    assert scene.cluster.done == [f"delete {key_of(left)}"]


def test_what_cannot_be_seen_is_kept_with_a_warning() -> None:
    gone = secret("gone")
    scene = Scene(there=(gone,))
    scene.cluster.lists = {**scene.cluster.lists, "CronJob": UnreachableError("not allowed")}
    clear_up(scene.attempt)
    assert scene.cluster.done == []
    assert len(scene.warnings) == 1
    assert "could not be cleared up: not allowed" in scene.warnings[0]


def test_a_revision_whose_secrets_are_gone_cannot_come_back() -> None:
    one, other = secret("one"), secret("other")
    cluster = FakeCluster({key_of(one): one})
    own = pod_with({"metadata": {"name": "an-own-one"}})
    refuse_gone(cluster, PreparedManifests("apps", (pod_with(one), own), ()), "revision 3")
    with pytest.raises(ConfigurationError, match="of revision 3 is gone"):
        refuse_gone(cluster, PreparedManifests("apps", (pod_with(other),), ()), "revision 3")


def test_a_cluster_keeps_one_key_for_all() -> None:
    cluster = FakeCluster()
    first = cluster_key(cluster, "apps")
    assert first.unsaved is not None
    assert first.value.reveal() not in repr(first.value)
    assert len(first.value.reveal()) == 64
    late = cluster_key(cluster, "apps")
    assert save(cluster, first.unsaved)
    assert late.unsaved is not None
    assert not save(cluster, late.unsaved)
    assert cluster_key(cluster, "apps").value == first.value
    assert cluster_key(cluster, "apps").unsaved is None


@pytest.mark.parametrize("change", [{"data": {"key": ""}}, {"data": {"key": "%"}}, {"metadata": {"labels": {}}}])
def test_a_key_of_others_is_not_used(change: Json) -> None:
    cluster = FakeCluster()
    unsaved = cluster_key(cluster, "apps").unsaved
    assert unsaved is not None
    cluster.objects[ObjectKey("v1", "Secret", "apps", NAME)] = {**unsaved, **change}
    with pytest.raises(ConfigurationError, match="holds no key of ours"):
        cluster_key(cluster, "apps")


def test_a_key_made_by_others_meanwhile_is_told() -> None:
    one = secret("one")
    scene = Scene(one)
    fast, slow = cluster_key(scene.cluster, "apps"), cluster_key(scene.cluster, "apps")
    assert fast.unsaved is not None
    save(scene.cluster, fast.unsaved)
    scene.prepared = replace(scene.prepared, unsaved_key=slow.unsaved)
    provide(scene.attempt)
    assert "made by somebody else" in scene.warnings[0]
    assert key_of(one) in scene.cluster.objects


def test_what_an_interrupted_removal_left_is_seen_and_planned() -> None:
    left = secret("left")
    scene = Scene(there=(left,))
    work = scene.attempt.work
    place = Place(TARGET, work.settings, work.app, work.ports)
    found = removal.look(place, ())
    assert found.lifted == (key_of(left),)
    plan = plan_removal(TARGET, (), found, "myapp in namespace apps")
    assert plan.release_action == "uninstall"
    assert plan.changes == (f"{key_of(left)}: removed",)
    assert plan_removal(TARGET, (), Removal(), "myapp").release_action == "none"
