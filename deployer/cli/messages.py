"""Errors as their readers see them: what failed, where, why, and what to do next."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from typing import TextIO

from deployer.errors import DeployError
from deployer.report.words import printable as printable

_RED, _DIM, _BOLD, _RESET = "\x1b[31m", "\x1b[2m", "\x1b[1m", "\x1b[0m"


def error_lines(error: DeployError, *, colour: bool = False) -> Iterator[str]:
    """An error as lines, one paragraph for each of its leaves."""
    red, dim, bold, reset = (_RED, _DIM, _BOLD, _RESET) if colour else ("", "", "", "")
    for leaf in map(_printable, error.leaves()):
        yield f"{red}{bold}error:{reset} {bold}{leaf.what}{reset}"
        if leaf.where:
            yield f"  {dim}where:{reset} {leaf.where}"
        if leaf.regions:
            yield f"  {dim}   in:{reset} {', '.join(leaf.regions)}"
        for step in leaf.chain:
            yield f"  {dim}   by:{reset} {step}"
        if leaf.why:
            first, *rest = str(leaf.why).splitlines() or [""]
            yield f"  {dim}  why:{reset} {first}"
            yield from (f"         {line}" for line in rest)
        if leaf.hint:
            first, *rest = leaf.hint.splitlines() or [""]
            yield f"  {dim} next:{reset} {first}"
            yield from (f"         {line}" for line in rest)


def _printable(leaf: DeployError) -> DeployError:
    def clean(text: object) -> str | None:
        return printable(str(text)) if text else None

    chain = [printable(step) for step in leaf.chain]
    shown = DeployError(
        printable(leaf.what), where=clean(leaf.where), why=clean(leaf.why), hint=clean(leaf.hint), chain=chain
    )
    shown.regions = leaf.regions
    return shown


def show_error(error: DeployError) -> None:
    """Write an error to standard error, coloured on a terminal."""
    with contextlib.suppress(OSError, ValueError):  # nobody is left to be told
        for line in error_lines(error, colour=wants_colour()):
            sys.stderr.write(line + "\n")
        sys.stderr.flush()


def show_warning(text: str) -> None:
    """Write a warning to standard error, where nothing else tells it."""
    with contextlib.suppress(OSError, ValueError):
        sys.stderr.write(f"warning: {printable(text)}\n")
        sys.stderr.flush()


def wants_colour(stream: TextIO | None = None) -> bool:
    """Whether a stream (standard error) is a terminal that nobody has asked to stay plain (no-color.org)."""
    import os

    return (stream or sys.stderr).isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
