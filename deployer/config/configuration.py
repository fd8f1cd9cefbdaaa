"""Loads everything that the given targets need, once, and gives each target its configuration.

SOPS is asked first and works in processes of its own; apps are read, and what is needed later is imported, meanwhile.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace

from deployer.config import apps, manifests, validation, variables
from deployer.config import settings as settings_of
from deployer.config.docker import refuse_secrets
from deployer.config.evaluation import Evaluator
from deployer.config.layers import DIRECTORY, Layer, merge
from deployer.config.loading import Decrypt, LayerReader
from deployer.config.manifests import Manifest
from deployer.config.nodes import MappingNode, Path, node_at, scalars, show_path
from deployer.config.repository import Repository
from deployer.config.settings import AwsAccess, ChooseProfile
from deployer.config.templating import Templates
from deployer.errors import ConfigurationError, DeployError, Location, raise_all
from deployer.model import App, Secret, Settings, Target

_ANY_HASH = "0" * 32
_NO_HASH_YET = "it is the hash over the Docker part, so only Helm can use it"
_NO_IMAGE = "the app has no Docker part, so there is nothing to hash"


@dataclass(frozen=True, slots=True)
class SecretValue:
    """Something that must not be shown: its name (`Values.myapp.PASSWORD`) and its text."""

    name: str
    value: Secret


@dataclass(frozen=True)
class Inputs:
    """What the command line and the process contribute; a callable is called when a template uses its variable."""

    extra: Sequence[str] = ()
    version: str | None = None
    git_commit: Callable[[], str | None] = field(default=lambda: None)
    deployment_id: Callable[[], str] = field(default=lambda: "")


class Configuration:
    """The configuration of one target. May be used from several threads."""

    settings: Settings
    app: App

    def __init__(
        self,
        target: Target,
        layers: tuple[Layer, ...],
        root: MappingNode,
        aws: AwsAccess,
        secret_documents: Sequence[MappingNode],
        evaluator: Callable[[dict[str, str], dict[str, str]], Evaluator],
    ) -> None:
        self.target = target
        self.layers = layers
        self.root = root
        self.aws = aws
        self._secret_documents = secret_documents
        self._make_evaluator = evaluator
        self._evaluator = evaluator({}, {"DockerHash": _NO_HASH_YET})
        self._lock = threading.RLock()

    def evaluate(
        self, content: MappingNode, environments: tuple[str, ...], repository: Repository, *, manifests: bool = True
    ) -> None:
        """Fill in `settings` and `app`, and see that the manifests can be rendered. Raises every error."""
        errors: list[DeployError] = []
        steps: list[Callable[[], object]] = [
            lambda: self._evaluate_settings(repository),
            lambda: self._evaluate_app(environments, repository),
        ]
        if manifests:
            steps.append(lambda: self.manifests(_ANY_HASH if "Docker" in self.root.entries else None))
        for step in steps:
            try:
                step()
            except DeployError as error:
                errors += error.leaves()
        raise_all(errors)
        self.app = replace(self.app, **apps.overridden(content, self.settings))

    def _evaluate_settings(self, repository: Repository) -> None:
        home = Location(f"{DIRECTORY}/{self.target.environment}.yml")
        settings = settings_of.settings(self._evaluator, repository.root, home)
        self.settings = replace(settings, aws_profile=settings.aws_profile or self.aws.profile)

    def _evaluate_app(self, environments: tuple[str, ...], repository: Repository) -> None:
        self.app = apps.evaluate(self._evaluator, self.target, environments, repository.root)

    def manifests(self, docker_hash: str | None) -> tuple[Manifest, ...]:
        """The rendered manifests. `docker_hash` is None for an app without a Docker part."""
        known = {} if docker_hash is None else {"DockerHash": docker_hash}
        unknown = {"DockerHash": _NO_IMAGE} if docker_hash is None else {}
        return manifests.evaluate(self._make_evaluator(known, unknown))

    def render_text(self, text: str, location: Location) -> str:
        """A file of the Docker context rendered; `location` is its first line. Raises for a secret in it."""
        with self._lock, self._evaluator.watching() as secrets:
            rendered = self._evaluator.render(text, location)
        if secrets:
            raise refuse_secrets(secrets, location.file, location)
        return rendered

    def value(self, path: Path) -> object:
        """The effective value at a path (`("Values", "myapp", "Replicas")`), evaluated. Raises KeyError for none."""
        node = node_at(self.root, path)
        if node is None:
            raise KeyError(show_path(path))
        with self._lock:
            return self._evaluator.plain(node, path)

    def secret_values(self) -> tuple[SecretValue, ...]:
        """Everything secret that this target knows: decrypted values as text, and what templates make of them."""
        found: dict[tuple[str, str], SecretValue] = {}

        def add(name: str, value: object) -> None:
            text = str(value).lower() if isinstance(value, bool) else str(value)
            found.setdefault((name, text), SecretValue(name, Secret(text)))

        with self._lock:
            for content in self._secret_documents:
                for path, node in scalars(content):
                    if not node.secret or node.value is None:
                        continue
                    add(show_path(path), node.value)
                    if node.is_template:
                        try:
                            add(show_path(path), self._evaluator.plain(node, path))
                        except ConfigurationError:
                            continue
        for name, secret in self._own_secrets():
            add(name, secret.reveal())
        return tuple(found.values())

    def _own_secrets(self) -> Iterable[tuple[str, Secret]]:
        settings = self.settings
        for name, secret in (
            ("Slack.Token", settings.slack.token),
            ("Slack.WebhookUrl", settings.slack.webhook_url),
            ("GitHub.Token", settings.git_hub.token),
            ("FingerprintKey", settings.fingerprint_key),
        ):
            if secret:
                yield name, secret
        for name, secret in (self.app.docker.secrets if self.app.docker else {}).items():
            yield f"Docker.Secrets.{name}", secret


def load(
    repository: Repository,
    targets: Sequence[Target],
    *,
    decrypt: Decrypt,
    inputs: Inputs | None = None,
    choose_profile: ChooseProfile | None = None,
    manifests: bool = True,
) -> tuple[Configuration, ...]:
    """The configuration of each target, in their order. Raises every error in all of them, each once.

    `decrypt` is called once for each SOPS file, several at a time. Without `manifests` an app is only what it is called
    and where it is asked: its Docker part, manifests and version are not looked at, and may be broken.
    """
    inputs = inputs or Inputs()
    extra = variables.extra_variables(inputs.extra, inputs.version)
    templates = Templates()
    errors = _Errors()
    with LayerReader(repository.root, decrypt, templates, extra=extra, choose_profile=choose_profile) as reader:
        started: dict[tuple[str, str], tuple[tuple[Layer, ...], AwsAccess]] = {}
        for target in targets:
            place = (target.stage, target.region)
            if place not in started:
                with errors:
                    started[place] = reader.start(*place)
        contents: dict[str, MappingNode] = {}
        for name in dict.fromkeys(target.application for target in targets):
            with errors:
                contents[name] = _app_content(repository, name, manifests=manifests)
        _prepare(contents.values(), templates)
        read: dict[tuple[str, str], list[MappingNode]] = {}
        for place, (layers, _) in started.items():
            with errors:
                read[place] = reader.contents(layers)
        configurations = []
        for target in targets:
            place = (target.stage, target.region)
            if place not in read or target.application not in contents:
                continue
            layers, aws = started[place]
            with errors:
                content = contents[target.application]
                merged = merge([apps.defaults(target, content), *read[place], content, extra])
                root = MappingNode(merged.entries, content.file, 1, 1)
                configuration = Configuration(
                    target,
                    layers,
                    root,
                    aws,
                    reader.secret_documents(layers),
                    _evaluator_maker(target, root, templates, layers, inputs),
                )
                configuration.evaluate(content, _environments(repository, target), repository, manifests=manifests)
                configurations.append(configuration)
    errors.raise_all()
    return tuple(configurations)


def load_settings(
    repository: Repository,
    stage: str,
    regions: Sequence[str],
    *,
    decrypt: Decrypt,
    choose_profile: ChooseProfile | None = None,
) -> dict[str, Settings]:
    """What group_vars alone say of some of a stage's regions: to look at the regions themselves, without an app."""
    templates = Templates()
    found: dict[str, Settings] = {}
    errors = _Errors()
    extra = variables.extra_variables((), None)
    with LayerReader(repository.root, decrypt, templates, extra=extra, choose_profile=choose_profile) as reader:
        started = {region: reader.start(stage, region) for region in regions}
        for region, (layers, aws) in started.items():
            with errors:
                root = merge(reader.contents(layers))
                target = Target(stage, region, "")
                home = Location(f"{DIRECTORY}/{target.environment}.yml")
                make = _evaluator_maker(target, root, templates, layers, Inputs())
                settings = settings_of.settings(make({}, {"DockerHash": _NO_IMAGE}), repository.root, home)
                found[region] = replace(settings, aws_profile=settings.aws_profile or aws.profile)
    errors.raise_all()
    return found


class _Errors:
    """Collects the errors of the blocks that it guards, each once."""

    def __init__(self) -> None:
        self._found: dict[tuple[str, ...], DeployError] = {}

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> bool:
        if not isinstance(error, DeployError):
            return False
        for leaf in error.leaves():
            self._found.setdefault((type(leaf).__name__, str(leaf.where), leaf.what, leaf.why or ""), leaf)
        return True

    def raise_all(self) -> None:
        raise_all(list(self._found.values()))


def _app_content(repository: Repository, name: str, *, manifests: bool) -> MappingNode:
    content = repository.app(name)
    if not manifests:
        content = apps.identity_alone(content)
        raise_all(variables.refuse_builtins(content, app=True))
        return content
    raise_all([*apps.check_file(content), *variables.refuse_builtins(content, app=True)])
    return content


def _environments(repository: Repository, target: Target) -> tuple[str, ...]:
    """The app's environments, of which the target's must be one."""
    repository.check_environment(target)
    return tuple(name for name, _ in repository.environments_of(target.application))


def _evaluator_maker(
    target: Target, root: MappingNode, templates: Templates, layers: Iterable[Layer], inputs: Inputs
) -> Callable[[dict[str, str], dict[str, str]], Evaluator]:
    files = ", ".join(["the app file", *(layer.name for layer in layers)])
    builtins = variables.builtins(target, inputs.git_commit, inputs.deployment_id)

    def make(known: dict[str, str], unavailable: dict[str, str]) -> Evaluator:
        scope = f"it is in none of {files}"
        return Evaluator(root, {**builtins, **known}, templates, unavailable=unavailable, scope=scope)

    return make


def _prepare(contents: Iterable[MappingNode], templates: Templates) -> None:
    """What can be done while SOPS works: imports, and compiling templates (errors show when those are evaluated)."""
    validation.prepare(Settings)
    for content in contents:
        for _, node in scalars(content):
            if node.is_template:
                templates.prepare(node.value)
