"""Gives each target of a deployment its image: one that is promoted, or one that is made from its content."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from deployer.errors import DeployError, Location
from deployer.events import Sink
from deployer.execute.everywhere import Failure
from deployer.execute.images import StoredImage, WantedImage, copy_images, provide_images
from deployer.execute.observe import Observation
from deployer.execute.services import Services
from deployer.model import Image, Target

Images = dict[Target, Image | None]
"""Target → its image with the digest; None for an app that has none."""


def images_for(
    observations: Sequence[Observation],
    services: Services,
    sink: Sink,
    *,
    before_build: Callable[[Observation], None],
    no_cache: bool,
) -> tuple[Images, list[Failure]]:
    """The images of those targets that can have theirs, and why the others cannot. Changes registries alone.

    `before_build` is called with the target whose image is built, before that. Promoted images are had all or none.
    """
    images: Images = {one.subject.target: None for one in observations}
    copies = {one.subject.target: copy for one in observations if (copy := _copied(one)) is not None}
    if copies:
        images |= zip(copies, copy_images(list(copies.values()), sink), strict=True)
        return images, []
    wanted = {one.subject.target: want for one in observations if (want := _wanted(one, partial(before_build, one)))}
    failures: list[Failure] = []
    if wanted:
        provided = provide_images(list(wanted.values()), services.builder(), sink, no_cache=no_cache)
        for target, image in zip(wanted, provided, strict=True):
            if isinstance(image, DeployError):
                failures.append((target, _of_app(target, image)))
                del images[target]
            else:
                images[target] = image
    return images, failures


def _of_app(target: Target, error: DeployError) -> DeployError:
    """The error with its app named: many may be built at a time."""
    for leaf in error.leaves():
        if not isinstance(leaf.where, Location) and not str(leaf.where or "").startswith(f"{target.app}:"):
            leaf.where = f"{target.app}: {leaf.where}" if leaf.where else f"{target.app}: its image"
    return error


def _copied(observation: Observation) -> tuple[StoredImage, StoredImage] | None:
    """Where a promoted image comes from, and where it goes."""
    subject, identity = observation.subject, observation.identity
    if identity is None or subject.promoted is None or subject.registry is None:
        return None
    return subject.promoted.source, StoredImage(identity.image, subject.registry)


def _wanted(observation: Observation, before: Callable[[], None]) -> WantedImage | None:
    subject, identity = observation.subject, observation.identity
    if identity is None or subject.app.docker is None or subject.context is None or subject.registry is None:
        return None
    return WantedImage(
        identity.image, subject.registry, subject.app.docker, subject.context, identity.docker_hash, before
    )
