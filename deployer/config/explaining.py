"""Where each effective value of one target comes from: its file and line, what it overrode, what its template used."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from deployer.config import apps, profiles, variables
from deployer.config.branches import names_of, place_of
from deployer.config.configuration import Inputs
from deployer.config.evaluation import Evaluator
from deployer.config.layers import Layer, branch_files, layer_files, merge
from deployer.config.lazy import Omitted
from deployer.config.loading import Decrypt, LayerReader
from deployer.config.named import entry_at, find, parts
from deployer.config.nodes import Entry, MappingNode, Node, Path, ScalarNode, SequenceNode, locate, show_path
from deployer.config.nodes import scalars as scalars_of
from deployer.config.profiles import Library
from deployer.config.repository import Repository
from deployer.config.settings import ChooseProfile
from deployer.config.standins import stand_in
from deployer.config.suggestions import did_you_mean
from deployer.config.templating import Templates
from deployer.errors import ConfigurationError, Location, UsageError
from deployer.model import Settings, Target, pascal_case

_LATER = {"DockerHash": "it is known once the image's content is"}
_LARGE = ("Docker", "Helm")
_DEEPEST = 10


@dataclass(frozen=True)
class Held:
    """A value as one layer has it. `secret` when it must not be shown; `template` is its text where it is one.

    `profile`: where it comes from, when that is `profile NAME` or `Defaults`.
    """

    value: Any = dataclasses.field(repr=False)
    where: Location | None
    secret: bool = False
    template: str | None = None
    profile: str = ""


@dataclass(frozen=True)
class Explained:
    """One effective value.

    `held` is what its place in the files says. `value` is what becomes of that (the same, unless it is a template).
    `made_of`: the secrets in it. `overrode`: what less specific layers had, the least specific first. `uses`: what
    its template refers to. `error`: why it has no value. `origin` tells values that stand in no file.
    `original` is what a branch has made the value of.
    """

    path: Path
    value: Any = dataclasses.field(repr=False)
    held: Held
    made_of: tuple[str, ...] = ()
    overrode: tuple[Held, ...] = ()
    uses: tuple[Explained, ...] = ()
    error: ConfigurationError | None = None
    origin: str = ""
    later: str = ""
    original: str | None = dataclasses.field(default=None, repr=False)

    @property
    def secret(self) -> bool:
        """Whether the value must not be shown."""
        return bool(self.made_of) or self.held.secret


@dataclass(frozen=True)
class Explanation:
    """The values of one target that were asked for, in the order of their paths.

    `left_out`: names of parts that are only shown when they are asked for. `secrets`: texts that must be masked.
    """

    target: Target
    layers: tuple[Layer, ...]
    values: tuple[Explained, ...]
    left_out: tuple[str, ...] = ()
    secrets: tuple[str, ...] = dataclasses.field(default=(), repr=False)


def explain(
    repository: Repository,
    target: Target,
    key: str | None = None,
    *,
    decrypt: Decrypt | None = None,
    inputs: Inputs | None = None,
    choose_profile: ChooseProfile | None = None,
) -> Explanation:
    """The effective values of a target at `key` (`Values.myapp`, `Helm[0].spec`) and below; without it, of everything.

    Without `decrypt` nothing is decrypted: encrypted values have no value. A value that is wrong is no hindrance to
    the others. Raises what is wrong with the files themselves, and UsageError for a key that does not exist.
    """
    inputs = inputs or Inputs()
    templates = Templates(repository.root)
    extra = variables.extra_variables(inputs.extra, inputs.version)
    with LayerReader(
        repository.root,
        decrypt or stand_in,
        templates,
        extra=extra,
        choose_profile=choose_profile,
        open_too=decrypt is None,
    ) as reader:
        layers, _ = reader.start(*place_of(target))
        content = repository.app(target.app)
        library, contents, extra = profiles.take(reader.contents(layers), extra)
    merged = merge([apps.defaults(target, content), *apps.beneath(content, [*contents, content, extra])])
    root = MappingNode(merged.entries, content.file, 1, 1)
    builtins = variables.builtins(target, inputs.git_commit, inputs.deployment_id)
    scope = ", ".join(["the app file", *(layer.name for layer in layers)])
    explainer = _Explainer(root, target, builtins, templates, scope, library, offline=decrypt is None)
    found = tuple(explainer.values(_others(repository, target), key))
    secrets = () if decrypt is None else tuple(explainer.secret_texts(reader.secret_documents(layers), found))
    return Explanation(
        target,
        (
            *layer_files(repository.root, target.stage, target.region),
            *branch_files(repository.root, target.branch),
        ),
        found,
        () if key else (*(name for name in _LARGE if name in root.entries), *library.shown, *explainer.left_out),
        secrets,
    )


def _others(repository: Repository, target: Target) -> frozenset[str]:
    return frozenset(repository.apps) - {target.app}


class _Explainer:
    def __init__(
        self,
        root: MappingNode,
        target: Target,
        builtins: Mapping[str, Any],
        templates: Templates,
        scope: str,
        library: Library,
        *,
        offline: bool,
    ) -> None:
        self._root = root
        self._library = library
        self._offline = offline
        self._uses: dict[ScalarNode, dict[Path, Node | None]] = {}
        self.left_out: list[str] = []
        self._evaluator = Evaluator(
            root,
            builtins,
            templates,
            unavailable=_LATER,
            scope=f"it is in none of {scope}",
            observe=self._observe,
            renamed=names_of(target),
        )

    def _observe(self, node: Node | None, path: Path, by: ScalarNode | None) -> None:
        if by is not None:
            self._uses.setdefault(by, {})[path] = node

    def values(self, others: frozenset[str], key: str | None) -> Iterator[Explained]:
        """What was asked for."""
        if key is None:
            for name, entry in self._root.entries.items():
                if name == "Values" and isinstance(entry.value, MappingNode):
                    for below, inner in entry.value.entries.items():
                        if below in others:
                            self.left_out.append(f"Values.{below}")
                        else:
                            yield from self._below(inner, (name, below))
                elif name not in _LARGE:
                    yield from self._below(entry, (name,))
            return
        if key.partition("[")[0].partition(".")[0] == "Helm":
            self._root = self._evaluator.root = profiles.apply(self._evaluator, self._library).root
        found = find(self._root, key) or find(self._library.root, key)
        if found is None:
            yield self._elsewhere(key)
        else:
            path, entry = found
            yield from self._below(entry, path)

    def _elsewhere(self, key: str) -> Explained:
        """A built-in variable, or a default of the tool's own."""
        if (value := self._builtin(key)) is not None:
            return value
        default = _defaults().get(key, self)
        if default is not self:
            return Explained(parts(key), default, Held(default, None), origin="the tool's default")
        raise UsageError(f"there is no {key} here", hint=did_you_mean(key, self._keys()))

    def _builtin(self, name: str) -> Explained | None:
        if name in _LATER:
            return Explained((name,), None, Held(None, None), origin="built in", later=_LATER[name])
        if name not in self._evaluator.builtins:
            return None
        value = self._evaluator.builtin(name)
        return Explained((name,), value, Held(value, None), origin="built in")

    def _keys(self) -> list[str]:
        return [show_path(path) for path, _ in scalars_of(self._root)] + list(_defaults())

    def _below(self, entry: Entry, path: Path) -> Iterator[Explained]:
        match entry.value:
            case MappingNode() if entry.value.entries:
                for key, inner in entry.value.entries.items():
                    yield from self._below(inner, (*path, key))
            case SequenceNode() if any(not isinstance(item, ScalarNode) for item in entry.value.items):
                for index, item in enumerate(entry.value.items):
                    yield from self._below(Entry(item.location, item), (*path, index))
            case _:
                yield self._explained(entry, path)

    def _explained(self, entry: Entry, path: Path, seen: tuple[Node, ...] = ()) -> Explained:
        node = entry.value
        value, error = None, None
        with self._evaluator.watching() as secrets:
            try:
                value = self._evaluator.plain(node, path)
            except ConfigurationError as failure:
                error = failure
        if isinstance(value, Omitted):
            value = None
        if error is not None and secrets and self._offline:
            value, error = None, None
        held = self._held(node, entry.location)
        return Explained(
            path,
            value,
            held,
            tuple(sorted(secrets)),
            tuple(self._held(one, one.location) for one in entry.overridden if one.file != apps.DEFAULTS),
            tuple(self._used(node, (*seen, node))) if node not in seen and len(seen) < _DEEPEST else (),
            error,
            origin="command line" if held.where and held.where.file.startswith("--") else "",
            original=self._evaluator.originals.get(str(path[0])) if len(path) == 1 else None,
        )

    def _held(self, node: Node, where: Location) -> Held:
        origin = self._library.origins.get(node)
        return replace(_held(node, where), profile=profiles.name_of(origin) if origin else "")

    def _used(self, node: Node, seen: tuple[Node, ...]) -> Iterator[Explained]:
        used: dict[Path, Node | None] = {}
        for _, scalar in scalars_of(node):
            used |= self._uses.get(scalar, {})
        for path, target in used.items():
            if any(other[: len(path)] == path and other != path for other in used):
                continue  # on the way to something inside
            if target is None:
                builtin = self._builtin(str(path[0]))
                if builtin is not None:
                    yield builtin
                continue
            if target in seen:
                continue
            entry = entry_at(self._root, path) or Entry(locate(self._root, path), target)
            yield self._explained(entry, path, seen)

    def secret_texts(self, documents: Sequence[MappingNode], found: Sequence[Explained]) -> Iterator[str]:
        """Every text that must be masked: what was decrypted, and what templates made of it."""
        for document in documents:
            for _, node in scalars_of(document):
                if node.secret and node.value is not None:
                    yield str(node.value)
        for one in found:
            if one.made_of and isinstance(one.value, str):
                yield one.value


def _held(node: Node, where: Location) -> Held:
    if isinstance(node, ScalarNode):
        return Held(node.value, where, node.secret, str(node.value) if node.is_template and not node.secret else None)
    secret = any(scalar.secret for _, scalar in scalars_of(node))
    return Held(None if secret else _as_written(node), where, secret)


def _as_written(node: Node) -> Any:
    match node:
        case MappingNode():
            return {key: _as_written(entry.value) for key, entry in node.entries.items()}
        case SequenceNode():
            return [_as_written(item) for item in node.items]
    return node.value


def _defaults() -> dict[str, Any]:
    """The settings that have a default, by key: `Rollout.Timeout` → 600.0."""
    found: dict[str, Any] = {}
    for field in dataclasses.fields(Settings):
        name = pascal_case(field.name)
        if field.default_factory is not dataclasses.MISSING:
            part: Any = field.default_factory()
            found |= {f"{name}.{pascal_case(one.name)}": getattr(part, one.name) for one in dataclasses.fields(part)}
        elif field.default is not dataclasses.MISSING:
            found[name] = field.default
    return found
