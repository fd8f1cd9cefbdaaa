"""A lock between the deployments of one machine. The system frees it however its holder ends."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from deployer.errors import HeldError, UnreachableError
from deployer.model import Target


@contextmanager
def only_one(directory: Path, target: Target) -> Iterator[None]:
    """Hold the lock of a target. Raises HeldError when another process of this user holds it."""
    import filelock

    lock = filelock.FileLock(directory / f"{target.stage}.{target.region}.{target.application}.lock")
    try:
        directory.mkdir(parents=True, exist_ok=True)
        lock.acquire(timeout=0)
    except filelock.Timeout:
        raise HeldError(
            f"another deployment of {target.application} to {target.stage} {target.region} runs on this machine",
            hint="wait until it has ended, then run the same command again",
        ) from None
    except OSError as error:
        raise UnreachableError("the lock cannot be taken", where=str(directory), why=error.strerror) from error
    try:
        yield
    finally:
        lock.release()
