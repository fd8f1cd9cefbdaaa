"""Files that a command writes for its user."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from deployer.errors import UsageError


def write_file(file: Path, text: str) -> None:
    """Write a text so that readers see all of it or what was there before. Raises UsageError.

    What is no ordinary file (a pipe, a terminal) is written to as it is.
    """
    try:
        if file.exists() and not file.is_file():
            file.write_text(text, "utf-8")
            return
        target = file.resolve()  # a link stays one
        descriptor, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name[:100]}.")
        try:
            with open(descriptor, "w", encoding="utf-8") as temporary:  # noqa: PTH123 -- it is open already
                temporary.write(text)
            Path(name).chmod(target.stat().st_mode & 0o777 if target.exists() else 0o666 & ~_umask())
            Path(name).replace(target)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise
    except (OSError, RuntimeError, ValueError) as error:  # a loop of links; a name that no file can have
        why = getattr(error, "strerror", None) or str(error)
        raise UsageError("the file cannot be written", where=str(file), why=why) from error


def _umask() -> int:
    """What the process may not give to new files; it can only be read by setting it."""
    mask = os.umask(0o077)
    os.umask(mask)
    return mask
