"""Observes one target: its release, its image in the registry, and what its manifests would do. Changes nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Protocol

from deployer.errors import ConfigurationError
from deployer.execute.compare import Owned, compare
from deployer.execute.everywhere import ask_all
from deployer.execute.ports import DockerContext, Registry
from deployer.execute.watch import observe as observe_workloads
from deployer.execute.work import RegionPorts
from deployer.model import App, DeploymentRecord, Image, Settings, Target
from deployer.plan.content_hash import docker_hash as hash_context
from deployer.plan.facts import ImageFacts, ReleaseFacts, TargetFacts
from deployer.plan.identity import rebuilt
from deployer.plan.manifests import PreparedManifests, check_release_size


class ManifestSource(Protocol):
    """Renders a target's manifests once its image is known."""

    def __call__(self, image: Image | None, docker_hash: str | None) -> PreparedManifests:
        """The manifests with this image in them, pinned where its digest is known."""
        ...


@dataclass(frozen=True)
class Subject:
    """A target with all that observing it needs. `rebuild` is the salt that `--rebuild` asks for, None without it."""

    target: Target
    settings: Settings
    app: App
    prepare: ManifestSource
    ports: RegionPorts
    context: DockerContext | None = None
    registry: Registry | None = None
    rebuild: str | None = None


@dataclass(frozen=True)
class ImageIdentity:
    """The image of a target and where its tag comes from. `rebuild` is the salt in the tag, new or remembered."""

    image: Image
    docker_hash: str
    content_hash: str
    rebuild: str | None = None


@dataclass(frozen=True)
class Observation:
    """What was seen of a target."""

    subject: Subject
    facts: TargetFacts
    prepared: PreparedManifests
    identity: ImageIdentity | None


def observe(subject: Subject) -> Observation:
    """Everything that the plan needs to know about a target.

    Raises what makes deploying impossible: an unreachable cluster or registry, a release that is too large, manifests
    that the API server refuses (all of them in one group).
    """
    namespace, name = subject.settings.namespace, subject.app.app_name
    revisions = subject.ports.releases.revisions(name, namespace)
    last = revisions[0].record if revisions else None
    identity = identify(subject.app, subject.settings, subject.context, rebuild=subject.rebuild, last=last)
    if identity is not None and subject.registry is not None:
        identity = replace(identity, image=replace(identity.image, digest=subject.registry.digest(identity.image)))
    image = identity.image if identity else None
    prepared = subject.prepare(image, identity.docker_hash if identity else None)
    check_release_size(prepared.texts)
    live, drift = compare(subject.ports.cluster, prepared, Owned(name, namespace, revisions))
    unchanged = bool(revisions) and revisions[0].manifests == prepared.texts
    release = ReleaseFacts(texts=prepared.texts, revisions=revisions)
    if unchanged:
        workloads = observe_workloads(subject.ports.cluster, prepared, subject.settings.rollout, live)
        missing = tuple(key for key, content in live.items() if content is None)
        release = replace(release, drift=drift, missing=missing, workloads=workloads)
    facts = TargetFacts(
        target=subject.target,
        release=release,
        image=ImageFacts(image) if image else None,
        warnings=tuple(str(warning) for warning in prepared.warnings),
    )
    return Observation(subject, facts, prepared, identity)


def agree_on_rebuilds(subjects: Sequence[Subject]) -> list[Subject]:
    """Regions that are deployed to together get one image: of the same content, the one that was rebuilt last anywhere.

    What each region runs is remembered with its last revision; alone, a region goes on with what it has.
    """
    with_image = [subject for subject in subjects if subject.context is not None and subject.rebuild is None]
    if len(with_image) < 2:
        return list(subjects)
    questions = [(one.target, partial(_remembered_rebuild, one)) for one in with_image]
    newest: dict[tuple[str, str], str] = {}
    for key, rebuild in ask_all(questions):
        if rebuild is not None:
            newest[key] = max(newest.get(key, ""), rebuild)
    return [
        replace(subject, rebuild=newest.get(_content(subject))) if subject in with_image else subject
        for subject in subjects
    ]


def _remembered_rebuild(subject: Subject) -> tuple[tuple[str, str], str | None]:
    """The content of an app, and the salt of its image if that was rebuilt."""
    revisions = subject.ports.releases.revisions(subject.app.app_name, subject.settings.namespace)
    last, content = revisions[0].record if revisions else None, _content(subject)
    return content, last.rebuild if last is not None and last.content_hash == content[1] else None


def _content(subject: Subject) -> tuple[str, str]:
    """The app's name, and the hash of its Docker context."""
    docker, context = subject.app.docker, subject.context
    if docker is None or context is None:
        return subject.app.app_name, ""
    return subject.app.app_name, hash_context(context.entries, platforms=docker.platforms, args=docker.args)


def identify(
    app: App,
    settings: Settings,
    context: DockerContext | None,
    *,
    rebuild: str | None = None,
    last: DeploymentRecord | None = None,
) -> ImageIdentity | None:
    """The image that an app's content asks for, its digest not asked yet; None without a Docker part.

    An image once rebuilt on purpose stays the one for its content: the last revision remembers the salt in its tag.
    """
    if app.docker is None or context is None:
        return None
    if settings.aws_ecr_prefix is None:
        raise ConfigurationError(
            "AwsEcrPrefix is missing",
            where=f"group_vars of {app.name}'s stage and region",
            hint="it says where images go: 123456789012.dkr.ecr.eu-west-2.amazonaws.com",
        )
    content_hash = hash_context(context.entries, platforms=app.docker.platforms, args=app.docker.args)
    if rebuild is None and last is not None and last.content_hash == content_hash:
        rebuild = last.rebuild
    tag_hash = rebuilt(content_hash, rebuild)
    image = Image.under(settings.aws_ecr_prefix, app.app_name, f"{app.tag}-{tag_hash}")
    return ImageIdentity(image, tag_hash, content_hash, rebuild)
