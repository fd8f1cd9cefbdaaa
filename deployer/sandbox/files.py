"""Writes small files at once, and only when they change: daemons watch some of them."""

from __future__ import annotations

import os
import secrets
from pathlib import Path


def write(file: Path, text: str, mode: int = 0o600) -> bool:
    """Have the file say `text`, with this mode; False when it does already. It is replaced, never half-written."""
    content = text.encode()
    try:
        if file.read_bytes() == content and file.stat().st_mode & 0o777 == mode:
            return False
    except FileNotFoundError:
        pass
    temporary = file.with_name(f".{file.name}.{secrets.token_hex(4)}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as opened:
            opened.write(content)
        temporary.chmod(mode)
        temporary.replace(file)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    return True
