"""Ansible's filters and tests whose results differ from one machine or run to the next: refused, or made to agree.

Every difference would be another content hash and another deployment; and what is read from the environment here is
not known as a secret.
"""

from __future__ import annotations

import functools
import inspect
import os
from collections.abc import Callable, Collection, Iterable, Mapping
from datetime import date
from pathlib import PurePosixPath
from typing import Any, NoReturn

from deployer.errors import ConfigurationError

Function = Callable[..., Any]

_ENVIRONMENT = "it reads environment variables", "lookup('env', 'NAME') gives one, and knows that it may be a secret"
_FILES = "it looks at the files of the machine", "put what it would find into group_vars"
_FILE_TESTS = (
    "directory", "is_dir", "file", "is_file", "link", "is_link", "exists", "link_exists", "same_file", "is_same_file",
    "mount", "is_mount", "vaulted_file",
)  # fmt: skip
_REFUSED = {
    "filter": {"expandvars": _ENVIRONMENT, "expanduser": _FILES, "realpath": _FILES, "fileglob": _FILES},
    "test": dict.fromkeys(_FILE_TESTS, _FILES),
}

_NEEDED = {
    "random": ("seed", "seed='TEXT' makes it the same every time"),
    "shuffle": ("seed", "seed='TEXT' makes it the same every time"),
    "password_hash": ("salt", "salt='TEXT', best a secret in group_vars, makes it the same every time"),
    "vault": ("salt", "salt='TEXT', best a secret in group_vars, makes it the same every time"),
    "strftime": ("second", "give it a time; DeploymentId and GitCommit name a deployment"),
}
"""Filters that take of randomness or the clock what they are not given."""

_CLOCK = frozenset({"now", "today", "utcnow", "fromtimestamp"})


def reproducible(kind: str, functions: Mapping[str, Function]) -> dict[str, Function]:
    """The functions (`kind`: filter or test), of which those that would differ raise ConfigurationError."""
    refused = _REFUSED[kind]
    found = {
        name: functools.partial(_refuse, kind, name, *refused[name]) if name in refused else function
        for name, function in functions.items()
    }
    if kind == "filter":
        found |= {name: _needing(name, found[name]) for name in _NEEDED.keys() & found}
        found |= {name: function for name, function in _OWN.items() if name in found}
    return found


def tells_the_time(owner: object, attribute: str) -> bool:
    """Whether an attribute is a method of dates that asks the clock."""
    return isinstance(owner, date) and attribute in _CLOCK


def _refuse(kind: str, name: str, why: str, hint: str, *_: object, **__: object) -> NoReturn:
    raise ConfigurationError(f"the {kind} {name} is not offered", why=why, hint=hint)


def _needing(name: str, function: Function) -> Function:
    parameter, hint = _NEEDED[name]
    signature = inspect.signature(function)

    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        given = signature.bind(*args, **kwargs).arguments
        if given.get(parameter) in (None, ""):
            why = "every deployment would differ from the one before"
            raise ConfigurationError(f"the filter {name} needs {parameter}", why=why, hint=hint)
        if name == "strftime" and not given.get("utc"):
            why = "every machine has a time zone of its own"
            raise ConfigurationError(f"the filter {name} needs utc", why=why, hint="utc=true")
        return function(*args, **kwargs)

    return call


def _relpath(path: str, start: str = ".") -> str:
    if PurePosixPath(path).is_absolute() != PurePosixPath(start).is_absolute():
        why = "one path is absolute, and the other is relative to wherever deploy runs"
        _refuse("filter", "relpath", why, "relpath(START) of the same kind")
    return os.path.relpath(path, start)


def _distinct(values: Iterable[Any]) -> list[Any]:
    values = list(values)
    try:
        return list(dict.fromkeys(values))
    except TypeError:
        found: list[Any] = []
        for value in values:
            if value not in found:
                found.append(value)
        return found


def _members(values: Iterable[Any], wanted: Iterable[Any]) -> Collection[Any]:
    """The values as a set, where all that is compared can be in one."""
    values = list(values)
    try:
        set(wanted)
        return set(values)
    except TypeError:
        return values


def _union(one: Iterable[Any], other: Iterable[Any]) -> list[Any]:
    return _distinct([*one, *other])


def _intersect(one: Iterable[Any], other: Iterable[Any]) -> list[Any]:
    members = _members(other, one)
    return [value for value in _distinct(one) if value in members]


def _difference(one: Iterable[Any], other: Iterable[Any]) -> list[Any]:
    members = _members(other, one)
    return [value for value in _distinct(one) if value not in members]


def _symmetric_difference(one: Iterable[Any], other: Iterable[Any]) -> list[Any]:
    return [*_difference(one, other), *_difference(other, one)]


_OWN: dict[str, Function] = {
    "relpath": _relpath,
    "union": _union,
    "intersect": _intersect,
    "difference": _difference,
    "symmetric_difference": _symmetric_difference,
}
"""Ansible's give texts in the order of Python's sets, which is another in every process."""
