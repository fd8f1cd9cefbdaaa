"""Every secret that this process has seen, for what nobody says on purpose: tracebacks, warnings of libraries."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from deployer.masking.masker import Masker

_SEEN = Masker()


def remember(content: Any) -> None:
    """Keep the texts of a decrypted document, or one decrypted text, from such output."""
    _SEEN.add(_texts(content))


def mask_seen(text: str) -> str:
    """The text without any value that was decrypted, also such as may be shown elsewhere."""
    return _SEEN.mask(text)


def _texts(content: Any) -> Iterator[str]:
    match content:
        case str():
            yield content
        case dict():
            for value in content.values():
                yield from _texts(value)
        case list():
            for value in content:
                yield from _texts(value)
        case int() | float() if not isinstance(content, bool):
            yield str(content)
