"""What `.dockerignore` leaves out of a Docker context."""

from __future__ import annotations

import posixpath
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from deployer.adapters.context.patterns import BadPattern, Pattern, patterns
from deployer.errors import ConfigurationError, Location

IGNORE_FILES = ("Dockerfile.dockerignore", ".dockerignore")
"""Where the patterns stand; the first that exists counts, as BuildKit has it."""

_ALWAYS_SENT = frozenset(("Dockerfile", *IGNORE_FILES))
_WILDCARDS = frozenset("*[]?^\\")


def excluded(paths: Collection[str], ignore_file: str, origin: str) -> set[str]:
    """Those of the paths that the patterns in the text of an ignore file, which is from `origin`, leave out.

    The Dockerfile and the ignore file itself always reach the builder, so they are never left out.
    Raises ConfigurationError for a pattern that BuildKit would refuse.
    """
    try:
        found = tuple(patterns(ignore_file))
    except BadPattern as error:
        raise ConfigurationError(
            f"{error.pattern!r} is no pattern of an ignore file", where=Location(origin, error.line)
        ) from None
    if not found:
        return set()
    walk = _Walk(found)
    return {path for path in paths if path not in _ALWAYS_SENT and walk.leaves_out(path)}


@dataclass(frozen=True, slots=True)
class _Seen:
    """What a walk finds of a path: whether it is left out, and by each pattern, whether that has matched it or a
    directory above; `pruned`: nothing below it is looked at."""

    left_out: bool
    matched: Sequence[bool]
    pruned: bool = False


class _Walk:
    """How BuildKit goes through a directory: https://github.com/tonistiigi/fsutil/blob/master/filter.go."""

    def __init__(self, found: Sequence[Pattern]) -> None:
        self._patterns = found
        exceptions = [_without_end(pattern.text) for pattern in found if pattern.exception]
        self._pruning = not any(_WILDCARDS.intersection(text) for text in exceptions)
        self._exceptions = tuple(f"{text}/" for text in exceptions)
        self._directories = {"": _Seen(False, [False] * len(found))}

    def leaves_out(self, path: str) -> bool:
        """Whether a file's content does not reach the builder."""
        return self._seen(path).left_out or (bool(self._exceptions) and self._is_empty(path))

    def _directory(self, path: str) -> _Seen:
        seen = self._directories.get(path)
        if seen is None:
            seen = self._seen(path)
            if seen.left_out and self._pruning and not any(one.startswith(f"{path}/") for one in self._exceptions):
                seen = _Seen(True, seen.matched, pruned=True)
            self._directories[path] = seen
        return seen

    def _seen(self, path: str) -> _Seen:
        above = self._directory(posixpath.dirname(path))
        if above.pruned:
            return above
        left_out = False
        matched = []
        for pattern, has_matched in zip(self._patterns, above.matched, strict=True):
            # A pattern that would change nothing is not asked, and counts below as one that has not matched.
            matches = has_matched or (pattern.exception == left_out and pattern.matches(path))
            matched.append(matches)
            if matches:
                left_out = not pattern.exception
        return _Seen(left_out, matched)

    def _is_empty(self, path: str) -> bool:
        """Whether BuildKit, which asks once more before it reads a file, and of all patterns then, would send nothing
        of it, as after `a`, `!a/b`, `a*` of `a/b`: a file that is left out is better than an empty one."""
        parts = path.split("/")
        ways = ["/".join(parts[:end]) for end in range(len(parts), 0, -1)]
        left_out = False
        for pattern in self._patterns:
            if pattern.exception == left_out and any(map(pattern.matches, ways)):
                left_out = not pattern.exception
        return left_out


def _without_end(text: str) -> str:
    return text.removesuffix("/**").removesuffix("/*")
