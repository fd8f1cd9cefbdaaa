"""Writes a new repository, all of it or nothing, and never over what is there."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from deployer.errors import UsageError


def write(directory: Path, files: Mapping[str, str]) -> None:
    """Write the files below a directory, which need not exist. Raises UsageError, and then has written nothing."""
    there = [name for name in files if (directory / name).exists() or (directory / name).is_symlink()]
    if there:
        raise UsageError(
            "nothing was written",
            where=str(directory),
            why=f"{', '.join(there[:5])}{' …' if len(there) > 5 else ''} would be overwritten",
            hint="name a directory that does not have them: `deploy init DIR`",
        )
    written: list[Path] = []
    try:
        for name, text in files.items():
            path = directory / name
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("x", encoding="utf-8") as file:
                written.append(path)
                file.write(text)
    except OSError as error:
        for path in written:
            path.unlink(missing_ok=True)
        raise UsageError(
            "the repository cannot be written", where=str(error.filename or directory), why=error.strerror
        ) from error
