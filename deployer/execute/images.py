"""Provides each region's registry with its image: built once per content, copied by digest everywhere else."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

from deployer.errors import ConfigurationError
from deployer.events import Sink
from deployer.execute.image_ports import BuildRequest, DockerContext, ImageBuilder, Registry
from deployer.execute.parallel import values_of
from deployer.execute.phases import Phases
from deployer.model import DockerSpec, Image


@dataclass(frozen=True)
class StoredImage:
    """An image, and the registry that has it or is to have it. `image.digest` is set where its registry has it."""

    image: Image
    registry: Registry


@dataclass(frozen=True)
class PromotedImage:
    """An image that another stage runs, its digest known, and the hashes of what it was made from.

    `docker_hash` is the one in its tag; `content_hash` and `rebuild` are None where nobody has kept them.
    """

    source: StoredImage
    docker_hash: str
    content_hash: str | None = None
    rebuild: str | None = None

    def check(self, present: str | None, image: Image) -> None:
        """Raises ConfigurationError unless its tag at `image` is free (`present` None) or is this very image.

        Where it is free, the image must still be in the registry that it comes from.
        """
        if present is None and not self.source.registry.has(self.source.image):
            raise ConfigurationError(
                "the image that is to be promoted is no longer in its registry",
                where=self.source.image.reference,
                hint="deploy it there again first: that builds and pushes it",
            )
        if present not in (None, self.source.image.digest):
            raise _another_image(self.source.image, replace(image, digest=present))


@dataclass(frozen=True)
class WantedImage(StoredImage):
    """The image that one target needs: where, made from what. `before` is done before it is built."""

    docker: DockerSpec
    context: DockerContext
    before: Callable[[], None] | None = None

    @property
    def content(self) -> tuple[str, str]:
        """What must be one and the same image in every region: its name below the registries, and its tag."""
        return self.image.repository.rsplit("/", 1)[-1], self.image.tag


def provide_images(wanted: Sequence[WantedImage], builder: ImageBuilder, sink: Sink, *, no_cache: bool) -> list[Image]:
    """Make every image exist where it is wanted; the images with their digests, in the order given.

    Raises ConfigurationError when two regions hold different images under one tag.
    """
    groups: dict[tuple[str, str], dict[str, WantedImage]] = {}
    for want in wanted:
        groups.setdefault(want.content, {}).setdefault(want.image.reference, want)
    digests: dict[str, str] = {}
    for group in groups.values():
        digests.update(_provide(tuple(group.values()), builder, sink, no_cache=no_cache))
    return [replace(want.image, digest=digests[want.image.reference]) for want in wanted]


def copy_images(copies: Sequence[tuple[StoredImage, StoredImage]], sink: Sink) -> list[Image]:
    """Give each second registry the image of the first, by digest, and whole; the images with their digests.

    Raises ConfigurationError when a registry holds another image under the tag.
    """
    missing: dict[str, tuple[StoredImage, StoredImage]] = {}
    for source, want in copies:
        if want.image.digest is None:
            missing.setdefault(want.image.reference, (source, want))
        elif want.image.digest != source.image.digest:
            raise _another_image(source.image, want.image)
    if missing:
        with Phases(sink)("copy image") as phase:
            values_of([partial(_copy, source, want, sink) for source, want in missing.values()])
            phase.detail = f"to {', '.join(want.image.registry for _, want in missing.values())}"
    return [replace(want.image, digest=source.image.digest) for source, want in copies]


def _provide(group: Sequence[WantedImage], builder: ImageBuilder, sink: Sink, *, no_cache: bool) -> Mapping[str, str]:
    """One image in several registries: reference → digest."""
    present = [want for want in group if want.image.digest]
    missing = [want for want in group if not want.image.digest]
    _refuse_two_images_under_one_tag(present)
    if not missing:
        return {want.image.reference: str(want.image.digest) for want in present}
    phases = Phases(sink)
    if present:
        source = present[0]
    else:
        source = _build(missing.pop(0), builder, phases, sink, no_cache=no_cache)
        present = [source]
    if missing:
        with phases("copy image") as phase:
            values_of([partial(_copy, source, want, sink) for want in missing])
            phase.detail = f"to {', '.join(want.image.registry for want in missing)}"
    return {want.image.reference: str(source.image.digest) for want in group}


def _build(want: WantedImage, builder: ImageBuilder, phases: Phases, sink: Sink, *, no_cache: bool) -> WantedImage:
    if want.before is not None:
        want.before()
    with phases("build image") as phase:
        want.registry.ensure_repository(want.image)
        with want.context.materialise() as directory:
            request = BuildRequest(
                context=directory,
                image=want.image,
                args=want.docker.args,
                secrets=want.docker.secrets,
                platforms=want.docker.platforms,
                no_cache=no_cache,
                builder=want.docker.builder,
                cache=want.docker.cache,
            )
            digest = builder.build_and_push(request, want.registry, sink)
        phase.detail = digest[:19]
    return replace(want, image=replace(want.image, digest=digest))


def _copy(source: StoredImage, want: StoredImage, sink: Sink) -> None:
    want.registry.ensure_repository(want.image)
    digest = want.registry.copy(source.image, source.registry, want.image, sink)
    if digest != source.image.digest:
        raise _two_images(source.image, replace(want.image, digest=digest))


def _refuse_two_images_under_one_tag(present: Sequence[WantedImage]) -> None:
    for other in present[1:]:
        if other.image.digest != present[0].image.digest:
            raise _two_images(present[0].image, other.image)


def _two_images(one: Image, other: Image) -> ConfigurationError:
    return ConfigurationError(
        f"two registries hold different images under the tag {one.tag}",
        where=f"{one.registry} and {other.registry}",
        why=f"{one.digest} and {other.digest}",
        hint="deploy with --rebuild: it makes one new image under a new tag for all regions",
    )


def _another_image(promoted: Image, present: Image) -> ConfigurationError:
    return ConfigurationError(
        f"the registry has another image under the tag {present.tag}",
        where=present.registry,
        why=f"{present.digest} there, and {promoted.digest} in {promoted.registry}",
        hint="deploy with --rebuild to the stage that it comes from, which makes a new tag, and promote that",
    )
