"""The patterns of `.dockerignore`, as BuildKit reads and matches them.

Its sources say what they mean, where the manual does not: github.com/moby/patternmatcher, and its `ignorefile`.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

_WELL_FORMED = re.compile(
    r"""(?: [^\\[]                                              # one character, or several for * and **
          | \\.                                                 # the character itself
          | \[ \^?+ (?: (?:\\.|[^]\\-]) (?:-(?:\\.|[^]\\-]))? )+ \]  # one of several; from a to b
        )*""",
    re.VERBOSE | re.DOTALL,
)
_LITERAL = frozenset(".+()|{}$")
_CLASS = re.compile(r"\\.|\[\^?(?:\\.|[^]\\])*\]", re.DOTALL)
_PLAIN_IN_GO = re.compile(r"\\.|[\[&~|]", re.DOTALL)


class BadPattern(ValueError):
    """A line that BuildKit would refuse. `line` counts from 1."""

    def __init__(self, line: int, pattern: str) -> None:
        super().__init__(pattern)
        self.line = line
        self.pattern = pattern


@dataclass(frozen=True, slots=True)
class Pattern:
    """One line. `exception`: it began with `!`; `text` is what is left, tidied; `matches` asks of a path alone."""

    exception: bool
    text: str
    matches: Callable[[str], bool]


def patterns(ignore_file: str) -> Iterator[Pattern]:
    """The patterns in the text of an ignore file. Raises BadPattern."""
    for number, line in enumerate(ignore_file.removeprefix("\ufeff").split("\n"), start=1):
        written = line.strip()
        if line.startswith("#") or not written:
            continue
        exception = written.startswith("!")
        text = written[1:].strip() if exception else written
        text = _tidied(text)
        if text in ("", "/" if exception else "") or not _WELL_FORMED.fullmatch(text):
            raise BadPattern(number, written)
        try:
            yield Pattern(exception, text, _matcher(text))
        except re.error:
            raise BadPattern(number, written) from None


def _tidied(text: str) -> str:
    """Without `.`, `..`, what is too many slashes, and the one that it begins with."""
    if not text:
        return text
    tidied = posixpath.normpath(text)
    return tidied.lstrip("/") or "/"


def _matcher(text: str) -> Callable[[str], bool]:
    """Whether a path matches. Nothing but `**` at one end is compared as a text, which is where `**x` ends in `x`."""
    expression, kind = "", "exact"
    position = 0
    while position < len(text):
        start, character = position, text[position]
        position += 1
        if text.startswith("**", start):
            position += 2 if text.startswith("/", start + 2) else 1
            if position < len(text):
                expression, kind = expression + "(.*/)?", "expression"
            elif kind == "exact":
                kind = "prefix"
            else:
                expression, kind = expression + ".*", "expression"
            if start == 0:
                kind = "suffix"
        elif character == "*":
            expression, kind = expression + "[^/]*", "expression"
        elif character == "?":
            expression, kind = expression + "[^/]", "expression"
        elif character == "\\":
            expression, kind = f"{expression}\\{text[position]}", "expression"
            position += 1
        elif character in "[]":
            expression, kind = expression + character, "expression"
        else:
            expression += f"\\{character}" if character in _LITERAL else character
    match kind:
        case "exact":
            return lambda path: path == text
        case "prefix":
            return lambda path: path.startswith(text[:-2])
        case "suffix":
            return lambda path: path.endswith(text[2:]) or path == text.removeprefix("**/")
    compiled = re.compile(_CLASS.sub(_in_python, expression), re.ASCII)
    return lambda path: compiled.fullmatch(path) is not None


def _in_python(match: re.Match[str]) -> str:
    """A class of characters, where less is special in Go; but for `[:alpha:]`, which Python does not know."""
    token = match[0]
    if token[0] == "\\":
        return token
    if "[:" in token[1:]:
        raise re.error("a named class")
    return "[" + _PLAIN_IN_GO.sub(lambda one: one[0] if len(one[0]) > 1 else f"\\{one[0]}", token[1:])
