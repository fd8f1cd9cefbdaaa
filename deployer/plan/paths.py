"""How a place inside a manifest is written for a reader, and read from what an API server says."""

from __future__ import annotations

import re


class Named(str):
    """An item of a list, told by its name instead of its index."""


Path = tuple[str | int, ...]
"""Keys, list indices and names of list items that lead from a manifest's top to a place in it."""

_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*")


def path_text(path: Path) -> str:
    """`spec.template.spec.containers[0].env[2].value`; keys that aren't plain words and items stand in brackets."""
    text = ""
    for part in path:
        if isinstance(part, int | Named) or not _PLAIN.fullmatch(part):
            text += f"[{part}]"
        else:
            text += f".{part}" if text else part
    return text


_FIELD = re.compile(r"\b(?:spec|metadata|data|stringData|rules|subjects|roleRef)(?:\.[A-Za-z_]\w*|\[[^\]\s]{1,253}\])*")
_PART = re.compile(r"\[(\d+)\]|\[([^\]]+)\]|([A-Za-z_]\w*)")


def path_in(message: str) -> Path:
    """The first field that an API server's refusal names (`spec.ports[0].port: Invalid value`); empty without one."""
    found = _FIELD.search(message)
    parts = _PART.findall(found[0]) if found else []
    return tuple(int(index) if index else key or word for index, key, word in parts)
