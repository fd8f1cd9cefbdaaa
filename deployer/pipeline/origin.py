"""Finds out what a stage runs, so that another one can get the very same."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from deployer.config.releases import Release
from deployer.errors import ConfigurationError, DeployError, HeldError
from deployer.events import Sink, WarningRaised
from deployer.execute.everywhere import CommandFor, ask_each, refuse
from deployer.execute.images import PromotedImage, StoredImage
from deployer.execute.phases import Phases
from deployer.execute.services import Services
from deployer.model import App, DeploymentRecord, Image, Revision, Target
from deployer.model.status import ReleaseHead
from deployer.report.words import short_digest, short_tag


@dataclass(frozen=True)
class Origin:
    """A region's release, and its newest revision that was verified. `unproven` is a newer one that was not."""

    release: Release
    revision: int
    record: DeploymentRecord
    unproven: int | None = None

    @property
    def image(self) -> Image | None:
        """The image that the revision runs, its digest known; None where the app has none of its own."""
        image = Image.parse(self.record.image) if self.record.image else None
        return Image(image.registry, image.repository, image.tag, self.record.digest) if image else None

    @property
    def content(self) -> tuple[str | None, ...]:
        """What must be the same in every region: the image by tag and digest, and the version that templates see."""
        return self.record.version, self.record.digest, self.image.tag if self.image else None


@dataclass(frozen=True)
class Promotion:
    """What runs in `stage`, the same in every region that was asked. `origins` are sorted by their regions."""

    stage: str
    origins: tuple[Origin, ...]

    @property
    def record(self) -> DeploymentRecord:
        """What is known of what runs there."""
        return self.origins[0].record

    @property
    def version(self) -> str | None:
        """The version that runs there."""
        return self.record.version

    @property
    def tag(self) -> str | None:
        """The app's `Tag` there: an image's tag without the hash of its content. None without an image."""
        image = self.origins[0].image
        return _split(image)[0] if image else None

    def image_for(self, target: Target, services: Services) -> PromotedImage | None:
        """The image for a target, from the same region of the other stage where it has that; None without one."""
        same = [one for one in self.origins if one.release.target.region == target.region]
        origin = (same or self.origins)[0]
        image, record = origin.image, origin.record
        if image is None:
            return None
        registry = services.registry(origin.release.settings, origin.release.target)
        return PromotedImage(StoredImage(image, registry), _split(image)[1], record.content_hash, record.rebuild)

    def check(self, app: App) -> None:
        """Raises ConfigurationError when the app's file and what runs disagree on whether there is an image."""
        commit, with_image = self.record.git_commit, app.docker is not None
        if with_image != (self.tag is not None):
            raise ConfigurationError(
                f"what runs in {self.stage} has {'no' if with_image else 'an'} image of its own, "
                f"and {app.name} has {'a' if with_image else 'no'} Docker part now",
                hint=f"promote from the commit that was deployed there: {commit}" if commit else None,
            )
        if not with_image and self.version is None:
            raise ConfigurationError(
                f"there is nothing of {app.name} to promote",
                why=f"what runs in {self.stage} has neither an image of its own nor a version",
                hint=f"deploy {app.name} to the other stage as its file is",
            )

    @property
    def warnings(self) -> tuple[str, ...]:
        """What its reader should know and that does not stop a promotion."""
        return tuple(
            f"{one.release.target.region} of {self.stage} has a newer revision ({one.unproven}) that was not verified; "
            f"what is promoted is revision {one.revision}"
            for one in self.origins
            if one.unproven is not None
        )


def find_origin(
    releases: Mapping[Target, Release | DeployError], services: Services, sink: Sink, from_region: CommandFor
) -> Promotion:
    """What the releases of one app in one stage run. Changes nothing.

    Raises what is wrong with any region, and HeldError where a region has nothing that was verified, or where regions
    differ. `from_region` gives the command that looks at some of the regions only.
    """
    targets = list(releases)
    stage = targets[0].stage
    with Phases(sink)("origin") as phase:
        answers = ask_each([(target, partial(_head, release, services)) for target, release in releases.items()])
        refuse(targets, answers.failures, from_region)
        promotion = _agreed(stage, answers.given)
        phase.detail = f"{_told(promotion.origins[0])} runs in {stage} {_listed(promotion.origins)}"
    for text in promotion.warnings:
        sink.emit(WarningRaised(text))
    return promotion


def _agreed(stage: str, found: Sequence[Origin]) -> Promotion:
    origins = tuple(sorted(found, key=lambda one: one.release.target))
    if len({one.content for one in origins}) > 1:
        raise HeldError(
            f"the regions of {stage} do not run the same",
            why="; ".join(f"{one.release.target.region}: {_told(one)}" for one in origins),
            hint=f"bring them to the same first, or name one: --from-region {origins[0].release.target.region}",
        )
    return Promotion(stage, origins)


def _head(release: Release | DeployError, services: Services) -> Origin:
    if isinstance(release, DeployError):
        raise release
    namespace, target = release.settings.namespace, release.target
    heads = services.region(release.settings, target).releases.heads(namespace, [release.name])
    head = heads.get(release.name)
    good = head.good if head else None
    if head is None or good is None or good.record is None:
        raise _nothing(release, head)
    if good.record.image and not good.record.digest:
        raise HeldError(f"the digest of what runs in {target.environment} is not known", hint="deploy it there again")
    return Origin(release, good.number, good.record, head.newest.number if head.newest.number != good.number else None)


def _nothing(release: Release, head: ReleaseHead | None) -> HeldError:
    target = release.target
    why = f"there is no release {release.name} in namespace {release.settings.namespace}"
    if head is not None:
        why = f"its newest revision, {head.newest.number}, was {_fate(head.newest)}"
    return HeldError(
        f"nothing that was verified runs in {target.environment}",
        why=why,
        hint=f"deploy {target} first, or name another region of {target.stage} with --from-region",
    )


def _fate(revision: Revision) -> str:
    return "made by another tool" if revision.record is None else f"never verified (it is {revision.status})"


def _split(image: Image) -> tuple[str, str]:
    """`Tag` and `DockerHash` of an image's tag."""
    tag, _, docker_hash = image.tag.rpartition("-")
    return tag, docker_hash


def _told(origin: Origin) -> str:
    image = origin.image
    if image is None:
        return f"version {origin.record.version}"
    version = f"version {origin.record.version}, " if origin.record.version else ""
    return f"{version}{short_tag(image.tag)}, digest {short_digest(str(image.digest))}"


def _listed(origins: Sequence[Origin]) -> str:
    return ", ".join(one.release.target.region for one in origins)
