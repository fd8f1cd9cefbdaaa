"""The content hash of a Docker context (`DockerHash`), from what is known of its entries."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping

from deployer.model import ContextEntry

_FORMAT = b"docker-context-1"


def docker_hash(
    entries: Iterable[ContextEntry], *, platforms: Iterable[str] = (), args: Mapping[str, str] | None = None
) -> str:
    """32 hex digits: the first 128 bits of a SHA-256 over everything that decides what the image becomes.

    That is each entry's kind, path, executable bit and content, in the order of the paths' UTF-8 bytes, then platforms
    and build arguments. Each part is preceded by its length, so that no two contexts read the same. The order of
    `entries`, `platforms` and `args` does not matter. docs/adr/0002-docker-hash.md gives the format and its reasons.
    """
    digest = hashlib.sha256()
    ordered = sorted(entries, key=lambda entry: _encoded(entry.path))
    settings = sorted((_encoded(key), _encoded(value)) for key, value in (args or {}).items())
    targets = sorted({_encoded(platform) for platform in platforms})
    parts: list[bytes] = [_FORMAT, _number(len(ordered))]
    for entry in ordered:
        parts += [entry.kind.encode(), _encoded(entry.path), b"x" if entry.executable else b"-", _content(entry)]
    parts.append(_number(len(targets)))
    parts += targets
    parts.append(_number(len(settings)))
    for key, value in settings:
        parts += [key, value]
    for part in parts:
        digest.update(_number(len(part)))
        digest.update(part)
    return digest.hexdigest()[:32]


def _content(entry: ContextEntry) -> bytes:
    match entry.kind:
        case "file":
            return _number(entry.size) + bytes.fromhex(entry.sha256)
        case "link":
            return _encoded(entry.target)
        case "directory":
            return b""


def _number(value: int) -> bytes:
    return value.to_bytes(8, "big")


def _encoded(text: str) -> bytes:
    return text.encode("utf-8")
