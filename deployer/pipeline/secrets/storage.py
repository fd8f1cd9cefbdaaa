"""Reads and writes secrets files: whole or not at all, and never over what somebody else has written meanwhile."""

from __future__ import annotations

import contextlib
import fcntl
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

from deployer.config import document
from deployer.config.encrypted import is_encrypted
from deployer.config.nodes import MappingNode
from deployer.config.secret_files import RULES, SecretFile
from deployer.errors import ConfigurationError, ConflictError, Location


def read(file: SecretFile) -> bytes | None:
    """The content as it is; None when there is no such file."""
    try:
        if file.path.exists() and not file.path.is_file():
            raise ConfigurationError("this is not an ordinary file", where=Location(file.name))
        if file.path.stat().st_size > document.MAX_BYTES:
            raise ConfigurationError(
                f"this file is larger than {document.MAX_BYTES // 2**20} MiB", where=Location(file.name)
            )
        return file.path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise ConfigurationError("this file cannot be read", where=Location(file.name), why=error.strerror) from None


def existing(file: SecretFile) -> tuple[bytes, MappingNode]:
    """The content of an encrypted file, and its tree. Raises ConfigurationError when it is missing or in plain text."""
    content = read(file)
    if content is None:
        hint = f"`deploy secrets set {file.stage}{f' {file.region}' if file.region else ''} KEY` makes it"
        raise ConfigurationError("there is no such secrets file", where=Location(file.name), hint=hint)
    return content, tree(content, file.name)


def tree(content: bytes, name: str) -> MappingNode:
    """The tree of an encrypted file. Raises ConfigurationError when it is in plain text, or not what it should be."""
    found = document.parse(content, name)
    if not is_encrypted(found):
        raise ConfigurationError(
            "this file is not encrypted",
            where=Location(name),
            why="it has no `sops` part",
            hint=f"`sops encrypt --in-place {name}`; if it was ever committed or sent, change its secrets",
        )
    return found


def write(file: SecretFile, before: bytes | None, after: bytes) -> None:
    """Put `after` in the place of `before`. Raises ConflictError when the file is no longer that.

    A process that is killed leaves the one or the other. Those who change files with this tool take turns.
    """
    path = Path(os.path.realpath(file.path))
    try:
        with _turn(path.parent):
            if read(file) != before:
                raise ConflictError(
                    "the file was changed meanwhile",
                    where=Location(file.name),
                    why="somebody or something else wrote it while this command was at work",
                    hint="nothing of theirs was overwritten; run the command again",
                )
            _replace(path, after)
    except OSError as error:
        raise ConfigurationError("this file cannot be written", where=Location(file.name), why=error.strerror) from None


@contextlib.contextmanager
def _turn(directory: Path) -> Iterator[None]:
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        with contextlib.suppress(OSError):  # some network file systems have no locks
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _replace(path: Path, content: bytes) -> None:
    mode = path.stat().st_mode & 0o777 if path.exists() else 0o644
    descriptor, temporary = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(content)
            stream.flush()
            os.fchmod(stream.fileno(), mode)
            os.fsync(stream.fileno())
        Path(temporary).replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            Path(temporary).unlink()
        raise


def rules_for(root: Path) -> Path | None:
    """The `.sops.yaml` of the repository, or of a directory around it."""
    return next((path for place in (root, *root.parents) if (path := place / RULES).is_file()), None)
