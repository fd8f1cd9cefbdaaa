"""What a stage runs, so that the next can get it: the newest verified revision, the same in every region."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import pytest

from deployer.config.releases import Release
from deployer.errors import ConfigurationError, DeployError, ErrorGroup, HeldError, UnreachableError
from deployer.events import PhaseFinished, WarningRaised
from deployer.execute.services import Services
from deployer.execute.work import RegionPorts
from deployer.model import App, DeploymentRecord, DockerSpec, Revision, Settings, Target
from deployer.model.status import ReleaseHead
from deployer.pipeline.origin import Promotion, find_origin
from tests.fakes import FakeCluster, FakeLocks, FakeProber, FakeReleases, RecordingSink, make_revision

HASH = "5ae768241ccef13c9166b804bfe440f6"


class World:
    """A stage whose regions have these releases."""

    def __init__(self, **regions: ReleaseHead | DeployError | None) -> None:
        self.regions = regions
        self.sink = RecordingSink()
        self.registries: list[str] = []

    def region(self, settings: Settings, target: Target) -> RegionPorts:
        head = self.regions[target.region]
        releases = FakeReleases()
        releases.known = {"web": head} if isinstance(head, ReleaseHead) else {}
        return RegionPorts(FakeCluster(), releases, FakeProber(), FakeLocks())

    def registry(self, settings: Settings, target: Target) -> Any:
        self.registries.append(target.region)
        return object()

    def find(self) -> Promotion:
        settings = Settings(aws_region="eu-west-2")
        releases: dict[Target, Release | DeployError] = {}
        for region, head in self.regions.items():
            target = Target("dev", region, "web")
            releases[target] = head if isinstance(head, DeployError) else Release(target, "web", settings)
        return find_origin(releases, cast(Services, self), self.sink, named)


def named(regions: Sequence[str]) -> str:
    return f"deploy promote dev prod web --from-region {','.join(regions)}"


def revision(number: int = 3, digest: str | None = "sha256:aaaa", *, verified: bool = True, **fields: Any) -> Revision:
    values: dict[str, Any] = {
        "version": "1.0",
        "tag": f"1.0-{HASH}",
        "image": f"registry.dev/team/web:1.0-{HASH}",
        "digest": digest,
        "content_hash": "cafe",
        "rebuild": "salt",
        **fields,
    }
    record = DeploymentRecord(f"d-{number}", "web", "dev", "here", **values)
    return make_revision(number, verified=verified, record=record)


def head(good: Revision | None, newest: Revision | None = None) -> ReleaseHead:
    one = newest or good
    assert one is not None
    return ReleaseHead(one, good)


def test_the_same_everywhere_is_what_is_promoted() -> None:
    world = World(seoul=head(revision(9)), london=head(revision()))
    found = world.find()
    assert (found.stage, found.version, found.tag) == ("dev", "1.0", "1.0")
    assert [one.release.target.region for one in found.origins] == ["london", "seoul"]
    (told,) = [event for event in world.sink.events if isinstance(event, PhaseFinished)]
    assert told.detail == "version 1.0, 1.0-5ae768241c…, digest aaaa runs in dev london, seoul"


def test_the_image_comes_from_the_same_region_where_there_is_one() -> None:
    world = World(london=head(revision()), seoul=head(revision()))
    found = world.find()
    for region in ("seoul", "tokyo"):
        image = found.image_for(Target("prod", region, "web"), cast(Services, world))
        assert image is not None
        assert image.source.image.pinned == f"registry.dev/team/web:1.0-{HASH}@sha256:aaaa"
        assert (image.docker_hash, image.content_hash, image.rebuild) == (HASH, "cafe", "salt")
    assert world.registries == ["seoul", "london"]


def test_regions_that_differ_are_named() -> None:
    with pytest.raises(HeldError, match="do not run the same") as caught:
        World(london=head(revision()), seoul=head(revision(4, "sha256:bbbb"))).find()
    assert "london: version 1.0, 1.0-5ae768241c…, digest aaaa; seoul: version 1.0, 1.0-5ae768241c…, digest bbbb" in str(
        caught.value.why
    )
    assert caught.value.hint == "bring them to the same first, or name one: --from-region london"


@pytest.mark.parametrize("other", [{"version": "2.0"}, {"image": f"registry.dev/team/web:2.0-{HASH}"}])
def test_one_image_under_two_versions_or_tags_is_not_the_same(other: dict[str, Any]) -> None:
    with pytest.raises(HeldError, match="do not run the same"):
        World(london=head(revision()), seoul=head(revision(4, **other))).find()


def test_the_newest_verified_one_counts_and_a_newer_one_is_told() -> None:
    world = World(london=head(revision(3), revision(5, "sha256:bbbb", verified=False)))
    assert world.find().origins[0].revision == 3
    (warning,) = [event for event in world.sink.events if isinstance(event, WarningRaised)]
    assert "newer revision (5) that was not verified" in warning.text


@pytest.mark.parametrize(
    ("found", "why"),
    [
        (None, "there is no release web in namespace default"),
        (head(None, revision(2, verified=False)), "its newest revision, 2, was never verified (it is deployed)"),
        (head(None, make_revision(1, verified=False)), "its newest revision, 1, was made by another tool"),
    ],
)
def test_nothing_that_was_verified(found: ReleaseHead | None, why: str) -> None:
    with pytest.raises(HeldError, match="nothing that was verified runs") as caught:
        World(london=found).find()
    assert caught.value.why == why


def test_an_image_without_a_digest_is_not_promoted() -> None:
    with pytest.raises(HeldError, match="the digest of what runs"):
        World(london=head(revision(digest=None))).find()


def test_all_that_is_wrong_is_told_and_how_to_go_on_without() -> None:
    with pytest.raises(ErrorGroup) as caught:
        World(london=UnreachableError("no answer"), seoul=None, tokyo=head(revision())).find()
    assert len(caught.value.errors) == 2
    assert "deploy promote dev prod web --from-region tokyo" in str(caught.value.errors[-1].hint)


@pytest.mark.parametrize(
    ("docker", "fields", "said"),
    [
        (True, {}, None),
        (False, {"image": None, "digest": None}, None),
        (False, {}, "has an image of its own, and web has no Docker part now"),
        (True, {"image": None, "digest": None}, "has no image of its own, and web has a Docker part now"),
        (False, {"image": None, "digest": None, "version": None}, "there is nothing of web to promote"),
    ],
)
def test_the_file_and_what_runs_must_agree_on_whether_there_is_an_image(
    docker: bool, fields: dict[str, Any], said: str | None
) -> None:
    found = World(london=head(revision(git_commit="0f76", **fields))).find()
    app = App("web", "web", (), docker=DockerSpec("FROM scratch") if docker else None)
    if said is None:
        found.check(app)
        return
    with pytest.raises(ConfigurationError) as caught:
        found.check(app)
    assert said in caught.value.what
