"""Where the Helm release of each target is: its name, and its region's settings. No app's other keys are looked at."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

from deployer.config import apps, validation, variables
from deployer.config import settings as settings_of
from deployer.config.branches import names_of, place_of
from deployer.config.encrypted import secrets_in
from deployer.config.evaluation import Evaluator
from deployer.config.layers import Layer, merge
from deployer.config.loading import Decrypt, LayerReader
from deployer.config.nodes import MappingNode
from deployer.config.repository import Repository
from deployer.config.settings import AwsAccess, ChooseProfile
from deployer.config.templating import Templates
from deployer.errors import DeployError, attempt, sure
from deployer.model import Secret, Settings, Target

_Started = tuple[tuple[Layer, ...], AwsAccess]
_NOT_NEEDED = "no image is made here"


@dataclass(frozen=True)
class Release:
    """The release of one target. Its namespace is `settings.namespace`; `sub_domain` is told where DNS is managed."""

    target: Target
    name: str
    settings: Settings
    sub_domain: str | None = None


@dataclass(frozen=True)
class Releases:
    """For each target its release, or what is wrong. `secrets` are all that was decrypted on the way."""

    found: Mapping[Target, Release | DeployError]
    secrets: tuple[Secret, ...]


def load_releases(
    repository: Repository,
    targets: Sequence[Target],
    *,
    decrypt: Decrypt,
    choose_profile: ChooseProfile | None = None,
) -> Releases:
    """The releases of these targets. What is wrong with one app or region keeps none of the others from being found."""
    templates = Templates()
    extra = variables.extra_variables((), None)
    found: dict[Target, Release | DeployError] = {}
    with LayerReader(repository.root, decrypt, templates, extra=extra, choose_profile=choose_profile) as reader:
        places = dict.fromkeys(map(place_of, targets))
        started = {place: attempt(partial(reader.start, *place)) for place in places}
        names = dict.fromkeys(target.app for target in targets)
        contents = {name: attempt(partial(_app, repository, name)) for name in names}
        validation.prepare(Settings)  # while SOPS works
        read = {place: attempt(partial(_contents, reader, start)) for place, start in started.items()}

        def release(target: Target) -> Release:
            place = place_of(target)
            content, layers, (_, aws) = sure(contents[target.app]), sure(read[place]), sure(started[place])
            tree = merge([apps.defaults(target, content), *layers, content, extra])
            return _release(repository, target, tree, aws, templates)

        for target in targets:
            found[target] = attempt(partial(release, target))
        secrets = tuple(secrets_in(reader.decrypted))
    return Releases(found, secrets)


def _release(
    repository: Repository, target: Target, tree: MappingNode, aws: AwsAccess, templates: Templates
) -> Release:
    builtins = variables.builtins(target, lambda: None, lambda: "")
    evaluator = Evaluator(tree, builtins, templates, unavailable={"DockerHash": _NOT_NEEDED}, renamed=names_of(target))
    settings = settings_of.settings(evaluator, repository.root, target.environment)
    name = apps.release_name(evaluator, target)
    sub_domain = apps.sub_domain(evaluator) if settings.dns.manage else None
    return Release(target, name, replace(settings, aws_profile=settings.aws_profile or aws.profile), sub_domain)


def _app(repository: Repository, name: str) -> MappingNode:
    return apps.identity_alone(repository.app(name))


def _contents(reader: LayerReader, started: _Started | DeployError) -> list[MappingNode]:
    return reader.contents(sure(started)[0])
