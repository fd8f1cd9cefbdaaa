"""Texts that are cut before anybody can mask them."""

from __future__ import annotations

import pytest

from deployer.masking.cutting import cut_between_words


@pytest.mark.parametrize(
    ("text", "cut"),
    [
        ("short", "short"),
        ("two\n  lines", "two lines"),
        ("the token abcdef-ghijkl", "the token …"),
        ("the token " + "a" * 40, "the token …"),
        ("a" * 40, "…"),
        ("", ""),
    ],
)
def test_words_stay_whole(text: str, cut: str) -> None:
    assert cut_between_words(text, 20) == cut
