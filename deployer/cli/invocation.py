"""The command line as it was typed, for messages that tell how to go on."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Callable, Sequence


def command_for(
    stage: str, region: str, arguments: Sequence[str] | None = None
) -> Callable[[Sequence[str]], str | None]:
    """Gives this process' command line (`arguments`) with other regions in the place of `region`.

    None where the command line cannot be repeated as it was: an extra variable's value may be a secret, and is not
    shown for that.
    """
    words = list(sys.argv[1:] if arguments is None else arguments)

    def for_regions(regions: Sequence[str]) -> str | None:
        place = _place_of_region(words, stage, region)
        if place is None or any(_has_value(words, index) for index in range(len(words))):
            return None
        return shlex.join(["deploy", *words[:place], ",".join(regions), *words[place + 1 :]])

    return for_regions


def command_with(option: str, arguments: Sequence[str] | None = None) -> Callable[[Sequence[str]], str | None]:
    """Gives this process' command line (`arguments`) with other regions as the value of an option.

    None, too, where an extra variable's value would be shown.
    """
    words = list(sys.argv[1:] if arguments is None else arguments)

    def for_regions(regions: Sequence[str]) -> str | None:
        if any(_has_value(words, index) for index in range(len(words))):
            return None
        kept, skip = [], False
        for word in words:
            if not skip and word != option and not word.startswith(f"{option}="):
                kept.append(word)
            skip = word == option
        return shlex.join(["deploy", *kept, option, ",".join(regions)])

    return for_regions


def _place_of_region(words: Sequence[str], stage: str, region: str) -> int | None:
    """Where the region stands: the first such word after the stage."""
    if stage not in words:
        return None
    after = words.index(stage) + 1
    return next((index for index in range(after, len(words)) if words[index] == region), None)


def _has_value(words: Sequence[str], index: int) -> bool:
    """Whether a word is an extra variable with its value (`-e KEY=VALUE`); a file's name (`-e @FILE`) is none."""
    word = words[index]
    for option in ("-e", "--extra-vars"):
        if word == option:
            return index + 1 < len(words) and not words[index + 1].startswith("@")
        if word.startswith(f"{option}=") or (option == "-e" and word.startswith("-e") and len(word) > 2):
            return not word.removeprefix(option).removeprefix("=").startswith("@")
    return False
