"""Resource quantities, of which one number has many spellings: `1`, `1000m`; `1Gi`, `1024Mi`."""

from __future__ import annotations

import re
from decimal import Context, Decimal
from typing import Any

# https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/quantity/; an exponent of more digits would be
# none that a computer has, and a number of as many.
_QUANTITY = re.compile(
    r"(?P<number>[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+))(?P<suffix>[KMGTPE]i|[numkMGTPE]|[eE][+-]?[0-9]{1,3})?"
)

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
    try:
        text = str(value)
    except ValueError:  # an integer that is too long to be written in digits
        return None
    match = _QUANTITY.fullmatch(text)
    if match is None:
        return None
    number, suffix = match["number"], match["suffix"] or ""
    factor = Decimal(1024) ** _BINARY[suffix] if suffix in _BINARY else Decimal(_SUFFIXES.get(suffix) or f"1{suffix}")
    # Exact: what is no quantity (a digest that is all digits) is asked for too, and may differ in the last digit.
    return Context(prec=len(text) + 20).multiply(Decimal(number), factor)
