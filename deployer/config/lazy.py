"""Values that are evaluated when they are looked at, and the conversions between them and plain Python values."""

from __future__ import annotations

import functools
from collections.abc import Callable, ItemsView, Iterable, Iterator, KeysView, Mapping, Sequence, ValuesView
from datetime import date, time, timedelta
from itertools import islice
from typing import Any, Protocol
from uuid import UUID

from jinja2.runtime import Undefined

from deployer.config.circles import Step, circular_content
from deployer.config.nodes import MappingNode, Path, show_path
from deployer.errors import ConfigurationError

_MAX_ITEMS = 100_000
_MAX_VALUES = 200_000
_MAX_DEPTH = 150
_SCALARS = (str, int, float, bool, type(None))


class Omitted:
    """What `default(omit)` gives: the key or list item that it is the value of is left out."""

    def __repr__(self) -> str:
        return "omit"


OMIT = Omitted()


class Resolver(Protocol):
    """What lazy values ask for their content."""

    def resolve(self, node: Any, path: Path) -> Any:
        """The value of a node; a LazyMapping for a mapping."""
        ...


class LazyMapping(Mapping[Any, Any]):
    """A mapping of the configuration as templates see it. Reading a key evaluates that key and nothing else."""

    __slots__ = ("__node", "__path", "__resolver")

    def __init__(self, resolver: Resolver, node: MappingNode, path: Path) -> None:
        self.__resolver = resolver
        self.__node = node
        self.__path = path

    def __getitem__(self, key: Any) -> Any:
        return self.__resolver.resolve(self.__node.entries[key].value, (*self.__path, key))

    def __contains__(self, key: object) -> bool:
        return key in self.__node.entries

    def __iter__(self) -> Iterator[Any]:
        return iter(self.__node.entries)

    def __len__(self) -> int:
        return len(self.__node.entries)

    def __str__(self) -> str:
        return str(plain(self))

    __repr__ = __str__


def source_of(value: object) -> tuple[MappingNode, Path] | None:
    """Where a lazy mapping comes from, None for any other value."""
    if isinstance(value, LazyMapping):
        return value._LazyMapping__node, value._LazyMapping__path  # type: ignore[attr-defined]
    return None


def plain(value: Any) -> Any:
    """The value with all lazy mappings in it evaluated, as new containers; what is omitted is left out.

    Raises CircularReference for a mapping that holds itself by way of a template, ConfigurationError for a value that
    is nested too deeply or too large.
    """
    return value if type(value) in _SCALARS else _Unfolding().of(value)


class _Unfolding:
    """One way through a value and all that it holds; `open` are the mappings on the way from the top to here."""

    __slots__ = ("_count", "_open")

    def __init__(self) -> None:
        self._open: list[Step] = []
        self._count = 0

    def of(self, value: Any) -> Any:
        self._count += 1
        if self._count > _MAX_VALUES:
            raise ConfigurationError(f"this holds more than {_MAX_VALUES:,} values", hint="values that repeat others?")
        match value:
            case LazyMapping():
                return self._mapping(value)
            case dict():
                return {key: self.of(item) for key, item in value.items() if item is not OMIT}
            case list() | tuple():
                items = [self.of(item) for item in value if item is not OMIT]
                return items if isinstance(value, list) or type(value) is not tuple else tuple(items)
            case Undefined():
                str(value)  # fails, unless it is the missing else of `a if b`
        return value

    def _mapping(self, mapping: LazyMapping) -> dict[Any, Any]:
        source = source_of(mapping)
        assert source is not None  # noqa: S101 - it is lazy
        node, path = source
        for index, step in enumerate(self._open):
            if step.node is node:
                raise circular_content(self._open[index:])
        if len(self._open) >= _MAX_DEPTH:
            raise ConfigurationError(f"this is nested more than {_MAX_DEPTH} levels deep", where=node.location)
        step = Step(node, path)
        self._open.append(step)
        result = {}
        for step.key in mapping:
            if (item := mapping[step.key]) is not OMIT:
                result[step.key] = self.of(item)
        self._open.pop()
        return result


def settled(function: Callable[..., Any]) -> Callable[..., Any]:
    """A filter, test or function whose lazy arguments are evaluated before it sees them."""

    @functools.wraps(function, updated=())
    def call(*args: Any, **kwargs: Any) -> Any:
        return function(*map(plain, args), **{name: plain(value) for name, value in kwargs.items()})

    for mark in ("jinja_pass_arg", "jinja_async_variant"):
        if hasattr(function, mark):
            setattr(call, mark, getattr(function, mark))
    return call


def settle(value: Any) -> Any:
    """The outcome of an expression as a value of the configuration: JSON's types, lists for anything that iterates.

    Raises TypeError for what is no value, such as a method that was not called, OverflowError for too many values.
    """
    return value if type(value) in _SCALARS else _settle(value, [_MAX_VALUES])


def _settle(value: Any, left: list[int]) -> Any:
    left[0] -= 1
    if left[0] < 0:
        raise OverflowError(f"more than {_MAX_VALUES:,} values")
    if isinstance(value, Undefined):
        str(value)
        return ""
    kind = type(value)
    if kind in _SCALARS or isinstance(value, (LazyMapping, Omitted, date, time, timedelta)):
        return value
    for scalar in (str, bool, int, float):
        if isinstance(value, scalar):
            return str.__str__(value) if scalar is str else scalar(value)
    if isinstance(value, UUID):
        return str(value)
    if isinstance(value, Mapping) and kind.__module__ != "jinja2.runtime":
        return {_settle(key, left): _settle(item, left) for key, item in value.items()}
    if isinstance(
        value, (Sequence, set, frozenset, Iterator, range, KeysView, ValuesView, ItemsView, map, filter, zip)
    ):
        if isinstance(value, (bytes, bytearray, memoryview)):
            raise TypeError("bytes are not a value; decode them")
        return [_settle(item, left) for item in _bounded(value)]
    if callable(value):
        name = getattr(value, "__name__", "it")
        raise TypeError(f"{name} is a function or method; call it, or write ['{name}'] for a key of that name")
    raise TypeError(f"a {kind.__name__} is not a value")


def _bounded(values: Iterable[Any]) -> Iterator[Any]:
    iterator = iter(values)
    yield from islice(iterator, _MAX_ITEMS)
    if next(iterator, OMIT) is not OMIT:
        raise OverflowError(f"more than {_MAX_ITEMS:,} items")


def as_text(value: Any) -> str:
    """A value inside a text, as Ansible writes it: null as nothing, the rest as Python prints it."""
    value = settle(value)
    if value is OMIT:
        raise TypeError("omit can only be the whole value of a key")
    return "" if value is None else str(plain(value))


def copy(value: Any) -> Any:
    """A value that its receiver may change."""
    if isinstance(value, list):
        return [copy(item) for item in value]
    if isinstance(value, dict):
        return {key: copy(item) for key, item in value.items()}
    return value


def where(value: object) -> str:
    """The path of a lazy mapping for messages; empty for any other value."""
    source = source_of(value)
    return show_path(source[1]) if source else ""
