"""What every remote source of artefacts can do, and how its failures are told apart."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol
from urllib.parse import urlsplit, urlunsplit


@dataclass(frozen=True, slots=True)
class Version:
    """What a source says that it has now.

    `identity` changes whenever the content does (an ETag, a commit); None when the source names none. `size` is in
    bytes, `sha256` hex digits, each None when not told. `resumable`: a part can be asked for, if still of this version.
    """

    identity: str | None = None
    size: int | None = None
    sha256: str | None = None
    resumable: bool = False


@dataclass(frozen=True, slots=True)
class Body:
    """Content that is coming in, from the byte `start` on. `version` is of the whole content."""

    version: Version
    start: int
    chunks: Iterator[bytes]


class Transient(Exception):
    """A failure that may pass by itself. `why` is for the user; `after` is how long the server asks to wait, in s."""

    def __init__(self, why: str, after: float | None = None) -> None:
        super().__init__(why)
        self.why = why
        self.after = after


class Changed(Transient):
    """The source has another content than the one whose first part we have."""


class Remote(Protocol):
    """One artefact at a remote source. Methods raise DeployError, or Transient for what is worth another attempt."""

    @property
    def key(self) -> str:
        """Names the artefact in the cache; holds no credentials."""
        ...

    @property
    def label(self) -> str:
        """Names the artefact for the user; holds no credentials."""
        ...

    def version(self, known: str | None) -> Version | None:
        """What there is now, in one small request (none, where content cannot change); None when it cannot be told.

        `known` is the identity of what we have.
        """
        ...

    def open(self, start: int, version: Version | None) -> AbstractContextManager[Body]:
        """Begin to download, from `start` on where the source can continue `version` there, else from the beginning."""
        ...


def without_credentials(url: str) -> str:
    """A URL without user, password, query and fragment, where credentials and signatures stand."""
    try:
        parts = urlsplit(url)
        host = parts.netloc.rpartition("@")[2]
        return urlunsplit((parts.scheme, host, parts.path, "", ""))
    except ValueError:
        return re.sub(r"//[^/@]*@", "//", url.partition("?")[0])
