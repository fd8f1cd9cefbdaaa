"""Compares generated files with those that are there, and writes them; never over files of somebody else."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from deployer.errors import UsageError
from deployer.jenkins.generate import MARK


def differing(directory: Path, made: Mapping[str, str]) -> list[str]:
    """The names of files that are missing or have another content. Raises UsageError."""
    return [name for name, text in made.items() if _content(directory / name) != text.encode()]


def write(
    directory: Path, made: Mapping[str, str], write_file: Callable[[Path, str], None], *, force: bool = False
) -> list[str]:
    """Write the files that differ, and give their names. Raises UsageError before it would overwrite somebody's."""
    changed = differing(directory, made)
    if not force:
        foreign = [
            name for name in changed if (there := _content(directory / name)) and not there.startswith(MARK.encode())
        ]
        if foreign:
            raise UsageError(
                f"{', '.join(foreign)} would be overwritten",
                where=str(directory),
                why="deploy jenkins generate has not made them",
                hint="name another directory with --out, or overwrite them with --force",
            )
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError("the directory cannot be made", where=str(error.filename), why=error.strerror) from error
    for name in changed:
        write_file(directory / name, made[name])
    return changed


def _content(file: Path) -> bytes | None:
    try:
        return file.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise UsageError("the file cannot be read", where=str(file), why=error.strerror) from error
