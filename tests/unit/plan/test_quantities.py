from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from deployer.plan.quantities import quantity


@pytest.mark.parametrize(
    ("value", "number"),
    [
        ("500m", "0.5"),
        ("1Gi", "1073741824"),
        ("1024Mi", "1073741824"),
        ("1.5Ki", "1536"),
        (".5", "0.5"),
        ("1.", "1"),
        ("-2k", "-2000"),
        ("1E", "1e18"),
        ("1E3", "1000"),
        ("1e-3", "0.001"),
        (0.5, "0.5"),
        (3, "3"),
        (1e308, "1e308"),
        ("100n", "1e-7"),
        ("123456789012345678901234567890123456789Ei", str(123456789012345678901234567890123456789 * 1024**6)),
    ],
)
def test_quantities(value: Any, number: str) -> None:
    assert quantity(value) == Decimal(number)


@pytest.mark.parametrize(
    "value",
    [
        *("", "m", ".", "+", "1 ", "1\n", "1x", "1KI", "1_000", "0x1f", "\N{FULLWIDTH DIGIT ONE}", "1mm"),
        *("nan", "Infinity", "-inf", float("inf"), float("nan"), True, None, [], {}, b"1"),
        *("5e90717343", "1e-99999999999", "1e999999999999999999Ei", "1e3Ki", "1e3m"),
    ],
)
def test_what_is_none(value: Any) -> None:
    assert quantity(value) is None


def test_an_integer_too_long_to_be_written_is_none() -> None:
    assert quantity(16**5000) is None


def test_long_numbers_differ_in_their_last_digit() -> None:
    assert quantity("1" * 64) != quantity("1" * 63 + "2")
    assert quantity("1" * 64 + "Ei") != quantity("1" * 63 + "2Ei")
