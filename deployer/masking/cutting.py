"""Cuts texts that are masked only later, so that no beginning of a secret is left that the mask does not know."""

from __future__ import annotations

import textwrap


def cut_between_words(text: str, longest: int) -> str:
    """The text on one line of at most `longest` characters, words left whole.

    A secret that has no blanks, as tokens and keys have none, is in it as a whole or not at all. Who can mask the text
    before cutting it does that instead.
    """
    return textwrap.shorten(text, longest, break_long_words=False, break_on_hyphens=False, placeholder=" …").strip()
