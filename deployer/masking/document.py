"""Masking inside a document, text by text, so that its structure stays what it is."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


def mask_texts(value: Any, mask: Callable[[str], str]) -> Any:
    """The JSON-like value with every text in it masked; keys are left as they are."""
    match value:
        case str():
            return mask(value)
        case dict():
            return {key: mask_texts(item, mask) for key, item in value.items()}
        case list() | tuple():
            return [mask_texts(item, mask) for item in value]
        case _:
            return value
