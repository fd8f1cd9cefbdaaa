"""Events fit for a terminal: pods, hooks and tools say what they like, also to the terminal itself."""

from __future__ import annotations

from dataclasses import fields, is_dataclass, replace
from typing import Any, TypeVar

from deployer.report.words import printable

T = TypeVar("T")


def cleaned(value: T) -> T:
    """The event, or anything in one, with every text printable: those of dataclasses, tuples and lists at any depth.

    Whatever an event is made of, so that nobody has to think of it for a new one.
    """
    result: Any = value
    match value:
        case str():
            result = printable(value)
        case tuple() | list():
            result = type(value)(map(cleaned, value))
        case _ if is_dataclass(value) and not isinstance(value, type):
            held = {one.name: getattr(value, one.name) for one in fields(value) if one.init}
            result = replace(value, **{name: cleaned(part) for name, part in held.items()})
    return value if result == value else result
