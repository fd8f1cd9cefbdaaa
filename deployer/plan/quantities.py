"""Resource quantities, of which one number has many spellings: `1`, `1000m`; `1Gi`, `1024Mi`."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from typing import Any

_SUFFIXES = {
    "n": "1e-9",
    "u": "1e-6",
    "m": "1e-3",
    "k": "1e3",
    "M": "1e6",
    "G": "1e9",
    "T": "1e12",
    "P": "1e15",
    "E": "1e18",
}
_BINARY = {"Ki": 1, "Mi": 2, "Gi": 3, "Ti": 4, "Pi": 5, "Ei": 6}


def quantity(value: Any) -> Decimal | None:
    """A resource quantity (`500m`, `1Gi`, `0.5`) as a number; None for anything else."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    text = str(value)
    factor = Decimal(1)
    if text[-2:] in _BINARY:
        text, factor = text[:-2], Decimal(1024) ** _BINARY[text[-2:]]
    elif text[-1:] in _SUFFIXES:
        text, factor = text[:-1], Decimal(_SUFFIXES[text[-1]])
    try:
        number = Decimal(text) * factor
    except InvalidOperation:
        return None
    return number if number.is_finite() else None
