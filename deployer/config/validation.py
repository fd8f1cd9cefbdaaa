"""Turns plain values into the model's dataclasses, and pydantic's complaints into errors in the file's own words."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

from deployer.config.nodes import Node, Path, locate, show_path
from deployer.config.suggestions import did_you_mean
from deployer.errors import ConfigurationError

if TYPE_CHECKING:
    from pydantic import TypeAdapter

T = TypeVar("T")

_adapters: dict[Any, TypeAdapter[Any]] = {}

_KINDS = {
    "string": "a text",
    "is": "a text",  # is_instance_of: only Secret, which the file writes as a text
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "tuple": "a list",
    "list": "a list",
    "dict": "a mapping",
    "mapping": "a mapping",
    "dataclass": "a mapping",
    "finite": "a finite number",
}


def validate(
    kind: type[T], values: Any, root: Node, path: Path = (), secrets: Mapping[Path, Collection[str]] | None = None
) -> T:
    """An instance of a model class from the plain values that stand at `path` of the tree `root`.

    `secrets` are the paths of values that must not be quoted. Raises ConfigurationError, or an ErrorGroup of them.
    """
    from pydantic import ValidationError

    from deployer.errors import raise_all

    try:
        checked: T = _adapter(kind).validate_python(values)
        return checked
    except ValidationError as error:
        complaints = error.errors(include_url=False, include_context=True)
    errors: dict[tuple[Any, ...], ConfigurationError] = {}
    for complaint in complaints:
        below = _real_path(tuple(complaint["loc"]), values)
        errors.setdefault(below, _explain(kind, complaint, values, root, (*path, *below), below, secrets or {}))
    raise_all(list(errors.values()))
    raise AssertionError("pydantic raised no errors")


def prepare(kind: type[Any]) -> None:
    """Import what `validate` needs for this class, which takes a while."""
    _adapter(kind)


def _adapter(kind: Any) -> TypeAdapter[Any]:
    """Made once: it takes pydantic some milliseconds."""
    if kind not in _adapters:
        from pydantic import TypeAdapter

        _adapters[kind] = TypeAdapter(kind)
    return _adapters[kind]


def _real_path(loc: tuple[Any, ...], values: Any) -> tuple[Any, ...]:
    """The part of pydantic's path that names keys and indexes, without the names of its own union branches."""
    path: list[Any] = []
    for part in loc:
        is_index = isinstance(values, (list, tuple)) and isinstance(part, int) and part < len(values)
        if is_index or (isinstance(values, Mapping) and part in values):
            values = values[part]
        elif isinstance(values, Mapping) and isinstance(part, str):
            return (*path, part)
        else:
            break
        path.append(part)
    return tuple(path)


def _explain(
    kind: type[Any],
    complaint: Any,
    values: Any,
    root: Node,
    path: Path,
    below: tuple[Any, ...],
    secrets: Mapping[Path, Collection[str]],
) -> ConfigurationError:
    name, code, where = show_path(path), complaint["type"], locate(root, path)
    if code == "missing":
        siblings = _value_at(values, below[:-1])
        return ConfigurationError(f"{name} is missing", where=where, hint=did_you_mean(str(below[-1]), siblings or ()))
    if code in ("unexpected_keyword_argument", "extra_forbidden"):
        known = _keys_at(kind, below[:-1])
        hint = did_you_mean(str(below[-1]), known) or (f"known here: {', '.join(known)}" if known else None)
        return ConfigurationError(f"{name} is not known", where=where, hint=hint)
    if code == "literal_error":
        expected = complaint["ctx"]["expected"].replace("'", "")
    else:
        expected = _KINDS.get(code.split("_")[0], "something else")
    value = _value_at(values, below)
    secret = any(used[: len(path)] == path for used in secrets)
    return ConfigurationError(
        f"{name} must be {expected}", where=where, why=None if secret else f"it is {show_value(value)}"
    )


def show_value(value: Any) -> str:
    """A value in a message: short, and with the name of its type where that is the point."""
    match value:
        case None:
            return "empty"
        case bool():
            return str(value).lower()
        case dict():
            return "a mapping"
        case list() | tuple():
            return "a list"
        case str():
            return f"the text {value[:60]!r}" + ("…" if len(value) > 60 else "")
    return f"the {type(value).__name__} {value!s:.60}"


def _value_at(values: Any, path: tuple[Any, ...]) -> Any:
    for part in path:
        try:
            values = values[part]
        except (KeyError, IndexError, TypeError):
            return None
    return values


def _keys_at(kind: type[Any], path: tuple[Any, ...]) -> list[str]:
    """The keys that the file may have at a path, read from the model's classes."""
    import dataclasses
    import typing

    current: Any = kind
    for part in path:
        if isinstance(part, int):
            continue
        alias: Callable[[str], str] = getattr(current, "__pydantic_config__", {}).get("alias_generator", str)
        hints = typing.get_type_hints(current) if dataclasses.is_dataclass(current) else {}
        found = next((hint for name, hint in hints.items() if alias(name) == part), None)
        if found is not None:
            current = found
        for argument in typing.get_args(current):
            if dataclasses.is_dataclass(argument):
                current = argument
    if not dataclasses.is_dataclass(current):
        return []
    alias = getattr(current, "__pydantic_config__", {}).get("alias_generator", str)
    return [alias(field.name) for field in dataclasses.fields(current)]
