"""Artefacts that lie in the deployment repository itself."""

from __future__ import annotations

import hashlib
from pathlib import Path

from deployer.errors import ConfigurationError
from deployer.model import Artefact


def own_file(root: Path, source: str) -> Artefact:
    """The file at a path relative to the repository's `root` (resolved); nothing is copied.

    Raises ConfigurationError for what is outside, missing, unreadable, or no regular file.
    """
    try:
        path = (root / source).resolve()
        if source.startswith("/") or not path.is_relative_to(root):
            raise ConfigurationError(
                "the file is not in the deployment repository", where=source, hint="write a path relative to its root"
            )
        if path.is_dir():
            raise ConfigurationError(
                "an artefact is a file, and this is a directory",
                where=source,
                hint="files of apps/NAME/ are in the Docker context by themselves",
            )
        if path.exists() and not path.is_file():
            raise ConfigurationError("an artefact is a file, and this is none", where=source)
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
            size = file.tell()
    except FileNotFoundError:
        raise ConfigurationError("the artefact is not there", where=source, why="no such file") from None
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else str(error)
        raise ConfigurationError("the artefact cannot be read", where=source, why=why) from error
    return Artefact(source, path, size, digest)
