"""Observes one target: its release, its image in the registry, and what its manifests would do. Changes nothing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Protocol

from deployer.errors import ConfigurationError, DeployError, NotPermitted
from deployer.execute import lifted
from deployer.execute.adoption import adoption_of
from deployer.execute.compare import Owned, compare
from deployer.execute.everywhere import ask_each
from deployer.execute.fingerprint_key import ClusterKey, advice, cluster_key
from deployer.execute.image_ports import DockerContext, Registry
from deployer.execute.images import PromotedImage
from deployer.execute.lifted import Lifted
from deployer.execute.parallel import values_of
from deployer.execute.preflight import Entry, NoNamespace, Troubles, check
from deployer.execute.watch import observe as observe_workloads
from deployer.execute.work import RegionPorts
from deployer.model import App, DeploymentRecord, Image, Revision, Secret, Settings, Target
from deployer.plan.content_hash import docker_hash as hash_context
from deployer.plan.difference import removed_objects
from deployer.plan.facts import Comparison, ImageFacts, ReleaseFacts, TargetFacts
from deployer.plan.identity import rebuilt
from deployer.plan.manifests import PreparedManifests, check_release_size
from deployer.plan.revisions import manifest_texts

_UNKNOWN = "0" * 32
"""Stands for the hash of a Docker context that is not known."""


class ManifestSource(Protocol):
    """Renders a target's manifests once its image is known."""

    def __call__(self, image: Image | None, docker_hash: str | None, key: Secret | None = None) -> PreparedManifests:
        """The manifests with this image in them, pinned where its digest is known.

        `key` names lifted Secrets where the stage has no FingerprintKey.
        """
        ...


@dataclass(frozen=True)
class Subject:
    """A target with all that observing it needs. `rebuild` is the salt that `--rebuild` asks for, None without it.

    `promoted` is the image that another stage runs, in the place of one made from `context`. `silent`: why its releases
    could not be read when they were asked for already. `unknown_content`: its Docker context could not be had, so that
    it will not be deployed; everything else is looked at all the same, with a placeholder for its hash. `refuse_held`:
    a lock that somebody holds is an error where something is to be done. `adopt`: objects of others are taken over.
    `tell`: fields that may not change are told with the plan, and not raised. `key` names lifted Secrets where the
    stage has no FingerprintKey.
    """

    target: Target
    settings: Settings
    app: App
    prepare: ManifestSource
    ports: RegionPorts
    context: DockerContext | None = None
    registry: Registry | None = None
    rebuild: str | None = None
    promoted: PromotedImage | None = None
    silent: DeployError | None = None
    unknown_content: bool = False
    refuse_held: bool = False
    adopt: bool = False
    tell: bool = False
    key: ClusterKey | None = None

    def manifests(self, image: Image | None, docker_hash: str | None) -> PreparedManifests:
        """The manifests, with Secrets named by the stage's key, or else the cluster's."""
        if self.key is None:
            return self.prepare(image, docker_hash)
        return replace(self.prepare(image, docker_hash, self.key.value), unsaved_key=self.key.unsaved)


@dataclass(frozen=True)
class ImageIdentity:
    """The image of a target and where its tag comes from. `rebuild` is the salt in the tag, new or remembered."""

    image: Image
    docker_hash: str
    content_hash: str | None
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

    Raises everything that makes deploying impossible, in one group: what the registry and the cluster say, a release
    that is too large, manifests that the API server refuses. One that fails does not keep the others from being asked.
    """
    troubles = Troubles()
    revisions = troubles.attempt(lambda: _revisions(subject)) or ()
    cluster_answers = not troubles.unreachable
    identity = troubles.attempt(lambda: _identity(subject, revisions))
    if identity is not None and subject.registry is not None:
        digest = troubles.attempt(partial(subject.registry.digest, identity.image))
        if subject.promoted is not None and not troubles.errors:
            troubles.attempt(partial(subject.promoted.check, digest, identity.image))
        identity = replace(identity, image=replace(identity.image, digest=digest))
    image = identity.image if identity else None
    docker_hash = identity.docker_hash if identity else None
    prepared = troubles.attempt(lambda: subject.prepare(image, docker_hash))
    if prepared is not None and prepared.lifted and not subject.settings.fingerprint_key and cluster_answers:
        subject = replace(subject, key=troubles.attempt(partial(_cluster_key, subject)))
        prepared = subject.manifests(image, docker_hash)
    if prepared is not None:
        troubles.attempt(lambda: check_release_size(prepared.texts, sources=prepared.sources))
    release = ReleaseFacts(
        texts=prepared.texts if prepared else (), revisions=revisions, namespace=subject.settings.namespace
    )
    warnings: tuple[str, ...] = () if subject.key is None else (advice(subject.target.stage),)
    if cluster_answers:
        release, told = _compare(subject, prepared, release, troubles)
        warnings += told
    troubles.raise_all()
    assert prepared is not None  # noqa: S101 -- for the type checker: without them there is an error
    facts = TargetFacts(
        target=subject.target,
        release=release,
        image=ImageFacts(image, subject.promoted.source.image if subject.promoted else None) if image else None,
        warnings=(*(str(warning) for warning in prepared.warnings), *warnings),
    )
    return Observation(subject, facts, prepared, identity)


def _compare(
    subject: Subject, prepared: PreparedManifests | None, release: ReleaseFacts, troubles: Troubles
) -> tuple[ReleaseFacts, tuple[str, ...]]:
    """What the cluster says about the manifests, and whether it would let them in; with warnings.

    Where nothing seems to be to do the latter is asked only once something turns out to be: a deployment that changes
    nothing asks no more than it must.
    """
    cluster, policy = subject.ports.cluster, subject.settings.rollout
    old = manifest_texts(release.current) if release.current else ()
    entry = Entry(
        subject.app.app_name,
        subject.settings.namespace,
        subject.ports,
        prepared,
        removed_objects(old, release.texts, release.namespace).deleted if prepared else (),
        refuse_held=subject.refuse_held,
    )
    if prepared is None:
        return release, troubles.attempt(lambda: check(entry)) or ()
    owned = Owned(entry.name, entry.namespace, release.revisions, adopt=subject.adopt)
    found: list[Comparison] = []
    warnings: list[str] = []
    settled = release.current is not None and _is_settled(release.current, release.texts)
    comparing, checking = Troubles(), Troubles()
    secrets: list[Lifted] = []
    steps: list[Callable[[], object]] = [
        lambda: comparing.attempt(lambda: found.append(compare(cluster, prepared, owned, tell=subject.tell))),
        lambda: comparing.attempt(lambda: secrets.append(lifted.look(cluster, prepared, entry.name))),
        lambda: checking.attempt(lambda: warnings.extend(check(entry))),
    ]
    values_of(steps[:2] if settled else steps)
    unchanged = release.current is not None and release.current.manifests == prepared.texts
    seen = found[0] if found else Comparison()
    own = secrets[0] if secrets else Lifted()
    release = replace(release, comparison=seen, secrets=own.secrets)
    if unchanged and found:
        workloads = troubles.attempt(lambda: observe_workloads(cluster, prepared, policy, seen.live)) or ()
        missing = (*(key for key, content in seen.live.items() if content is None), *own.missing)
        release = replace(release, drift=seen.drift, missing=missing, workloads=workloads)
    if subject.adopt and found:
        adoption = troubles.attempt(lambda: adoption_of(entry, release.revisions, owned.taken, seen.live, seen.drift))
        release = replace(release, adoption=adoption or release.adoption)
    if settled and (release.drift or release.missing or any(one.verdict != "ready" for one in release.workloads)):
        steps[2]()
    if checking.has(NoNamespace):
        comparing.errors = []  # each object would be refused for that alone
    elif checking.has(NotPermitted):
        comparing.drop(NotPermitted)
        troubles.drop(NotPermitted)
    troubles.errors += [*checking.errors, *comparing.errors]
    return release, tuple(warnings)


def _cluster_key(subject: Subject) -> ClusterKey:
    return cluster_key(subject.ports.cluster, subject.settings.namespace)


def _revisions(subject: Subject) -> tuple[Revision, ...]:
    if subject.silent is not None:
        raise subject.silent
    return subject.ports.releases.revisions(subject.app.app_name, subject.settings.namespace)


def _identity(subject: Subject, revisions: Sequence[Revision]) -> ImageIdentity | None:
    if subject.promoted is not None:
        one = subject.promoted
        image = Image.under(_prefix(subject.app, subject.settings), subject.app.repository, one.source.image.tag)
        return ImageIdentity(image, one.docker_hash, one.content_hash, one.rebuild)
    if subject.unknown_content and subject.app.docker is not None:
        image = Image.under(
            _prefix(subject.app, subject.settings), subject.app.repository, f"{subject.app.tag}-{_UNKNOWN}"
        )
        return ImageIdentity(image, _UNKNOWN, _UNKNOWN)
    last = revisions[0].record if revisions else None
    return identify(subject.app, subject.settings, subject.context, rebuild=subject.rebuild, last=last)


def _is_settled(current: Revision, texts: tuple[str, ...]) -> bool:
    """Whether the newest revision is what is wanted, so far as it says itself."""
    return current.status == "deployed" and current.verified and current.manifests == texts


def agree_on_rebuilds(subjects: Sequence[Subject]) -> list[Subject]:
    """Regions that are deployed to together get one image: of the same content, the one that was rebuilt last anywhere.

    What each region runs is remembered with its last revision; alone, a region goes on with what it has. One that
    cannot be asked is not asked a second time.
    """
    asked = [index for index, one in enumerate(subjects) if one.context is not None and one.rebuild is None]
    if len(asked) < 2:
        return list(subjects)
    answers = ask_each([(subjects[index].target, partial(_remembered_rebuild, subjects[index])) for index in asked])
    failed = dict(answers.failures)
    newest: dict[tuple[str, str], str] = {}
    for key, rebuild in answers.given:
        if rebuild is not None:
            newest[key] = max(newest.get(key, ""), rebuild)
    return [
        replace(one, rebuild=newest.get(_content(one)), silent=failed.get(one.target)) if index in asked else one
        for index, one in enumerate(subjects)
    ]


def _remembered_rebuild(subject: Subject) -> tuple[tuple[str, str], str | None]:
    """The content of an app, and the salt of its image if that was rebuilt."""
    revisions = _revisions(subject)
    last, content = revisions[0].record if revisions else None, _content(subject)
    return content, last.rebuild if last is not None and last.content_hash == content[1] else None


def _content(subject: Subject) -> tuple[str, str]:
    """The app's name, and the hash of its Docker context."""
    docker, context = subject.app.docker, subject.context
    if docker is None or context is None:
        return subject.app.repository, ""
    return subject.app.repository, hash_context(context.entries, platforms=docker.platforms, args=docker.args)


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
    prefix = _prefix(app, settings)
    content_hash = hash_context(context.entries, platforms=app.docker.platforms, args=app.docker.args)
    if rebuild is None and last is not None and last.content_hash == content_hash:
        rebuild = last.rebuild
    tag_hash = rebuilt(content_hash, rebuild)
    image = Image.under(prefix, app.repository, f"{app.tag}-{tag_hash}")
    return ImageIdentity(image, tag_hash, content_hash, rebuild)


def _prefix(app: App, settings: Settings) -> str:
    if settings.aws_ecr_prefix is None:
        raise ConfigurationError(
            "AwsEcrPrefix is missing",
            where=f"group_vars of {app.name}'s stage and region",
            hint="it says where images go: 123456789012.dkr.ecr.eu-west-2.amazonaws.com",
        )
    return settings.aws_ecr_prefix
