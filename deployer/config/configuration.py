"""The configuration of one target: its settings, its app, its manifests, and what of it is secret."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace

from deployer.config import apps, hooks, manifests, variables
from deployer.config import settings as settings_of
from deployer.config.branches import names_of
from deployer.config.docker import refuse_secrets
from deployer.config.evaluation import Evaluator, Observe
from deployer.config.layers import Layer
from deployer.config.manifests import Manifest
from deployer.config.nodes import MappingNode, Path, node_at, scalars, show_path
from deployer.config.profiles import Library
from deployer.config.repository import Repository
from deployer.config.settings import AwsAccess
from deployer.config.templating import Templates
from deployer.errors import ConfigurationError, DeployError, Location, raise_all
from deployer.model import App, Json, Secret, Settings, Target

_ANY_HASH = "0" * 32
_NO_HASH_YET = "it is the hash over the Docker part, so only Helm can use it"
NO_IMAGE = "the app has no Docker part, so there is nothing to hash"


@dataclass(frozen=True, slots=True)
class SecretValue:
    """Something that must not be shown: its name (`Values.myapp.PASSWORD`) and its text."""

    name: str
    value: Secret


@dataclass(frozen=True)
class Inputs:
    """What the command line and the process contribute; a callable is called when a template uses its variable.

    `observe` is told of each value that is used.
    """

    extra: Sequence[str] = ()
    version: str | None = None
    git_commit: Callable[[], str | None] = field(default=lambda: None)
    deployment_id: Callable[[], str] = field(default=lambda: "")
    observe: Observe | None = None


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
        library: Library,
    ) -> None:
        self.target = target
        self.layers = layers
        self.root = root
        self.aws = aws
        self._secret_documents = secret_documents
        self._make_evaluator = evaluator
        self._library = library
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
            steps.append(self.any_manifests)
        for step in steps:
            try:
                step()
            except DeployError as error:
                errors += error.leaves()
        if not errors and self.app.hooks is not None:
            self.hook_variables(_ANY_HASH if self.app.docker else None)
        raise_all(errors)
        self.app = replace(self.app, **apps.overridden(content, self.settings))

    def _evaluate_settings(self, repository: Repository) -> None:
        settings = settings_of.settings(self._evaluator, repository.root, self.target.environment)
        self.settings = replace(settings, aws_profile=settings.aws_profile or self.aws.profile)

    def _evaluate_app(self, environments: tuple[str, ...], repository: Repository) -> None:
        self.app = apps.evaluate(self._evaluator, self.target, environments, repository.root)

    def manifests(self, docker_hash: str | None) -> tuple[Manifest, ...]:
        """The rendered manifests. `docker_hash` is None for an app without a Docker part."""
        return manifests.evaluate(self._with_hash(docker_hash), self._library)

    def any_manifests(self) -> tuple[Manifest, ...]:
        """The manifests as they are with some content of the image."""
        return self.manifests(_ANY_HASH if "Docker" in self.root.entries else None)

    def hook_variables(self, docker_hash: str | None) -> Json:
        """What the app's playbooks are given, secrets among it. `docker_hash` as for `manifests`."""
        return hooks.variables(self._with_hash(docker_hash), self.target.app)

    def _with_hash(self, docker_hash: str | None) -> Evaluator:
        if docker_hash is None:
            return self._make_evaluator({}, {"DockerHash": NO_IMAGE})
        return self._make_evaluator({"DockerHash": docker_hash}, {})

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
        yield from self.settings.secrets.items()
        for name, secret in (self.app.docker.secrets if self.app.docker else {}).items():
            yield f"Docker.Secrets.{name}", secret


def evaluator_maker(
    target: Target, root: MappingNode, templates: Templates, layers: Iterable[Layer], inputs: Inputs
) -> Callable[[dict[str, str], dict[str, str]], Evaluator]:
    """Makes evaluators of a tree for a target: with built-in variables that are known by now, and those that are not.

    Of these it is said why they are not.
    """
    scope = f"it is in none of {', '.join(['the app file', *(layer.name for layer in layers)])}"
    builtins = variables.builtins(target, inputs.git_commit, inputs.deployment_id)

    def make(known: dict[str, str], unavailable: dict[str, str]) -> Evaluator:
        return Evaluator(
            root,
            {**builtins, **known},
            templates,
            unavailable=unavailable,
            scope=scope,
            observe=inputs.observe,
            renamed=names_of(target),
        )

    return make
