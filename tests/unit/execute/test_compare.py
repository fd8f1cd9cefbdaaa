"""Manifests against live objects: what drifted, what is refused, and whose objects they are."""

from __future__ import annotations

import json
from collections.abc import Mapping

import pytest

from deployer.errors import ConfigurationError, ErrorGroup, Location
from deployer.execute.compare import Owned, compare
from deployer.model import Json, ObjectKey, Revision
from deployer.plan.manifests import PreparedManifests, SourceManifest
from deployer.plan.manifests.canonical import canonical_text
from tests.fakes import FakeCluster, make_revision

OWN = {"meta.helm.sh/release-name": "web", "meta.helm.sh/release-namespace": "default"}
CONFIG: Json = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "web"}, "data": {"a": "b"}}
KEY = ObjectKey("v1", "ConfigMap", "default", "web")
PLACE = Location("apps/web.yml", 7)


def live(annotations: Json | None = None, **content: object) -> Json:
    return {**CONFIG, **content, "metadata": {"name": "web", "annotations": annotations or {}}}


def prepared() -> PreparedManifests:
    sources = (SourceManifest(CONFIG, Location("apps/web.yml", 5), lambda path: PLACE if path[-1] == "a" else None),)
    return PreparedManifests("default", (CONFIG,), (canonical_text(CONFIG),), sources=sources)


def compared(cluster: FakeCluster, owned: Owned | None = None) -> Mapping[ObjectKey, tuple[str, ...]]:
    return compare(cluster, prepared(), owned or Owned("web", "default", ())).drift


def test_what_is_missing_or_as_it_should_be_has_not_drifted() -> None:
    assert compared(FakeCluster()) == {}
    assert compared(FakeCluster({KEY: live(OWN)})) == {}


def test_a_refusal_is_told_with_its_place_in_the_file() -> None:
    error = ConfigurationError("the cluster refuses", where="https://10.0.0.1", why="is invalid: data.a: Invalid value")
    with pytest.raises(ConfigurationError) as caught:
        compared(FakeCluster(refuses={"ConfigMap": error}))
    assert caught.value.where == PLACE


@pytest.mark.parametrize(
    ("annotations", "why"),
    [
        ({}, "it was not made by Helm"),
        ({**OWN, "meta.helm.sh/release-name": "other"}, "it belongs to the release other in default"),
        ({**OWN, "meta.helm.sh/release-namespace": "there"}, "it belongs to the release web in there"),
    ],
)
def test_somebody_elses_object_is_refused_beforehand(annotations: Json, why: str) -> None:
    with pytest.raises(ConfigurationError, match="ConfigMap/web exists already") as caught:
        compared(FakeCluster({KEY: live(annotations)}))
    assert (caught.value.why, caught.value.where) == (why, Location("apps/web.yml", 5))


def test_an_object_of_an_earlier_revision_is_the_releases_own_whatever_became_of_its_annotations() -> None:
    ours = make_revision(1, manifests=(canonical_text(CONFIG),))
    assert compared(FakeCluster({KEY: live()}), Owned("web", "default", (ours,))) == {}


def test_a_release_of_somebody_elses_has_the_objects_of_its_manifest_and_no_others() -> None:
    theirs = make_revision(1, manifest=canonical_text(CONFIG))
    assert compared(FakeCluster({KEY: live()}), Owned("web", "default", (theirs,))) == {}
    with pytest.raises(ConfigurationError, match="exists already"):
        compared(FakeCluster({KEY: live()}), Owned("web", "default", (make_revision(1),)))


def test_what_a_failed_revision_took_and_gave_back_is_no_longer_the_releases() -> None:
    failed = make_revision(2, verified=False, status="failed", manifests=(canonical_text(CONFIG),))
    with pytest.raises(ConfigurationError, match="exists already") as caught:
        compared(FakeCluster({KEY: live()}), Owned("web", "default", (failed, make_revision(1))))
    assert "deploy adopt" in str(caught.value.hint)


@pytest.mark.parametrize(
    ("annotations", "owner"), [({}, None), ({**OWN, "meta.helm.sh/release-name": "other"}, ("other", "default"))]
)
def test_an_adoption_refuses_nobodys_object_and_knows_whose_it_was(
    annotations: Json, owner: tuple[str, str] | None
) -> None:
    owned = Owned("web", "default", (), adopt=True)
    compared(FakeCluster({KEY: live(annotations, data={"a": "c"})}), owned)
    assert owned.taken == {KEY: owner}
    ours = Owned("web", "default", (), adopt=True)
    compared(FakeCluster({KEY: live(OWN)}), ours)
    assert ours.taken == {}


def test_everything_that_is_refused_is_told() -> None:
    both = PreparedManifests("default", (CONFIG, CONFIG), ("", ""))
    with pytest.raises(ErrorGroup):
        compare(FakeCluster({KEY: live()}), both, Owned("web", "default", ()))


def asked_after(*revisions: Revision, wanted: Json = CONFIG, rollback: bool = False) -> list[str]:
    """What each preview was told that there was before."""
    cluster = FakeCluster({KEY: live(OWN)})
    manifests = PreparedManifests("default", (wanted,), (canonical_text(wanted),))
    compare(cluster, manifests, Owned("web", "default", revisions, rollback=rollback))
    return [one.removeprefix("preview after ") for one in cluster.questions if one.startswith("preview after ")]


def text_of(value: str) -> str:
    return canonical_text({**CONFIG, "data": {"a": "b", value: value}})


def revision(number: int, status: str = "deployed") -> Revision:
    return make_revision(number, status=status, manifests=(text_of(str(number)),))


def test_a_preview_knows_what_the_deployed_revision_said() -> None:
    assert asked_after(revision(1)) == [text_of("1")]
    assert asked_after(revision(3, "failed"), revision(2), revision(1, "superseded")) == [text_of("2")]
    assert asked_after(revision(2, "failed"), revision(1, "superseded")) == [text_of("2")]
    theirs = make_revision(1, manifest=text_of("1"))
    assert asked_after(theirs) == [text_of("1")]


def test_a_rollback_goes_on_from_the_newest_revision_whatever_became_of_it() -> None:
    assert asked_after(revision(3, "failed"), revision(2), rollback=True) == [text_of("3")]


def test_a_rollback_that_ended_halfway_knows_what_it_came_upon() -> None:
    copy = make_revision(
        3, status="failed", description='Rollback "web" failed: odd', manifests=(text_of("1"),), manifest=text_of("2")
    )
    before = revision(2, "superseded"), revision(1, "superseded")
    for rollback in (True, False):
        assert asked_after(copy, *before, rollback=rollback) == [text_of("2")]
    assert asked_after(copy, *before, wanted=json.loads(text_of("1")), rollback=True) == [text_of("2")]


def test_what_was_not_there_or_is_the_same_has_nothing_to_lose() -> None:
    assert asked_after() == []
    assert asked_after(revision(1, "uninstalled")) == []
    assert asked_after(make_revision(1, manifests=(canonical_text(CONFIG),))) == []
    other = {**CONFIG, "metadata": {"name": "other"}}
    assert asked_after(make_revision(1, manifests=(canonical_text(other),)), wanted=CONFIG) == []
