"""Evaluates the tree: templates refer to each other, and every error says which reference led to it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from jinja2.exceptions import TemplateSyntaxError
from jinja2.utils import missing

from deployer.config import failures, macros
from deployer.config.circles import CircularContent, CircularReference, label
from deployer.config.lazy import LazyMapping, Omitted, copy, plain
from deployer.config.nodes import MappingNode, Node, Path, ScalarNode, SequenceNode, show_path
from deployer.config.templating import Deferred, Missing, Templates
from deployer.errors import ConfigurationError, Location
from deployer.model.basics import FROM_ENVIRONMENT

_MAX_REFERENCES = 40

Builtins = Mapping[str, Any]
"""Variables that win over all files. A callable is called when its variable is first used."""

Observe = Callable[[Node | None, Path, ScalarNode | None], None]
"""Told of each use of a value: its node (None: a built-in variable), its path, and the template that uses it."""


@dataclass(slots=True)
class _Frame:
    """One value being evaluated. `secrets`: what it used, as paths; `line`: of the template, where it failed."""

    path: Path
    node: ScalarNode | None = None
    secrets: set[str] = field(default_factory=set)
    line: int | None = None

    @property
    def place(self) -> Location:
        return self.node.line_of(self.line) if self.node else Location("")

    @property
    def label(self) -> str:
        return label(self.path, self.place)


class Evaluator:
    """The values of one tree of configuration for one target. Not for use from several threads at once.

    `unavailable` names variables that exist but not in this phase, and why. `origins`: the paths of nodes that stand
    elsewhere in the tree than they were written. `made_of`: the secrets in nodes that a template's value has become.
    `kept`: for lists of which items were left out, where those stand that are left.
    `renamed`: top-level variables whose value is another than the files say, with what becomes of it; `originals` are
    the values of those that were used, as the files say them.
    """

    def __init__(
        self,
        root: MappingNode,
        builtins: Builtins,
        templates: Templates,
        *,
        unavailable: Mapping[str, str] | None = None,
        scope: str = "",
        observe: Observe | None = None,
        renamed: Mapping[str, Callable[[str], str]] | None = None,
    ) -> None:
        self.root = root
        self._builtins = dict(builtins)
        self._templates = templates
        self._unavailable = unavailable or {}
        self.scope = scope
        self.origins: Mapping[Node, Path] = {}
        self.made_of: dict[Node, frozenset[str]] = {}
        self._observe = observe
        self._renamed = renamed or {}
        self.originals: dict[str, str] = {}
        self.kept: dict[SequenceNode, tuple[int, ...]] = {}
        self._frames: list[_Frame] = []
        self._values: dict[ScalarNode, tuple[Any, frozenset[str]]] = {}
        self._functions = {
            "lookup": self._lookup,
            "query": failures.no_lookups,
            "q": failures.no_lookups,
            "now": failures.no_clock,
        }

    # --- values ------------------------------------------------------------------------------------------------------

    def resolve(self, node: Node, path: Path) -> Any:
        """The value of a node: a LazyMapping, a list, or a scalar. Raises ConfigurationError."""
        path = self.origins.get(node, path)
        if self._observe is not None:
            self._observe(node, path, self._template())
        match node:
            case MappingNode():
                return LazyMapping(self, node, path)
            case SequenceNode():
                return [self.resolve(item, (*path, index)) for index, item in enumerate(node.items)]
        if not node.is_template:
            if node.secret:
                self._touch(self.made_of.get(node) or {show_path(path)})
            return self._named(node.value, path)
        if node not in self._values:
            self._values[node] = self._evaluate(node, path, native=True)
        value, secrets = self._values[node]
        self._touch(secrets)
        return self._named(copy(value), path)

    def _named(self, value: Any, path: Path) -> Any:
        """The value, or what becomes of it where its variable is renamed."""
        if len(path) != 1 or path[0] not in self._renamed or isinstance(value, bool):
            return value
        if not isinstance(value, (str, int)):
            return value
        self.originals[path[0]] = str(value)
        return self._renamed[path[0]](str(value))

    def plain(
        self,
        node: Node,
        path: Path,
        errors: list[ConfigurationError] | None = None,
        secrets: dict[Path, frozenset[str]] | None = None,
    ) -> Any:
        """The value of a node with everything below it.

        With `errors`, every error is put there and evaluation goes on (None in the places of the failed values).
        With `secrets`, the paths of all values which use secrets are put there, with the secrets' names; they are
        paths in the result, where an item of a list stands further ahead for each that was left out before it.
        """
        try:
            match node:
                case MappingNode():
                    return self._plain_mapping(node, path, errors, secrets)
                case SequenceNode():
                    return self._plain_sequence(node, path, errors, secrets)
            with self.watching() as seen:
                value = self._plain_scalar(node, path)
            if seen and secrets is not None:
                secrets[path] = frozenset(seen)
            return value
        except ConfigurationError as error:
            if errors is None:
                raise
            errors.append(error)
            return None

    def _plain_scalar(self, node: ScalarNode, path: Path) -> Any:
        value = self.resolve(node, path)
        try:
            return plain(value)
        except ConfigurationError as error:
            error.where = error.where or node.location
            here = label(path, node.location)
            error.chain = error.chain if error.chain[:1] == (here,) else (here, *error.chain)
            raise
        except RecursionError:
            raise ConfigurationError("the value is nested too deeply", where=node.location) from None

    def _plain_mapping(
        self,
        node: MappingNode,
        path: Path,
        errors: list[ConfigurationError] | None,
        secrets: dict[Path, frozenset[str]] | None,
    ) -> dict[Any, Any]:
        result = {}
        for key, entry in node.entries.items():
            if isinstance(key, str) and "{{" in key:
                failure = ConfigurationError("a key cannot be a template", where=entry.location)
                if errors is None:
                    raise failure
                errors.append(failure)
                continue
            value = self.plain(entry.value, (*path, key), errors, secrets)
            if not isinstance(value, Omitted):
                result[key] = value
            elif secrets is not None:
                secrets.pop((*path, key), None)
        return result

    def _plain_sequence(
        self,
        node: SequenceNode,
        path: Path,
        errors: list[ConfigurationError] | None,
        secrets: dict[Path, frozenset[str]] | None,
    ) -> list[Any]:
        result: list[Any] = []
        kept: list[int] = []
        for index, item in enumerate(node.items):
            seen: dict[Path, frozenset[str]] = {}
            value = self.plain(item, (*path, index), errors, seen)
            if isinstance(value, Omitted):
                continue
            kept.append(index)
            if secrets is not None:
                at = (*path, len(result))
                secrets.update({(*at, *used[len(at) :]): names for used, names in seen.items()})
            result.append(value)
        if len(kept) < len(node.items):
            self.kept[node] = tuple(kept)
        return result

    def render(self, text: str, place: Location, path: Path = ()) -> str:
        """A text that stands on its own, such as a file of the Docker context, rendered as text."""
        node = ScalarNode(text, place.file, (place.line or 1) - 1, block=True)
        value, secrets = self._evaluate(node, path, native=False)
        self._touch(secrets)
        return str(value)

    @contextmanager
    def watching(self) -> Iterator[set[str]]:
        """Collects the names of all secrets that are used inside."""
        frame = _Frame(())
        self._frames.append(frame)
        try:
            yield frame.secrets
        finally:
            self._frames.pop()
            self._touch(frame.secrets)

    def tell(self, node: Node, path: Path) -> None:
        """Tell the observer of something that is used without being evaluated."""
        if self._observe is not None:
            self._observe(node, path, self._template())

    def _template(self) -> ScalarNode | None:
        """The template that is being evaluated."""
        return next((frame.node for frame in reversed(self._frames) if frame.node is not None), None)

    def _touch(self, secrets: set[str] | frozenset[str]) -> None:
        if self._frames and secrets:
            self._frames[-1].secrets |= secrets

    # --- templates ---------------------------------------------------------------------------------------------------

    def _evaluate(self, node: ScalarNode, path: Path, *, native: bool) -> tuple[Any, frozenset[str]]:
        running = [frame for frame in self._frames if frame.node is not None]
        for index, frame in enumerate(running):
            if frame.node is node:
                raise self._circle(running, index)
        frame = _Frame(path, node)
        if len(running) >= _MAX_REFERENCES:
            raise ConfigurationError(
                f"more than {_MAX_REFERENCES} values refer to each other here", where=node.location
            )
        if node.secret:
            frame.secrets.add(show_path(path))
        self._frames.append(frame)
        try:
            compiled = self._templates.compile(node.value, native=native)
            value = compiled.evaluate(self._find, self._functions, lambda line: setattr(frame, "line", line))
        except ConfigurationError as error:
            if isinstance(error, CircularReference) and not isinstance(error, CircularContent):
                raise
            error.where = error.where or frame.place
            error.chain = (frame.label, *error.chain)
            raise
        except Exception as error:  # noqa: BLE001 - filters may raise anything
            if isinstance(error, TemplateSyntaxError) and macros.place(error) is None:
                frame.line = error.lineno
            raise self._failure(error, frame) from None
        finally:
            self._frames.pop()
        return value, frozenset(frame.secrets)

    def _find(self, name: str) -> Any:
        """A variable as templates name it, evaluated when used."""
        if name in self._unavailable:
            return Deferred(lambda: failures.unavailable(name, self._unavailable[name]))
        if name in self._builtins:
            return Deferred(lambda: self.builtin(name))
        entry = self.root.entries.get(name)
        return missing if entry is None else Deferred(lambda: self.resolve(entry.value, (name,)))

    @property
    def builtins(self) -> frozenset[str]:
        """The names of the variables that win over all files."""
        return frozenset(self._builtins)

    def builtin(self, name: str) -> Any:
        """The value of a built-in variable."""
        if self._observe is not None:
            self._observe(None, (name,), self._template())
        value = self._builtins[name]
        if callable(value):
            value = self._builtins[name] = value()
        return value

    def _lookup(self, plugin: object = None, *terms: object, **options: Any) -> Any:
        """Ansible's `lookup`, for environment variables alone; a variable that is not set is undefined."""
        if plugin not in ("env", "ansible.builtin.env") or len(terms) != 1 or not isinstance(terms[0], str):
            failures.no_lookups()
        value = failures.environment_variable(terms[0])
        if value is not None:
            self._touch({f"{FROM_ENVIRONMENT} {terms[0]}"})
        else:
            return options.get("default", Missing(f"the environment variable {terms[0]} is not set"))
        return value

    # --- errors ------------------------------------------------------------------------------------------------------

    def _failure(self, error: Exception, frame: _Frame) -> ConfigurationError:
        assert frame.node is not None  # noqa: S101 - only templates fail
        macro = macros.place(error)
        failure = failures.explain(
            error,
            text=self._templates.environment.macros.source(macro.file) if macro else frame.node.value,
            hidden=frame.node.secret,
            secrets=frame.secrets,
            names=() if macro else {*self._builtins, *self.root.entries, *self._unavailable},
            scope="a macro knows its arguments alone; give it this one" if macro else self.scope,
            environment=self._templates.environment,
        )
        failure.where = macro or frame.place
        failure.chain = (frame.label,)
        if isinstance(failure, failures.UnseenFailure):
            failure.secrets = frozenset(frame.secrets)
        return failure

    @staticmethod
    def _circle(running: list[_Frame], start: int) -> CircularReference:
        labels = [frame.label for frame in running]
        circle = [show_path(frame.path) for frame in running[start:]]
        return CircularReference(
            f"{circle[0]} refers to itself" if len(circle) == 1 else "these values refer to each other in a circle",
            where=running[start].place,
            why=" → ".join([*circle, circle[0]]),
            chain=[*labels, labels[start]],
        )
