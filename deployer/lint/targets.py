"""Lints apps in all their environments: evaluates everything that a deployment would, with stand-ins for secrets."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from typing import Any, Self, TypeVar

from deployer.config import apps, hooks, profiles, variables
from deployer.config import manifests as manifests_of
from deployer.config import settings as settings_of
from deployer.config.branches import Place as BranchPlace
from deployer.config.branches import names_of, place_of
from deployer.config.configuration import NO_IMAGE
from deployer.config.docker import refuse_secrets
from deployer.config.evaluation import Evaluator
from deployer.config.failures import UnseenFailure, no_lookups
from deployer.config.layers import BRANCHES, Layer, merge
from deployer.config.loading import LayerReader
from deployer.config.manifests import Manifest
from deployer.config.nodes import MappingNode, Node, Path, ScalarNode
from deployer.config.repository import APPS, Repository
from deployer.config.sharing import refuse_shared
from deployer.config.standins import stand_in
from deployer.config.templating import Templates
from deployer.errors import ConfigurationError, DeployError, Location
from deployer.lint import manifests, placement, schema, secrets
from deployer.lint.collecting import Findings
from deployer.lint.hosts import Host, hosts_of
from deployer.lint.relations import check_relations
from deployer.lint.repository import check_environments
from deployer.model import App, Settings, Target
from deployer.model.basics import FROM_ENVIRONMENT
from deployer.model.branches import named
from deployer.plan.manifests import CannotLift, SourceManifest, prepare

T = TypeVar("T")

_ANY_HASH = "0" * 32
_BRANCH = "any/branch"
_UNSEEN = "withheld"
"""Also a name, and base64."""
_UNSEEN_BELOW = {"Helm": 2, "Docker": 2}
"""How long a path is of which no text may be made, since it is a manifest, or a part of what an image is made of."""
_NO_HASH_YET = "it is the hash over the Docker part, so only Helm can use it"


@dataclass
class Linted:
    """What linting some apps gave. `used`: paths of values that were used; `broken`: apps that have errors."""

    findings: Findings = field(default_factory=Findings)
    used: set[Path] = field(default_factory=set)
    hosts: list[Host] = field(default_factory=list)
    broken: set[str] = field(default_factory=set)
    documents: dict[str, MappingNode] = field(default_factory=dict)


@dataclass
class _Place:
    """A stage and region: its layers' files, merged."""

    layers: tuple[Layer, ...]
    merged: MappingNode
    library: profiles.Library


class Linter:
    """Lints apps one by one. Use it in a `with` block."""

    def __init__(self, repository: Repository, version: str | None) -> None:
        self._repository = repository
        self._schemas = schema.Schemas(version)
        self._templates = Templates(repository.root)
        self._places: dict[BranchPlace, _Place | None] = {}
        self._stack = ExitStack()
        self._nothing = extra = variables.extra_variables((), None)
        self._reader = self._stack.enter_context(LayerReader(repository.root, stand_in, self._templates, extra=extra))
        self.result = Linted()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def lint(self, name: str) -> None:
        """One app in all its environments."""
        findings, before = self.result.findings, self.result.findings.errors
        home = f"{APPS}/{name}.yml"
        try:
            content = self._repository.app(name)
            home = content.file
            environments = self._repository.environments_of(name)
        except DeployError as error:
            findings.error(error, home=home)
            self.result.broken.add(name)
            return
        for wrong in (*apps.check_file(content), *variables.refuse_builtins(content, app=True)):
            findings.error(wrong, home=home)
        self.result.documents[content.file] = content
        check_relations(self._repository, name, findings)
        known = check_environments(self._repository, environments, findings)
        names = tuple(environment for environment, _ in environments)
        seen: dict[str, tuple[Target, Sequence[Manifest]]] = {}
        for environment in dict.fromkeys(known):
            stage, _, region = environment.partition(".")
            target = Target(stage, region, name)
            beside = self._target(target, content, names)
            if beside is not None and findings.errors == before:
                seen.setdefault(stage, (target, beside))
        for target, beside in seen.values():
            self._branch(target, content, beside)
        if findings.errors > before:
            self.result.broken.add(name)

    def _branch(self, target: Target, content: MappingNode, beside: Sequence[Manifest]) -> None:
        """What deploying any branch of an app that is well would run into; one region of a stage tells for all.

        `beside` are the manifests of the app itself.
        """
        branch = replace(target, application=named(target.app, _BRANCH))
        place = self._place(branch)
        if place is None:
            return
        try:
            merged = merge([apps.defaults(branch, content), *apps.beneath(content, [place.merged, content])])
            root = MappingNode(merged.entries, content.file, 1, 1)
            known = {"DockerHash": _ANY_HASH} if "Docker" in root.entries else {}
            evaluator = self._evaluator(branch, root, place, known, {})
            settings_of.settings(evaluator, self._repository.root, BRANCHES)
            rendered = manifests_of.evaluate(evaluator, place.library)
        except DeployError as error:
            self.result.findings.error(error, target.environment, home=content.file)
            return
        try:
            refuse_shared(branch, rendered, beside)
        except DeployError as error:
            self.result.findings.error(error, target.environment, home=content.file, rule="shared-by-branches")

    def _target(self, target: Target, content: MappingNode, environments: tuple[str, ...]) -> Sequence[Manifest] | None:
        """One environment; its manifests where branches may be deployed beside them."""
        findings, environment = self.result.findings, target.environment
        place = self._place(target)
        if place is None:
            return None
        try:
            merged = merge([apps.defaults(target, content), *apps.beneath(content, [place.merged, content])])
        except DeployError as error:
            findings.error(error, environment, home=content.file)
            return None
        root = MappingNode(merged.entries, content.file, 1, 1)

        def attempt(step: Callable[[], T]) -> T | None:
            try:
                return step()
            except DeployError as error:
                findings.error(error, environment, home=content.file)
                return None

        early = self._evaluator(target, root, place, {}, {"DockerHash": _NO_HASH_YET})
        settings = attempt(lambda: settings_of.settings(early, self._repository.root, environment))
        app = attempt(lambda: apps.evaluate(early, target, environments, self._repository.root))
        if app is not None:
            self._context_files(app, early, environment, attempt)
        known = {"DockerHash": _ANY_HASH} if "Docker" in root.entries else {}
        unknown = {} if known else {"DockerHash": NO_IMAGE}
        late = self._evaluator(target, root, place, known, unknown)
        rendered = attempt(lambda: manifests_of.evaluate(late, place.library))
        if app is not None and app.hooks is not None:  # their playbooks get all values, whether they use them or not
            unseen = self._evaluator(target, root, place, known, unknown, observed=False)
            attempt(lambda: hooks.variables(unseen, target.app))
        if rendered is not None and settings is not None and app is not None:
            self._manifests(target, rendered, settings, app)
        return rendered if settings is not None and settings.branches is not None else None

    def _manifests(self, target: Target, rendered: Sequence[Manifest], settings: Settings, app: App) -> None:
        findings, environment = self.result.findings, target.environment
        sources = []
        chosen: dict[object, tuple[str, ...]] = {one.where: one.profiles for one in rendered}
        hidden: set[Location] = set()
        for one in rendered:
            sources.append(SourceManifest(one.content, one.where, one.locate, secrets=one.secrets))
            hidden |= {one.locate(path) for path in one.secrets}
        sources = secrets.check(sources, findings, environment)
        try:
            prepared = prepare(sources, settings, app)
        except DeployError as error:
            for leaf in error.leaves():
                if leaf.where not in hidden or isinstance(leaf, CannotLift):  # of a stand-in nobody can tell
                    findings.error(leaf, environment, home=one.where.file, rule="invalid-manifest")
            return
        for warning in prepared.warnings:
            findings.warning(warning, environment)
        for source in prepared.sources:
            self._schemas.check(source, findings, environment, hidden)
            placement.check(source, chosen.get(source.where, ()), findings, environment)
        manifests.check(prepared.sources, findings, environment)
        self.result.hosts += hosts_of(prepared.sources, target)

    def _context_files(
        self, app: App, evaluator: Evaluator, environment: str, attempt: Callable[[Callable[[], object]], object]
    ) -> None:
        """The templates among the files of the Docker context."""
        if app.context_directory is None or app.docker is None:
            return
        for path in sorted(app.context_directory.rglob("*.j2")):
            name = str(path.relative_to(self._repository.root))
            if not path.is_file():
                continue  # a directory, or what the deployment itself refuses: it may never end
            try:
                text = path.read_text("utf-8")
            except (OSError, UnicodeDecodeError) as error:
                why = getattr(error, "strerror", None) or "it is not UTF-8 text"
                failure = ConfigurationError("this file cannot be read", where=Location(name), why=why)
                self.result.findings.error(failure, environment)
                continue
            attempt(lambda text=text, name=name: _rendered(evaluator, text, name))  # type: ignore[misc]

    def _place(self, target: Target) -> _Place | None:
        """The stage and region of a target, and its branch, read once; None where that is not possible."""
        key = place_of(target)
        if key not in self._places:
            self._places[key] = None
            try:
                layers, _ = self._reader.start(*key)
                contents = self._reader.contents(layers)
                library, rest, _ = profiles.take(contents, self._nothing)
                self._places[key] = _Place(layers, merge(rest), library)
                self.result.documents.update(zip((layer.name for layer in layers), contents, strict=True))
            except DeployError as error:
                self.result.findings.error(error, target.environment)
        return self._places[key]

    def _evaluator(
        self,
        target: Target,
        root: MappingNode,
        place: _Place,
        known: dict[str, str],
        unavailable: dict[str, str],
        *,
        observed: bool = True,
    ) -> Evaluator:
        builtins = {**variables.builtins(target, lambda: None, lambda: ""), **known}
        files = ", ".join(["the app file", *(layer.name for layer in place.layers)])
        return _Offline(
            root,
            builtins,
            self._templates,
            unavailable=unavailable,
            scope=f"it is in none of {files}",
            observe=self._observe if observed else None,
            renamed=names_of(target),
        )

    def _observe(self, node: Node | None, path: Path, by: ScalarNode | None) -> None:
        self.result.used.add(path)


class _Offline(Evaluator):
    """Evaluates as everywhere alike: what the environment of this process has says nothing of the one that deploys.

    A value that only the real secret could give is represented by a text, so that all others are judged.
    """

    def _plain_scalar(self, node: ScalarNode, path: Path) -> Any:
        try:
            return super()._plain_scalar(node, path)
        except UnseenFailure as failure:
            if len(path) <= _UNSEEN_BELOW.get(path[0], len(path)):
                raise
            self._touch(failure.secrets)
            return _UNSEEN

    def _lookup(self, plugin: object = None, *terms: object, **options: object) -> object:
        if plugin not in ("env", "ansible.builtin.env") or len(terms) != 1 or not isinstance(terms[0], str):
            no_lookups()
        self._touch({f"{FROM_ENVIRONMENT} {terms[0]}"})
        return "environment"


def _rendered(evaluator: Evaluator, text: str, name: str) -> None:
    with evaluator.watching() as secrets:
        evaluator.render(text, Location(name, 1))
    if secrets:
        raise refuse_secrets(secrets, name, Location(name))
