"""What nobody foresaw is told as well, without a secret in it: tracebacks, lost exceptions, libraries' warnings."""

from __future__ import annotations

import sys
import threading
import warnings
from contextlib import suppress
from typing import Any, TextIO

from deployer.masking.seen import mask_seen


def show_traceback() -> None:
    """Write the traceback of the exception that is being handled, masked."""
    import traceback

    _tell(traceback.format_exc())


def tell_masked(*, debug: bool) -> None:
    """From now on nothing of Python's own reaches standard error unmasked.

    An exception that ends a thread is told by its type, and with `debug` by its traceback.
    """

    def lost(arguments: Any) -> None:
        error = arguments.exc_value
        if error is None or isinstance(error, SystemExit):
            return
        if debug:
            import traceback

            _tell("".join(traceback.format_exception(error)))
        else:
            _tell(f"warning: work in the background failed ({type(error).__name__}); --debug shows where\n")

    def warn(
        message: Warning | str,
        category: type[Warning],
        filename: str,
        lineno: int,
        file: TextIO | None = None,
        line: str | None = None,
    ) -> None:
        _tell(warnings.formatwarning(message, category, filename, lineno, line))

    threading.excepthook = lost
    sys.unraisablehook = lost
    warnings.showwarning = warn


def mask_logging() -> None:
    """What libraries log and nobody handles is masked, too. Apart, since it imports `logging`."""
    import logging

    class LastResort(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            with suppress(Exception):
                _tell(self.format(record) + "\n")

    logging.lastResort = LastResort(logging.WARNING)


def _tell(text: str) -> None:
    with suppress(OSError, ValueError):  # nobody is left to be told
        sys.stderr.write(mask_seen(text))
        sys.stderr.flush()
