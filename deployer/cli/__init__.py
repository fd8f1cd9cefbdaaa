"""The command line: one module per command; errors become messages and exit codes here, once."""

from __future__ import annotations

import sys
from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> int:
    """Run `deploy` with these arguments (default: the process's own); the exit code as the contract documents it."""
    import gc

    # A deployment is short and keeps nearly all that it makes: collecting while it imports costs a tenth of its time.
    gc.set_threshold(100_000, 20, 20)
    from deployer.cli.application import run

    return run(list(sys.argv[1:] if arguments is None else arguments))
