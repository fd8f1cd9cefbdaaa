"""The ports of images: what goes into them, who builds them, and the registries that keep them.

As in `ports`, every method may raise a `DeployError`: `UnreachableError` when the service did not answer or did not let
us in, `ConfigurationError` when what the user wrote is refused.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from deployer.errors import Location
from deployer.events import Sink
from deployer.model import App, Artefact, ContextEntry, DockerCache, Download, Image, Secret


class ArtefactFetcher(Protocol):
    """Downloads artefacts into the machine's cache and proves them."""

    def fetch(self, downloads: Sequence[Download], sink: Sink) -> tuple[Artefact, ...]:
        """All artefacts, several at once, in the order asked for. Raises every failure, not only the first."""
        ...


class DockerContext(Protocol):
    """An app's Docker context, whose content is known (and can be hashed) before anything is copied."""

    @property
    def entries(self) -> tuple[ContextEntry, ...]:
        """All that Docker would be given, without what `.dockerignore` excludes, in the order of their paths."""
        ...

    def materialise(self) -> AbstractContextManager[Path]:
        """A private directory holding the context for the length of a `with` block, removed afterwards."""
        ...


class ContextObserver(Protocol):
    """Finds out what an app's Docker context consists of."""

    def observe(self, app: App, artefacts: Sequence[Artefact], render: Callable[[str, Location], str]) -> DockerContext:
        """The context of an app with a Docker part; `artefacts` are those of its downloads, in their order.

        `render` evaluates the text of a `*.j2` file. Raises ConfigurationError for what must not be in an image:
        secrets, paths and links that leave the context, two things under one path.
        """
        ...


@dataclass(frozen=True)
class BuildRequest:
    """One image build. `context` is a directory that holds nothing but the Docker context, `Dockerfile` included.

    `builder` is a builder of buildx (None: its current one); `cache` is as the app's file says.
    """

    context: Path
    image: Image
    args: Mapping[str, str] = field(default_factory=dict)
    secrets: Mapping[str, Secret] = field(default_factory=dict)
    platforms: tuple[str, ...] = ()
    no_cache: bool = False
    builder: str | None = None
    cache: DockerCache = field(default_factory=DockerCache)


class Registry(Protocol):
    """One region's image registry (ECR), asked over the registry's own HTTP API."""

    def digest(self, image: Image) -> str | None:
        """The manifest digest (`sha256:…`) of the image's tag, None when the registry does not have it."""
        ...

    def has(self, image: Image) -> bool:
        """Whether the registry has the image: by its digest where that is known, else by its tag."""
        ...

    def ensure_repository(self, image: Image) -> None:
        """Make the image's repository if it is missing and settings say so; otherwise name what is missing."""
        ...

    def copy(self, source: Image, source_registry: Registry, destination: Image, sink: Sink) -> str:
        """Copy an image by digest, layer by layer, skipping what the destination has; its digest."""
        ...

    def credentials(self) -> tuple[str, Secret]:
        """User name and password for this registry, fresh enough to use now."""
        ...


class ImageBuilder(Protocol):
    """Docker on this machine."""

    def build_and_push(self, request: BuildRequest, registry: Registry, sink: Sink) -> str:
        """Build, push to the image's registry, and return the digest that the registry has."""
        ...
