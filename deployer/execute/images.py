"""Provides each region's registry with its image: built once per content, copied by digest everywhere else."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

from deployer.errors import ConfigurationError, DeployError, InterruptedBySignal
from deployer.events import Sink
from deployer.execute.image_ports import BuildRequest, DockerContext, ImageBuilder, Registry
from deployer.execute.parallel import values_of
from deployer.execute.phases import Phases
from deployer.model import DockerSpec, Image

_AT_ONCE = 4
"""Images of different content that are built or copied at a time."""


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
    """The image that one target needs: where, made from what. `before` is done before it is built.

    `content` is the hash over what it is made from; two apps may have the same.
    """

    docker: DockerSpec
    context: DockerContext
    content: str
    before: Callable[[], None] | None = None

    @property
    def identity(self) -> tuple[str, str]:
        """What must be one and the same image in every region: its name below the registries, and its tag."""
        return self.image.repository.rsplit("/", 1)[-1], self.image.tag

    @property
    def shared(self) -> object:
        """The same for images of which one can stand for the other; build secrets may make them differ unseen."""
        return self.identity if self.docker.secrets else self.content


Provided = Image | DeployError
"""An image with its digest, or why it could not be had."""


def provide_images(
    wanted: Sequence[WantedImage], builder: ImageBuilder, sink: Sink, *, no_cache: bool
) -> list[Provided]:
    """Make every image exist where it is wanted; the images with their digests, in the order given.

    What has the same content is built once, also for several apps; different contents at the same time. What fails
    keeps nobody from the others' images. Raises nothing but a signal.
    """
    families: dict[object, dict[tuple[str, str], dict[str, WantedImage]]] = {}
    for want in wanted:
        family = families.setdefault(want.shared, {})
        family.setdefault(want.identity, {}).setdefault(want.image.reference, want)
    jobs = [
        partial(_provide_family, list(family.values()), builder, sink, no_cache=no_cache)
        for family in families.values()
    ]
    digests: dict[str, str | DeployError] = {}
    for found in values_of(jobs, at_once=_AT_ONCE):
        digests |= found
    provided: list[Provided] = []
    for want in wanted:
        digest = digests[want.image.reference]
        provided.append(replace(want.image, digest=digest) if isinstance(digest, str) else digest)
    return provided


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


def _provide_family(
    groups: Sequence[Mapping[str, WantedImage]], builder: ImageBuilder, sink: Sink, *, no_cache: bool
) -> Mapping[str, str | DeployError]:
    """Images of one content under several names: reference → digest, or what went wrong with that name."""
    found: dict[str, str | DeployError] = {}
    made: StoredImage | None = None
    for group in groups:
        try:
            digests = _provide(tuple(group.values()), made, builder, sink, no_cache=no_cache)
        except InterruptedBySignal:
            raise
        except DeployError as error:
            found |= dict.fromkeys(group, error)
            continue
        found |= digests
        first = next(iter(group.values()))
        made = made or StoredImage(replace(first.image, digest=digests[first.image.reference]), first.registry)
    return found


def _provide(
    group: Sequence[WantedImage],
    made: StoredImage | None,
    builder: ImageBuilder,
    sink: Sink,
    *,
    no_cache: bool,
) -> Mapping[str, str]:
    """One image in several registries: reference → digest. `made` is one of the same content under another name."""
    present: list[StoredImage] = [want for want in group if want.image.digest]
    missing = [want for want in group if not want.image.digest]
    _refuse_two_images_under_one_tag(present)
    phases = Phases(sink)
    source = present[0] if present else made
    if source is None:
        source = _build(missing.pop(0), builder, phases, sink, no_cache=no_cache)
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


def _refuse_two_images_under_one_tag(present: Sequence[StoredImage]) -> None:
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
