"""What a configuration becomes, so far as files decide it: to tell whether two of them deploy the same."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from deployer.config.configuration import Configuration
from deployer.model import App, ContextEntry, Json

_ANY_HASH = "0" * 32

ContextOf = Callable[[Configuration], tuple[ContextEntry, ...]]
"""What an app's own files (no downloads) put into its Docker context."""


@dataclass(frozen=True)
class Rendering:
    """All that decides what runs: manifests, where the release is, what its image is made of.

    Downloads count by their sources and checksums, and by their content where they lie in the repository.
    """

    manifests: tuple[Json, ...]
    app: App
    namespace: str
    registry: str | None
    context: tuple[ContextEntry, ...]
    own_downloads: tuple[str | None, ...]


def rendering(configuration: Configuration, root: Path, context_of: ContextOf) -> Rendering:
    """How a target of the repository at `root` reads. Raises what is wrong in it."""
    docker = configuration.app.docker
    manifests = configuration.manifests(_ANY_HASH if docker else None)
    own = [download.src for download in docker.download if "://" not in download.src] if docker else []
    return Rendering(
        manifests=tuple(one.content for one in manifests),
        app=replace(configuration.app, context_directory=None),
        namespace=configuration.settings.namespace,
        registry=configuration.settings.aws_ecr_prefix,
        context=context_of(configuration) if docker else (),
        own_downloads=tuple(_digest(root / name) for name in own),
    )


def _digest(path: Path) -> str | None:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return None
