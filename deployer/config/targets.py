"""Loads everything that the given targets need, once, and gives each target its configuration.

SOPS is asked first and works in processes of its own; apps are read, and what is needed later is imported, meanwhile.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

from deployer.config import apps, validation, variables
from deployer.config.branches import check_allowed, check_place, place_of
from deployer.config.configuration import Configuration, Inputs, evaluator_maker
from deployer.config.encrypted import secrets_in
from deployer.config.layers import BRANCHES, DIRECTORY, Layer, merge
from deployer.config.loading import Decrypt, LayerReader
from deployer.config.nodes import MappingNode, locate, scalars
from deployer.config.profiles import Library, take
from deployer.config.repository import Repository
from deployer.config.settings import AwsAccess, ChooseProfile
from deployer.config.sharing import refuse_shared
from deployer.config.stages import settings_alone
from deployer.config.templating import Templates
from deployer.errors import DeployError, attempt, raise_all, sure
from deployer.model import Secret, Settings, Target
from deployer.model.branches import named


@dataclass(frozen=True)
class Loaded:
    """The configurations of those `targets` that could be loaded, and what is wrong with the others, in their order.

    What is wrong in a file that several targets share stands with each of them. `needs`: app → those of the other apps
    that it needs. `isolates`: an app of which something is wrong is left out, instead of all being refused. `secrets`:
    all that was decrypted, which what is wrong may quote.
    """

    targets: tuple[Target, ...]
    configurations: tuple[Configuration, ...]
    failures: tuple[tuple[Target, DeployError], ...]
    needs: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    isolates: bool = False
    secrets: tuple[Secret, ...] = field(default=(), repr=False)

    def complete(self) -> tuple[Configuration, ...]:
        """All configurations. Raises every error in all of them, each once."""
        found: dict[tuple[str, ...], DeployError] = {}
        for _, error in self.failures:
            for leaf in error.leaves():
                found.setdefault((type(leaf).__name__, str(leaf.where), leaf.what, leaf.why or ""), leaf)
        raise_all(list(found.values()))
        return self.configurations


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
    return load_each(
        repository, targets, decrypt=decrypt, inputs=inputs, choose_profile=choose_profile, manifests=manifests
    ).complete()


def load_each(
    repository: Repository,
    targets: Sequence[Target],
    *,
    decrypt: Decrypt,
    inputs: Inputs | None = None,
    choose_profile: ChooseProfile | None = None,
    manifests: bool = True,
) -> Loaded:
    """As `load`, but a target whose configuration is wrong keeps nobody from getting the others'."""
    inputs = inputs or Inputs()
    extra = variables.extra_variables(inputs.extra, inputs.version)
    templates = Templates(repository.root)
    with LayerReader(repository.root, decrypt, templates, extra=extra, choose_profile=choose_profile) as reader:
        branches = [target for target in targets if target.branch and manifests]
        beside = [one for target in branches for one in (_beside(target), _any_branch(target))]
        places = dict.fromkeys(map(place_of, [*targets, *beside]))
        started = {place: attempt(partial(reader.start, *place)) for place in places}
        names = dict.fromkeys(target.app for target in targets)
        contents = {name: attempt(partial(_app_content, repository, name, manifests=manifests)) for name in names}
        _prepare([one for one in contents.values() if not isinstance(one, DeployError)], templates)
        read = {
            place: start if isinstance(start, DeployError) else attempt(partial(_group_vars, reader, start[0], extra))
            for place, start in started.items()
        }

        def configuration(target: Target) -> Configuration:
            place = place_of(target)
            start, group, content = started[place], read[place], contents[target.app]
            raise_all([one for one in (group, content) if isinstance(one, DeployError)])
            return _configuration(
                repository, target, reader, sure(start), sure(group), sure(content), inputs, manifests
            )

        configurations: list[Configuration] = []
        failures: list[tuple[Target, DeployError]] = []
        for target in targets:
            loaded = attempt(partial(configuration, target))
            if not isinstance(loaded, DeployError) and target in branches:
                loaded = attempt(partial(_findable, loaded, reader, started[place_of(_any_branch(target))]))
            if not isinstance(loaded, DeployError) and target in branches:
                loaded = attempt(partial(_apart, loaded, attempt(partial(configuration, _beside(target)))))
            if isinstance(loaded, DeployError):
                failures.append((target, loaded))
            else:
                configurations.append(loaded)
    return Loaded(tuple(targets), tuple(configurations), tuple(failures), secrets=tuple(secrets_in(reader.decrypted)))


def _beside(target: Target) -> Target:
    """The app itself, where a branch of it is meant."""
    return replace(target, application=target.app)


def _any_branch(target: Target) -> Target:
    """What all branches of the stage and region have in common."""
    return replace(target, application=named("", ""))


def _findable(branch: Configuration, reader: LayerReader, started: _Started | DeployError) -> Configuration:
    """The configuration of a branch, whose release is where those of all branches are. Raises where it is not."""
    if not isinstance(started, DeployError):
        try:
            settings = settings_alone(_any_branch(branch.target), reader, started)
        except DeployError as error:  # which the branch itself has not: it is an app that makes the difference
            for leaf in error.leaves():
                leaf.hint = f"`deploy branches` knows of no app: say what holds for all in {DIRECTORY}/{BRANCHES}.yml"
            raise
        check_place(branch.target, branch.settings, settings, lambda key: locate(branch.root, (key,)))
    return branch


def _apart(branch: Configuration, app: Configuration | DeployError) -> Configuration:
    """The configuration of a branch, which shares nothing with the app itself. Raises where it does.

    What is wrong with the app itself here is no concern of the branch: then it is not deployed from here either.
    """
    if not isinstance(app, DeployError):
        refuse_shared(branch.target, branch.any_manifests(), app.any_manifests())
    return branch


_Started = tuple[tuple[Layer, ...], AwsAccess]

_Group = tuple[Library, list[MappingNode], MappingNode]
"""The profiles of a stage and region, and its layers and the command line without them."""


def _group_vars(reader: LayerReader, layers: tuple[Layer, ...], extra: MappingNode) -> _Group:
    return take(reader.contents(layers), extra)


def _configuration(
    repository: Repository,
    target: Target,
    reader: LayerReader,
    start: _Started,
    group: _Group,
    content: MappingNode,
    inputs: Inputs,
    manifests: bool,
) -> Configuration:
    """One target's configuration, evaluated. Raises every error in it."""
    layers, aws = start
    library, nodes, extra = group
    merged = merge([apps.defaults(target, content), *apps.beneath(content, [*nodes, content, extra])])
    root = MappingNode(merged.entries, content.file, 1, 1)
    make = evaluator_maker(target, root, reader.templates, layers, inputs)
    configuration = Configuration(target, layers, root, aws, reader.secret_documents(layers), make, library)
    configuration.evaluate(content, _environments(repository, target), repository, manifests=manifests)
    if manifests:
        check_allowed(target, configuration.settings)
    return configuration


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
    return tuple(name for name, _ in repository.environments_of(target.app))


def _prepare(contents: Iterable[MappingNode], templates: Templates) -> None:
    """What can be done while SOPS works: imports, and compiling templates (errors show when those are evaluated)."""
    validation.prepare(Settings)
    for content in contents:
        for _, node in scalars(content):
            if node.is_template:
                templates.prepare(node.value)
