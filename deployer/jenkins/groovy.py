"""Values as literals of Groovy, in which nothing is interpolated."""

from __future__ import annotations

from collections.abc import Iterable

_NAMED = {"\\": "\\\\", "'": "\\'", "\n": "\\n", "\r": "\\r", "\t": "\\t"}


def literal(text: str) -> str:
    """A text in single quotes, the one kind of literal in which `$` means nothing."""
    return f"'{''.join(_escaped(character) for character in text)}'"


def literals(texts: Iterable[str]) -> str:
    """A list of texts."""
    return f"[{', '.join(map(literal, texts))}]"


def comment(text: str) -> str:
    """A text that stays within its line."""
    return "".join(character if character.isprintable() and character != "\\" else " " for character in text)


def _escaped(character: str) -> str:
    if character in _NAMED:
        return _NAMED[character]
    if character.isprintable():
        return character
    # Beyond the basic plane Groovy, as Java, wants a pair of surrogates.
    units = character.encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[at] << 8 | units[at + 1]:04x}" for at in range(0, len(units), 2))
