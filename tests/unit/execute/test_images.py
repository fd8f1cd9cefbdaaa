"""One build per content, the same digest everywhere; and regions that remember different rebuilds agree on one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from deployer.errors import ConfigurationError, DeployError, DeploymentFailed
from deployer.events import Sink
from deployer.execute.image_ports import BuildRequest, Registry
from deployer.execute.images import PromotedImage, StoredImage, WantedImage, copy_images, provide_images
from deployer.execute.observe import Subject, agree_on_rebuilds, identify
from deployer.execute.work import RegionPorts
from deployer.model import App, ContextEntry, DeploymentRecord, DockerSpec, Image, Secret, Settings, Target
from deployer.plan.manifests import PreparedManifests
from tests.fakes import FakeCluster, FakeLocks, FakeProber, FakeReleases, RecordingSink, make_revision

DOCKER = DockerSpec("FROM scratch")
ENTRIES = (ContextEntry("Dockerfile", "file", size=1, sha256="ab" * 32),)


class FakeContext:
    entries = ENTRIES

    @contextmanager
    def materialise(self) -> Iterator[Path]:
        yield Path("/context")


@dataclass
class FakeRegistry:
    tags: dict[str, str] = field(default_factory=dict)
    done: list[str] = field(default_factory=list)

    def digest(self, image: Image) -> str | None:
        return self.tags.get(image.reference)

    def has(self, image: Image) -> bool:
        return image.digest in self.tags.values()

    def ensure_repository(self, image: Image) -> None:
        self.done.append("ensure")

    def copy(self, source: Image, source_registry: Registry, destination: Image, sink: Sink) -> str:
        self.done.append(f"copy from {source.registry}")
        return str(source.digest)

    def credentials(self) -> tuple[str, Secret]:
        return "AWS", Secret("password")


class FakeBuilder:
    def __init__(self) -> None:
        self.requests: list[BuildRequest] = []

    def build_and_push(self, request: BuildRequest, registry: Registry, sink: Sink) -> str:
        self.requests.append(request)
        return "sha256:built"


def wanted(
    region: str, digest: str | None = None, tag: str = "1-abc", app: str = "myapp", docker: DockerSpec = DOCKER
) -> WantedImage:
    image = Image(region, app, tag, digest)
    return WantedImage(image, FakeRegistry(), docker, FakeContext(), tag.partition("-")[2])


def provide(*wants: WantedImage, builder: FakeBuilder | None = None, no_cache: bool = False) -> list[str | DeployError]:
    """The digests, and what went wrong."""
    found = provide_images(wants, builder or FakeBuilder(), RecordingSink(), no_cache=no_cache)
    return [str(one.digest) if isinstance(one, Image) else one for one in found]


def test_one_build_is_copied_to_every_other_region() -> None:
    wants, builder = [wanted("london"), wanted("seoul"), wanted("virginia")], FakeBuilder()
    assert provide(*wants, builder=builder) == ["sha256:built"] * 3
    assert [request.image.registry for request in builder.requests] == ["london"]
    assert [want.registry.done for want in wants] == [  # type: ignore[attr-defined]
        ["ensure"],
        ["ensure", "copy from london"],
        ["ensure", "copy from london"],
    ]


def test_what_one_region_has_is_never_built_again() -> None:
    builder = FakeBuilder()
    assert provide(wanted("london"), wanted("seoul", "sha256:there"), builder=builder) == ["sha256:there"] * 2
    assert builder.requests == []


def test_two_images_under_one_tag_are_refused_and_others_are_not() -> None:
    one, other, third = provide(wanted("london", "sha256:a"), wanted("seoul", "sha256:b"), wanted("london", app="x"))
    assert isinstance(one, ConfigurationError)
    assert one is other
    assert "different images" in one.what
    assert third == "sha256:built"


def test_different_contents_are_built_each() -> None:
    builder = FakeBuilder()
    provide(wanted("london"), wanted("seoul", tag="1-other"), builder=builder, no_cache=True)
    assert [request.no_cache for request in builder.requests] == [True, True]


def test_apps_of_the_same_content_share_one_build() -> None:
    wants, builder = [wanted("london"), wanted("london", tag="2-abc", app="twin"), wanted("seoul")], FakeBuilder()
    assert provide(*wants, builder=builder) == ["sha256:built"] * 3
    assert len(builder.requests) == 1
    assert wants[1].registry.done == ["ensure", "copy from london"]  # type: ignore[attr-defined]


def test_build_secrets_keep_images_apart() -> None:
    docker, builder = DockerSpec("FROM scratch", secrets={"token": Secret("t0ken")}), FakeBuilder()
    provide(wanted("london", docker=docker), wanted("london", app="twin", docker=docker), builder=builder)
    assert len(builder.requests) == 2


def test_a_build_that_fails_is_told_for_its_image_alone() -> None:
    class Failing(FakeBuilder):
        def build_and_push(self, request: BuildRequest, registry: Registry, sink: Sink) -> str:
            if request.image.tag == "1-bad":
                raise DeploymentFailed("it did not build")
            return super().build_and_push(request, registry, sink)

    good, bad = provide(wanted("london"), wanted("london", tag="1-bad", app="broken"), builder=Failing())
    assert good == "sha256:built"
    assert isinstance(bad, DeploymentFailed)


def subject(region: str, rebuild: str | None) -> Subject:
    app = App("myapp", "myapp", (), tag="1", docker=DOCKER)
    settings = Settings(aws_region="eu-west-2", aws_ecr_prefix="registry")
    target = Target("prod", region, "myapp")
    identity = identify(app, settings, FakeContext())
    assert identity is not None
    record = DeploymentRecord("id", "myapp", "prod", region, content_hash=identity.content_hash, rebuild=rebuild)
    return Subject(
        target=target,
        settings=settings,
        app=app,
        prepare=lambda image, docker_hash, key=None: PreparedManifests("default", (), ()),
        ports=RegionPorts(FakeCluster(), FakeReleases([make_revision(1, record=record)]), FakeProber(), FakeLocks()),
        context=FakeContext(),
    )


def test_regions_deployed_together_take_the_last_rebuild_of_any() -> None:
    agreed = agree_on_rebuilds(
        [subject("london", "20261121-1"), subject("seoul", None), subject("tokyo", "20261122-1")]
    )
    assert [one.rebuild for one in agreed] == ["20261122-1"] * 3


def test_a_rebuild_of_other_content_does_not_count() -> None:
    london, seoul = subject("london", "20261121-1"), subject("seoul", None)
    changed = replace(london, app=replace(london.app, docker=replace(DOCKER, args={"A": "b"})))
    assert [one.rebuild for one in agree_on_rebuilds([changed, seoul])] == [None, None]


def test_a_rebuild_that_is_asked_for_is_the_one() -> None:
    asked = [replace(subject("london", "20261121-1"), rebuild="now"), replace(subject("seoul", None), rebuild="now")]
    assert [one.rebuild for one in agree_on_rebuilds(asked)] == ["now", "now"]


def stored(registry: str, digest: str | None = None, tags: dict[str, str] | None = None) -> StoredImage:
    return StoredImage(Image(registry, "preprod/web", "1-abc", digest), FakeRegistry(tags or {}))


def test_a_promoted_image_is_copied_once_to_each_registry_that_lacks_it() -> None:
    source, there, lacking = stored("dev", "sha256:a"), stored("london", "sha256:a"), stored("seoul")
    images = copy_images([(source, there), (source, lacking), (source, lacking)], RecordingSink())
    assert [image.digest for image in images] == ["sha256:a"] * 3
    assert [image.registry for image in images] == ["london", "seoul", "seoul"]
    assert there.registry.done == []  # type: ignore[attr-defined]
    assert lacking.registry.done == ["ensure", "copy from dev"]  # type: ignore[attr-defined]


def test_a_promotion_never_moves_a_tag() -> None:
    with pytest.raises(ConfigurationError, match="another image under the tag 1-abc") as caught:
        copy_images([(stored("dev", "sha256:a"), stored("london", "sha256:b"))], RecordingSink())
    assert "--rebuild" in str(caught.value.hint)


@pytest.mark.parametrize(
    ("present", "in_source", "said"),
    [
        ("sha256:a", False, None),
        (None, True, None),
        (None, False, "no longer in its registry"),
        ("sha256:b", True, "another image under the tag"),
    ],
)
def test_whether_an_image_can_be_promoted_is_known_beforehand(
    present: str | None, in_source: bool, said: str | None
) -> None:
    source = stored("dev", "sha256:a", {"moved tag": "sha256:a"} if in_source else None)
    promoted = PromotedImage(source, "abc")
    try:
        promoted.check(present, Image("london", "web", "1-abc"))
    except ConfigurationError as error:
        assert said
        assert said in error.what
    else:
        assert said is None
