"""The Kubernetes manifests of an app, each value of which knows its place in the app file."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, time, timedelta
from typing import Any

from deployer.config import profiles
from deployer.config.evaluation import Evaluator
from deployer.config.lazy import Omitted
from deployer.config.nodes import Kept, Node, Path, ScalarNode, SequenceNode, locate, node_at, show_path
from deployer.config.profiles import Library
from deployer.config.validation import show_value
from deployer.errors import ConfigurationError, Location, raise_all
from deployer.model import Json


@dataclass(frozen=True)
class Manifest:
    """One manifest, rendered. `secrets`: path of each value that uses secrets → the names of those secrets.

    `profiles`: the names of those that were merged beneath it. `kept` is as of `locate`.
    """

    content: Json
    where: Location
    secrets: Mapping[Path, frozenset[str]] = field(default_factory=dict)
    root: Node | None = field(default=None, repr=False, compare=False)
    profiles: tuple[str, ...] = ()
    kept: Kept = field(default_factory=dict, repr=False, compare=False)

    def secret_texts(self) -> list[str]:
        """The texts that templates made of secrets: reversed, cut, encoded, whatever they did to them."""
        found = []
        for path in self.secrets:
            value: Any = self.content
            try:
                for part in path:
                    value = value[part]
            except (KeyError, IndexError, TypeError):  # left out (`omit`)
                continue
            if isinstance(value, str):
                found.append(value)
        return found

    def locate(self, path: Path) -> Location:
        """Where in the app file the value at a path (`("spec", "replicas")`) was written, or what is nearest to it."""
        if self.root is None or not node_at(self.root, path[:1]):
            return self.where
        return locate(self.root, path, self.kept)


def evaluate(evaluator: Evaluator, library: Library = profiles.EMPTY) -> tuple[Manifest, ...]:
    """All manifests of `Helm`, over the profiles that the app chooses. Raises every error that it finds."""
    applied = profiles.apply(evaluator, library)
    entry = applied.root.entries.get("Helm")
    if entry is None:
        raise ConfigurationError(
            "Helm is missing", where=evaluator.root.location, hint="it lists the Kubernetes manifests"
        )
    errors: list[ConfigurationError] = []
    manifests = []
    for node, path, value in _items(evaluator, entry.value, entry.location):
        failed: list[ConfigurationError] = []
        secrets: dict[Path, frozenset[str]] = {}
        if value is None:
            body = evaluator.plain(node, path, failed, secrets)
        else:
            body = value.body
            secrets[path] = value.secrets
        errors += failed
        if failed or isinstance(body, Omitted):
            continue
        if not isinstance(body, dict) or not body:
            errors.append(_no_manifest(node, path, body))
            continue
        body = _json(body, node, path, errors)
        relative = {used[len(path) :]: names for used, names in secrets.items()}
        chosen = applied.chosen.get(path[1], ())
        manifests.append(Manifest(body, node.location, relative, node, chosen, evaluator.kept))
    raise_all(errors)
    if not manifests:
        raise ConfigurationError("Helm has no manifests", where=entry.location)
    return tuple(manifests)


@dataclass(frozen=True)
class _Computed:
    """A manifest out of a `Helm` that is one expression."""

    body: Any
    secrets: frozenset[str]


def _items(evaluator: Evaluator, node: Node, place: Location) -> list[tuple[Node, Path, _Computed | None]]:
    """The items of `Helm` with their paths; where `Helm` itself is an expression, with their values."""
    if isinstance(node, SequenceNode):
        return [(item, ("Helm", index), None) for index, item in enumerate(node.items)]
    with evaluator.watching() as secrets:
        value = evaluator.plain(node, ("Helm",)) if isinstance(node, ScalarNode) else node
    if not isinstance(value, list):
        raise ConfigurationError(
            "Helm must be a list of Kubernetes manifests", where=place, hint="begin each with '- '"
        )
    return [(node, ("Helm", index), _Computed(item, frozenset(secrets))) for index, item in enumerate(value)]


def _no_manifest(node: Node, path: Path, body: Any) -> ConfigurationError:
    hint = None
    if body in (None, "", {}):
        hint = 'to leave a manifest out on a condition write "{{ {…} if CONDITION else omit }}"'
    elif isinstance(body, list):
        hint = "make each a manifest of its own"
    secret = isinstance(node, ScalarNode)
    why = None if secret and isinstance(body, str) else f"it is {show_value(body)}"
    return ConfigurationError(f"{show_path(path)} is no manifest", where=node.location, why=why, hint=hint)


def _json(value: Any, root: Node, path: Path, errors: list[ConfigurationError], below: Path = ()) -> Any:
    """The value as JSON has it."""

    def fail(what: str, hint: str | None = None) -> None:
        where = locate(root, below)
        errors.append(ConfigurationError(f"{show_path((*path, *below))} {what}", where=where, hint=hint))

    match value:
        case dict():
            for key in value:
                if not isinstance(key, str):
                    fail(f"has the key {key!r}, which is no text", "put it in quotes")
            return {str(key): _json(item, root, path, errors, (*below, key)) for key, item in value.items()}
        case list() | tuple():
            return [_json(item, root, path, errors, (*below, index)) for index, item in enumerate(value)]
        case float() if not math.isfinite(value):
            fail("is not a finite number")
        case date() | time():
            return value.isoformat()
        case timedelta():
            return str(value)
        case int() if value.bit_length() > 64 and not isinstance(value, bool):
            fail("is too large a number", "put it in quotes if it is a text")
    return value
