"""How a place inside a manifest is written for a reader."""

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
