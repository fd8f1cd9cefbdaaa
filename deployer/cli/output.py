"""Writes results to standard output; what has been done stays done when nobody can read about it."""

from __future__ import annotations

import sys

from deployer.errors import DeployError


def print_result(text: str) -> None:
    """Write a result. A full disk behind standard output is told on standard error and changes no exit code.

    Raises BrokenPipeError when the reader has gone: the process then ends without a word.
    """
    try:
        sys.stdout.write(text if text.endswith("\n") else text + "\n")
        sys.stdout.flush()
    except BrokenPipeError:
        raise
    except (OSError, ValueError) as error:
        from deployer.cli.messages import show_error

        why = getattr(error, "strerror", None) or "it is closed"
        show_error(DeployError("the result cannot be written to standard output", why=why))
