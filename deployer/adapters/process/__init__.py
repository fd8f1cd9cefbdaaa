"""The one place that starts other programs.

Every child gets a session (and so a process group) of its own, and the whole group is ended when its time is up, when
the caller fails, when `stop_all` is called, and (by a guardian) when we are killed: SIGTERM first, SIGKILL after a
grace period. Arguments are visible to every user of the machine, and the environment to this user's other processes:
hand secrets over on stdin or through `pass_fds`. No error raised here repeats arguments, input or output.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from deployer.adapters.process.child import (
    GRACE,
    Argument,
    Child,
    ExecutableMissing,
    Result,
    TimedOut,
    end_all,
    stop_all,
)
from deployer.adapters.process.foreground import run_in_foreground
from deployer.adapters.process.marked import end_marked
from deployer.adapters.process.memory import MemoryDirectory
from deployer.adapters.process.stream import Line, Stream

__all__ = [
    "GRACE",
    "Argument",
    "ExecutableMissing",
    "Line",
    "MemoryDirectory",
    "Result",
    "Stream",
    "TimedOut",
    "end_all",
    "end_marked",
    "run",
    "run_in_foreground",
    "stop_all",
]


def run(
    argv: Sequence[Argument],
    *,
    stdin: bytes | None = None,
    env: Mapping[str, str] | None = None,
    cwd: Argument | None = None,
    timeout: float | None = None,
    pass_fds: Sequence[int] = (),
    grace: float = GRACE,
) -> Result:
    """Run a program to its end and collect its output.

    `stdin` is written to it (None: it reads an empty input, never the terminal); `env` replaces the environment (None:
    ours); `timeout` is in seconds; `pass_fds` are open file descriptors that it inherits under the same numbers.
    A non-zero exit status is not an error here: look at `Result.returncode`.

    Raises ExecutableMissing, TimedOut, and InterruptedBySignal after `stop_all`.
    """
    child = Child(argv, stdin=stdin is not None, env=env, cwd=cwd, pass_fds=pass_fds, merge=False, grace=grace)
    with child:
        return child.communicate(stdin, timeout)
