"""A program that has the terminal while it runs, such as an editor."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager

from deployer.adapters.process.child import GRACE, Argument, start_failure


def run_in_foreground(
    argv: Sequence[Argument],
    *,
    env: Mapping[str, str] | None = None,
    started: Callable[[int], None] = lambda pid: None,
) -> int:
    """Run a program that shares our terminal, input and output; its exit status (`-N`: ended by signal N).

    Ctrl-C is the program's alone while it runs; what else stops us ends it first. `started` learns its process id.
    Raises ExecutableMissing.
    """
    with _keyboard_is_its():
        try:
            popen = subprocess.Popen([os.fspath(argument) for argument in argv], env=env)
        except (OSError, ValueError) as error:
            raise start_failure(os.path.basename(argv[0]), os.fspath(argv[0]), error, None) from error  # noqa: PTH119
        try:
            started(popen.pid)
            return popen.wait()
        except BaseException:
            popen.terminate()
            try:
                popen.wait(GRACE)
            except subprocess.TimeoutExpired:
                popen.kill()
                popen.wait()
            raise


@contextmanager
def _keyboard_is_its() -> Iterator[None]:
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    # Not SIG_IGN, which the program would inherit.
    before = {number: signal.signal(number, lambda *_: None) for number in (signal.SIGINT, signal.SIGQUIT)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
