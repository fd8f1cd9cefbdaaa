"""Writes results to standard output; what has been done stays done when nobody can read about it."""

from __future__ import annotations

import sys

from deployer.errors import DeployError


class UnwrittenError(DeployError):
    """Standard output does not take what was asked for."""


def print_result(text: str) -> None:
    """Write the result of what was done.

    A full disk behind standard output is told on standard error and changes no exit code: what was done is done.
    Raises BrokenPipeError when the reader has gone: the process then ends without a word.
    """
    try:
        print_answer(text)
    except UnwrittenError as error:
        from deployer.cli.messages import show_error

        show_error(error)


def print_answer(text: str) -> None:
    """Write what a command that changes nothing was asked for.

    Raises UnwrittenError when it cannot be written, and BrokenPipeError when the reader has gone.
    """
    try:
        sys.stdout.write(text if text.endswith("\n") else text + "\n")
        sys.stdout.flush()
    except BrokenPipeError:
        raise
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or "it is closed"
        if isinstance(error, UnicodeEncodeError):
            why = f"its encoding, {error.encoding}, has no {error.object[error.start]!a}"
        raise UnwrittenError("the result cannot be written to standard output", why=why) from None
