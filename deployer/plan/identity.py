"""Names for a deployment: its id, and the hash of an image that was rebuilt on purpose."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime


def deployment_id(now: datetime, entropy: bytes) -> str:
    """`20261121-070905-3f9a1c`: UTC time and randomness; sorts by time and is a valid Kubernetes label value."""
    return f"{now.astimezone(UTC):%Y%m%d-%H%M%S}-{entropy.hex()[:6]}"


def rebuilt(content_hash: str, salt: str | None) -> str:
    """The hash in the tag: the content's own, or, for an image rebuilt on purpose, one of content and rebuild."""
    if salt is None:
        return content_hash
    return hashlib.sha256(f"rebuild\0{content_hash}\0{salt}".encode()).hexdigest()[:32]
