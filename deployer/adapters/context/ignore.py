"""What `.dockerignore` leaves out of a Docker context."""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Collection
from typing import Any

IGNORE_FILES = ("Dockerfile.dockerignore", ".dockerignore")
"""Where the patterns stand; the first that exists counts, as BuildKit has it."""

_ALWAYS_SENT = ("Dockerfile", *IGNORE_FILES)


def excluded(paths: Collection[str], ignore_file: str) -> set[str]:
    """Those of the paths that the patterns in the text of an ignore file leave out, as `docker build` would.

    The Dockerfile and the ignore file itself always reach the builder, so they are never left out.
    """
    lines = (line.strip() for line in ignore_file.removeprefix("\ufeff").splitlines())
    patterns = [line for line in lines if line and not line.startswith("#")]
    if not patterns:
        return set()
    # Importing docker takes longer than all the rest of observing a context.
    from docker.utils.build import PatternMatcher

    matcher = PatternMatcher(patterns)
    exceptions = [pattern.cleaned_pattern for pattern in matcher.patterns if pattern.exclusion]
    matches: Callable[[Any], bool] = matcher.matches
    left_out: dict[str, bool] = {"": False}

    def directory_is_left_out(path: str) -> bool:
        """Whether nothing below a directory is looked at: it matches, and no exception begins with its name."""
        if path not in left_out:
            left_out[path] = directory_is_left_out(posixpath.dirname(path)) or (
                matches(path) and not any(exception.startswith(path) for exception in exceptions)
            )
        return left_out[path]

    return {
        path
        for path in paths
        if path not in _ALWAYS_SENT and (directory_is_left_out(posixpath.dirname(path)) or matches(path))
    }
