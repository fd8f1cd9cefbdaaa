"""Texts that pods and controllers leave in the cluster, which may quote secrets: masked here, whole, before any cut."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from deployer.model import Json

Mask = Callable[[str], str]


def masked_status(content: Json, mask: Mask) -> Json:
    """The object with every `message` in its status masked: of containers, conditions, and of the object itself.

    The rest of it is exactly what the server gave, since it is compared and restored.
    """
    status = content.get("status")
    return {**content, "status": _masked(status, mask)} if isinstance(status, dict) else content


def masked_event(event: Json, mask: Mask) -> Json:
    """The event with what it says masked; `note` is the newer API's name for `message`."""
    return event | {name: mask(event[name]) for name in ("message", "note") if isinstance(event.get(name), str)}


def printable(line: str) -> str:
    """The line without what a terminal would obey."""
    return "".join(character if character.isprintable() or character == "\t" else "�" for character in line)


def _masked(value: Any, mask: Mask) -> Any:
    match value:
        case dict():
            return {
                name: mask(item) if name == "message" and isinstance(item, str) else _masked(item, mask)
                for name, item in value.items()
            }
        case list():
            return [_masked(item, mask) for item in value]
    return value
