"""Images, and what they are made of."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal


@dataclass(frozen=True, slots=True)
class Image:
    """An image in a registry: `registry/repository:tag`, pinned by `digest` (`sha256:…`) once that is known."""

    registry: str
    repository: str
    tag: str
    digest: str | None = None

    @classmethod
    def under(cls, prefix: str, name: str, tag: str) -> Image:
        """The image `name:tag` below an `AwsEcrPrefix`, which is a registry host and maybe a path."""
        registry, _, path = prefix.rstrip("/").partition("/")
        return cls(registry, f"{path}/{name}" if path else name, tag)

    @classmethod
    def parse(cls, reference: str) -> Image | None:
        """The image that a container names with its registry; None for a short name such as `busybox:1`.

        Without a tag it is `latest`, unless there is a digest: then the tag is empty.
        """
        name, _, digest = reference.partition("@")
        registry, slash, rest = name.partition("/")
        if not slash or not (registry == "localhost" or set(registry) & {".", ":"}):
            return None
        repository, colon, tag = rest.rpartition(":")
        if not colon:
            repository, tag = rest, "" if digest else "latest"
        return cls(registry, repository, tag, digest or None)

    @property
    def reference(self) -> str:
        """`registry/repository:tag`, as a manifest template spells it."""
        return f"{self.registry}/{self.repository}:{self.tag}"

    @property
    def pinned(self) -> str:
        """`registry/repository:tag@sha256:…`; the reference alone while the digest is unknown."""
        return f"{self.reference}@{self.digest}" if self.digest else self.reference


@dataclass(frozen=True, slots=True)
class Artefact:
    """A downloaded artefact: `path` is its verified content in the cache, `identity` the ETag or version it has."""

    source: str
    path: Path
    size: int
    sha256: str
    identity: str | None = None
    from_cache: bool = False


EntryKind = Literal["file", "directory", "link"]


@dataclass(frozen=True, slots=True)
class ContextEntry:
    """One entry of a Docker context. `path` is relative, with `/`; `size` and `sha256` (hex) are of a file's content.

    `target` is where a link points to. A directory is an entry of its own only when it is empty.
    """

    path: str
    kind: EntryKind
    executable: bool = False
    size: int = 0
    sha256: str = ""
    target: str = ""
