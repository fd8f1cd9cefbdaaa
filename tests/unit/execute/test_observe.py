"""Observing a target: everything that is wrong with it at once, and no more questions than a change needs."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from random import Random
from typing import Any, cast

import pytest

from deployer.errors import ConfigurationError, DeployError, Location, NotPermitted, UnreachableError
from deployer.execute.image_ports import Registry
from deployer.execute.observe import Observation, Subject, agree_on_rebuilds, observe
from deployer.execute.work import RegionPorts
from deployer.model import (
    App,
    DockerSpec,
    Holder,
    Image,
    Json,
    ObjectKey,
    Permission,
    Revision,
    Secret,
    Settings,
    Target,
)
from deployer.plan.manifests import PreparedManifests, SourceManifest
from deployer.plan.manifests.canonical import canonical_text
from tests.fakes import FakeCluster, FakeLocks, FakeProber, FakeReleases, make_revision

TARGET = Target("prod", "london", "web")
KEY = ObjectKey("v1", "ConfigMap", "default", "web")
CONFIG: Json = {
    "apiVersion": "v1",
    "kind": "ConfigMap",
    "metadata": {
        "name": "web",
        "annotations": {"meta.helm.sh/release-name": "web", "meta.helm.sh/release-namespace": "default"},
    },
    "data": {"a": "b"},
}
HOLDER = Holder("20260101-x", "anna@laptop", "laptop", "2026-01-01T10:00:00+00:00")
PLACE = Location("apps/web.yml", 7)


class FakeRegistry:
    def __init__(self, trouble: DeployError | None = None) -> None:
        self.trouble = trouble
        self.asked: list[str] = []

    def digest(self, image: Image) -> str | None:
        self.asked.append(image.reference)
        if self.trouble:
            raise self.trouble
        return None


class Broken(FakeReleases):
    """Releases that cannot be read."""

    error: DeployError
    asked = 0

    def revisions(self, name: str, namespace: str) -> tuple[Revision, ...]:
        self.asked += 1
        raise self.error


def broken(error: DeployError) -> Broken:
    releases = Broken()
    releases.error = error
    return releases


class Scene:
    """A target whose app is one ConfigMap."""

    def __init__(self, *, revisions: tuple[Revision, ...] = (), releases: FakeReleases | None = None, **cluster: Any):
        self.cluster, self.locks, self.registry = FakeCluster(**cluster), FakeLocks(), FakeRegistry()
        self.prepared_with: list[tuple[Image | None, str | None]] = []
        self.refuses: DeployError | None = None
        ports = RegionPorts(self.cluster, releases or FakeReleases(list(revisions)), FakeProber(), self.locks)
        self.subject = Subject(
            TARGET,
            Settings("eu-west-2", aws_ecr_prefix="r.test"),
            App("web", "web", ()),
            self.prepare,
            ports,
            refuse_held=True,
        )

    def prepare(self, image: Image | None, docker_hash: str | None, key: Secret | None = None) -> PreparedManifests:
        self.prepared_with.append((image, docker_hash))
        if self.refuses:
            raise self.refuses
        return PreparedManifests("default", (CONFIG,), (TEXT,), sources=(SourceManifest(CONFIG, PLACE),))

    def with_image(self, **more: Any) -> Subject:
        app = replace(self.subject.app, tag="1", docker=DockerSpec("FROM x"))
        return replace(self.subject, app=app, registry=cast(Registry, self.registry), **more)

    def errors(self, subject: Subject | None = None) -> list[str]:
        with pytest.raises(DeployError) as caught:
            observe(subject or self.subject)
        return [leaf.what for leaf in caught.value.leaves()]


TEXT = canonical_text(CONFIG)
SETTLED = make_revision(1, manifests=(TEXT,))
LIVE: Mapping[ObjectKey, Json] = {KEY: CONFIG}


def asked_to_enter(scene: Scene) -> bool:
    return "denied" in scene.cluster.questions


def test_what_changes_nothing_asks_for_no_rights_and_no_lock() -> None:
    scene = Scene(revisions=(SETTLED,), objects=dict(LIVE), denies=[Permission("v1", "Event", "list", "default")])
    scene.locks.hold("web", HOLDER)
    assert isinstance(observe(scene.subject), Observation)
    assert not asked_to_enter(scene)
    assert scene.cluster.questions == [f"get {KEY}"]


@pytest.mark.parametrize(
    ("revision", "live"),
    [
        (None, {}),
        (replace(SETTLED, manifests=("{}",)), dict(LIVE)),
        (replace(SETTLED, verified=False), dict(LIVE)),
        (replace(SETTLED, status="failed"), dict(LIVE)),
        (SETTLED, {}),
        (SETTLED, {KEY: {**CONFIG, "data": {"a": "changed by hand"}}}),
    ],
    ids=["not installed", "manifests changed", "never verified", "failed", "missing", "drifted"],
)
def test_what_changes_something_asks_whether_it_may(revision: Revision | None, live: Mapping[ObjectKey, Json]) -> None:
    if revision is not None and revision.manifests == ("{}",):
        old = json.dumps({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "old"}})
        revision = replace(revision, manifests=(old,))
    scene = Scene(revisions=(revision,) if revision else (), objects=dict(live))
    scene.locks.hold("web", HOLDER)
    assert scene.errors() == ["web is being worked on by somebody else"]
    assert asked_to_enter(scene)


def test_a_registry_that_refuses_hides_nothing_of_the_cluster() -> None:
    scene = Scene(refuses={"ConfigMap": ConfigurationError("the cluster refuses", why="data.a: Invalid value")})
    scene.registry.trouble = UnreachableError("the registry does not let us in")
    scene.locks.hold("web", HOLDER)
    assert set(scene.errors(scene.with_image(unknown_content=True))) == {
        "the registry does not let us in",
        "the cluster refuses",
        "web is being worked on by somebody else",
    }


def test_a_cluster_that_is_silent_hides_nothing_of_the_registry_and_is_asked_once() -> None:
    releases = broken(UnreachableError("the cluster does not answer"))
    scene = Scene(releases=releases)
    scene.registry.trouble = UnreachableError("the registry does not let us in")
    found = scene.errors(scene.with_image(unknown_content=True))
    assert found == ["the cluster does not answer", "the registry does not let us in"]
    assert scene.cluster.questions == []


def test_manifests_that_are_wrong_do_not_hide_missing_rights() -> None:
    scene = Scene(denies=[Permission("v1", "Secret", "create", "default")])
    scene.refuses = ConfigurationError("spec.replicas is not a number")
    assert scene.errors() == [
        "spec.replicas is not a number",
        "we may not do everything that deploying web needs in namespace default",
    ]


def test_missing_rights_are_told_once() -> None:
    forbidden = NotPermitted("checking ConfigMap/web: we are not allowed to")
    lacking = [Permission("v1", "ConfigMap", "create", "default"), Permission("v1", "Secret", "list", "default")]
    releases = broken(NotPermitted("listing Secrets: we are not allowed to"))
    scene = Scene(releases=releases, refuses={"ConfigMap": forbidden}, denies=lacking)
    assert scene.errors() == ["we may not do everything that deploying web needs in namespace default"]
    allowed = Scene(refuses={"ConfigMap": forbidden})
    assert allowed.errors() == ["checking ConfigMap/web: we are not allowed to"]


def test_a_missing_namespace_is_told_instead_of_each_object() -> None:
    scene = Scene(
        objects={ObjectKey("v1", "Namespace", None, "default"): {}},
        refuses={"ConfigMap": ConfigurationError("namespaces not found")},
    )
    assert scene.errors() == ["there is no namespace default"]


def test_a_release_that_is_too_large_is_told_with_its_place() -> None:
    scene = Scene()
    large = {**CONFIG, "data": {"a": Random(1).randbytes(700_000).hex()}}
    sources = (SourceManifest(large, PLACE),)
    prepared = PreparedManifests("default", (large,), (json.dumps(large),), sources=sources)
    with pytest.raises(ConfigurationError, match="Helm can store") as caught:
        observe(replace(scene.subject, prepare=lambda image, docker_hash, key=None: prepared))
    assert caught.value.where == PLACE


def test_without_its_content_an_image_is_looked_at_under_a_placeholder() -> None:
    scene = Scene()
    observe(scene.with_image(unknown_content=True))
    assert scene.registry.asked == [f"r.test/web:1-{'0' * 32}"]
    ((image, docker_hash),) = scene.prepared_with
    assert (image.tag if image else None, docker_hash) == (f"1-{'0' * 32}", "0" * 32)


def test_a_region_whose_releases_cannot_be_read_is_not_asked_again() -> None:
    class Context:
        entries = ()

    releases = broken(UnreachableError("the cluster does not answer"))
    silent, well = Scene(releases=releases), Scene()
    seoul = replace(well.with_image(context=Context()), target=replace(TARGET, region="seoul"))
    london, agreed = agree_on_rebuilds([silent.with_image(context=Context()), seoul])
    assert (str(london.silent), agreed.silent) == ("the cluster does not answer", None)
    assert silent.errors(london) == ["the cluster does not answer"]
    assert releases.asked == 1
