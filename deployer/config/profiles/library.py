"""The profiles that group_vars define, and `Defaults`: partial manifests by kind."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

from deployer.config.layers import merge
from deployer.config.nodes import Entry, MappingNode, Node, Path, ScalarNode, SequenceNode, show_path
from deployer.config.suggestions import did_you_mean
from deployer.errors import ConfigurationError, raise_all
from deployer.model.pods import POD_TEMPLATES

PROFILES, DEFAULTS = "Profiles", "Defaults"
EVERY_KIND, PODS = "*", "Pod"
"""In the place of a kind: each manifest, and the pod template of each workload."""

_POD_KEYS = ("metadata", "spec")


@dataclass(frozen=True)
class Library:
    """`Profiles` (name → kind → partial manifest) and `Defaults` (kind → partial manifest) of a stage and region."""

    root: MappingNode = field(default_factory=lambda: MappingNode({}, ""))
    _parts: dict[tuple[tuple[str, ...], str], tuple[tuple[Path, MappingNode], ...]] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.root.entries)

    @property
    def names(self) -> tuple[str, ...]:
        """The names of all profiles."""
        profiles = self.root.entries.get(PROFILES)
        return tuple(_mapping(profiles.value)) if profiles else ()

    @property
    def shown(self) -> tuple[str, ...]:
        """What of it there is to be shown: `Defaults`, `Profiles.spot`."""
        defaults = (DEFAULTS,) if DEFAULTS in self.root.entries else ()
        return (*defaults, *(show_path((PROFILES, name)) for name in self.names))

    @cached_property
    def origins(self) -> Mapping[Node, Path]:
        """The path of every node: `("Profiles", "spot", "Pod", "spec")`."""
        return dict(_nodes(self.root, ()))

    def parts(self, names: tuple[str, ...], kind: str) -> tuple[tuple[Path, MappingNode], ...]:
        """What lies beneath a manifest of this kind, the weakest first, each with the path of its kind.

        `Defaults` lie beneath all profiles, and those beneath each other in the order of `names`, the last one wins.
        In each of them what is for every kind lies beneath what is for pods, and that beneath the kind's own.
        """
        key = (names, kind)
        if key not in self._parts:
            self._parts[key] = tuple(self._find(names, kind))
        return self._parts[key]

    def _find(self, names: tuple[str, ...], kind: str) -> Iterator[tuple[Path, MappingNode]]:
        profiles = self.root.entries.get(PROFILES)
        sources: list[tuple[Path, Entry | None]] = [((DEFAULTS,), self.root.entries.get(DEFAULTS))]
        sources += [((PROFILES, name), _mapping(profiles.value).get(name) if profiles else None) for name in names]
        for path, source in sources:
            kinds = _mapping(source.value) if source else {}
            for wanted in dict.fromkeys((EVERY_KIND, *((PODS,) if kind in POD_TEMPLATES else ()), kind)):
                entry = kinds.get(wanted)
                if entry is not None and isinstance(entry.value, MappingNode):
                    place = POD_TEMPLATES[kind] if wanted == PODS else ()
                    yield (*path, wanted), _wrapped(entry, place)


EMPTY = Library()


def take(layers: Sequence[MappingNode], extra: MappingNode) -> tuple[Library, list[MappingNode], MappingNode]:
    """What layers and the command line say of profiles, and both without it. Raises what is wrong with it.

    On the command line `Profiles` may also be the app's own: the list of those that it chooses.
    """
    if not any(key in layer.entries for layer in (*layers, extra) for key in (PROFILES, DEFAULTS)):
        return EMPTY, list(layers), extra
    ours = {key for key, entry in extra.entries.items() if key == DEFAULTS or isinstance(entry.value, MappingNode)}
    parts = [_only(layer, {PROFILES, DEFAULTS}) for layer in layers] + [_only(extra, {PROFILES, DEFAULTS} & ours)]
    root = merge(parts)
    raise_all(list(_wrong(root)))
    present = {key: entry for key, entry in root.entries.items() if isinstance(entry.value, MappingNode)}
    rest = [_without(layer, {PROFILES, DEFAULTS}) for layer in layers]
    return Library(replace(root, entries=present)), rest, _without(extra, {PROFILES, DEFAULTS} & ours)


def name_of(path: Path) -> str:
    """What a node of a library belongs to, from its path: `profile spot` or `Defaults`."""
    return f"profile {path[1]}" if path[0] == PROFILES and len(path) > 1 else str(path[0])


def _only(layer: MappingNode, keys: set[str]) -> MappingNode:
    return replace(layer, entries={key: entry for key, entry in layer.entries.items() if key in keys})


def _without(layer: MappingNode, keys: set[str]) -> MappingNode:
    return replace(layer, entries={key: entry for key, entry in layer.entries.items() if key not in keys})


def _mapping(node: Node) -> dict[str, Entry]:
    return node.entries if isinstance(node, MappingNode) else {}


def _wrapped(entry: Entry, place: Iterable[str]) -> MappingNode:
    """The partial of a pod template as one of the manifest around it."""
    for key in reversed(tuple(place)):
        node = entry.value
        entry = Entry(entry.location, MappingNode({key: entry}, node.file, node.line, node.column))
    assert isinstance(entry.value, MappingNode)  # noqa: S101 - the caller looked
    return entry.value


def _nodes(node: Node, path: Path) -> Iterator[tuple[Node, Path]]:
    yield node, path
    match node:
        case MappingNode():
            for key, entry in node.entries.items():
                yield from _nodes(entry.value, (*path, key))
        case SequenceNode():
            for index, item in enumerate(node.items):
                yield from _nodes(item, (*path, index))


def _wrong(root: MappingNode) -> Iterator[ConfigurationError]:
    """What is wrong with the shape of both keys. What a partial manifest holds shows where it is used."""
    shapes = {PROFILES: "a mapping of profiles by name", DEFAULTS: "a mapping of partial manifests by kind"}
    for key, entry in root.entries.items():
        if isinstance(entry.value, ScalarNode) and entry.value.value is None:
            continue
        if not isinstance(entry.value, MappingNode):
            hint = "an app chooses among them, in apps/NAME.yml" if key == PROFILES else None
            yield ConfigurationError(f"{key} in group_vars must be {shapes[key]}", where=entry.location, hint=hint)
        elif key == DEFAULTS:
            yield from _wrong_kinds(entry.value, (key,))
        else:
            for name, one in entry.value.entries.items():
                if not isinstance(name, str) or not name:
                    hint = "put it in quotes"
                    yield ConfigurationError("the name of a profile must be a text", where=one.location, hint=hint)
                elif not isinstance(one.value, MappingNode):
                    what = f"{show_path((key, name))} must be {shapes[DEFAULTS]}"
                    hint = "Deployment: {spec: {…}}, or Pod: {spec: {…}} for the pods of every workload"
                    yield ConfigurationError(what, where=one.location, hint=hint)
                else:
                    yield from _wrong_kinds(one.value, (key, name))


def _wrong_kinds(kinds: MappingNode, path: Path) -> Iterator[ConfigurationError]:
    for kind, entry in kinds.entries.items():
        name = show_path((*path, kind))
        if not isinstance(entry.value, MappingNode):
            hint = "metadata: {…} and spec: {…}, as far as the profile goes"
            yield ConfigurationError(f"{name} must be a part of a manifest", where=entry.location, hint=hint)
        elif kind == PODS:
            for key, inner in entry.value.entries.items():
                if key not in _POD_KEYS:
                    hint = did_you_mean(str(key), _POD_KEYS) or f"put {key} below spec"
                    yield ConfigurationError(
                        f"{name} takes metadata and spec, not {key}", where=inner.location, hint=hint
                    )
