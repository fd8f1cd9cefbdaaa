"""The command line: one module per command; errors become messages and exit codes here, once."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import NoReturn

_LAST = 3.0
"""Seconds for programs that still run when we end."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run `deploy` with these arguments (default: the process's own); the exit code as the contract documents it."""
    import gc

    # A deployment is short and keeps nearly all that it makes: collecting while it imports costs a tenth of its time.
    gc.set_threshold(100_000, 20, 20)
    from deployer.cli.application import run

    return run(list(sys.argv[1:] if arguments is None else arguments))


def entry() -> NoReturn:
    """The process `deploy`: runs the command line and ends at once.

    All is cleaned up when `main` returns; taking the interpreter apart would cost a tenth of a second more.
    """
    import os
    import signal
    from io import TextIOWrapper

    for name in ("stdin", "stdout", "stderr"):
        if getattr(sys, name) is None:  # it was closed when we were started
            setattr(sys, name, open(os.devnull, "r+"))  # noqa: PTH123, SIM115 -- until the process ends
    if isinstance(sys.stdout, TextIOWrapper) and sys.stdout.errors in ("strict", "surrogateescape"):
        sys.stdout.reconfigure(errors="backslashreplace")  # as stderr: a mark that it lacks must not cost the report
    code = main()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)  # we are ending, and must do it in order
    if process := sys.modules.get("deployer.adapters.process"):
        process.end_all(_LAST)  # what a thread that was left behind still runs; exit hooks do not run below
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError):  # its reader has gone, or it was closed
            code = code or 1
    os._exit(code)
