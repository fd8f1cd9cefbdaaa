"""The one place that starts other programs.

Every child gets a session (and so a process group) of its own, and the whole group is ended when its time is up,
when the caller fails, or when `stop_all` is called: SIGTERM first, SIGKILL after a grace period. Arguments are visible
to every user of the machine, and the environment to this user's other processes: hand secrets over on stdin or through
`pass_fds`. No error raised here repeats arguments, input or output.
"""

from __future__ import annotations

import atexit
import contextlib
import errno
import os
import queue
import signal
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import IO, Literal

from deployer.errors import ConfigurationError, DeployError, InterruptedBySignal, UnreachableError

GRACE = 5.0
"""Seconds between SIGTERM and SIGKILL."""

_LONGEST_LINE = 64 * 1024

Argument = str | os.PathLike[str]


class ExecutableMissing(ConfigurationError):
    """The program is not on this machine, or cannot be run on it."""


class TimedOut(UnreachableError):
    """The program did not finish in its time and was ended. `stdout` and `stderr`: what it had written, unmasked."""

    def __init__(self, what: str, *, stdout: bytes = b"", stderr: bytes = b"") -> None:
        super().__init__(what)
        self.stdout = stdout
        self.stderr = stderr


@dataclass(frozen=True, slots=True)
class Result:
    """How a program ended. `returncode` is negative (`-N`) when signal N ended it; the output is unmasked."""

    returncode: int
    stdout: bytes = b""
    stderr: bytes = b""

    @property
    def ok(self) -> bool:
        """Whether it exited with status 0."""
        return self.returncode == 0


@dataclass(frozen=True, slots=True)
class Line:
    """One line of output, without its end. What is not UTF-8 is replaced; lines over 64 KiB come in pieces."""

    text: str
    source: Literal["stdout", "stderr"] = "stdout"


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
    child = _Child(argv, stdin=stdin is not None, env=env, cwd=cwd, pass_fds=pass_fds, merge=False, grace=grace)
    with child:
        try:
            stdout, stderr = child.popen.communicate(stdin, timeout)
        except subprocess.TimeoutExpired:
            child.end()
            stdout, stderr = child.drain()
            raise TimedOut(_too_long(child.name, timeout), stdout=stdout, stderr=stderr) from None
        child.raise_if_stopped()
        return Result(child.popen.returncode, stdout, stderr)


class Stream:
    """A running program whose output is read line by line, as it comes. Use it as a context manager:

        with Stream(["docker", "buildx", "build", "-"], stdin=context) as build:
            for line in build:
                sink.emit(OutputLine("build", mask(line.text)))
        if build.returncode: ...

    The arguments are those of `run`. With `merge` (the default) standard error goes into standard output, in the order
    written; without it each Line says where it comes from. Leaving the block ends a program that still runs; after
    the last line `returncode` is set. Iterating raises TimedOut, and InterruptedBySignal after `stop_all`.
    """

    def __init__(
        self,
        argv: Sequence[Argument],
        *,
        stdin: bytes | None = None,
        env: Mapping[str, str] | None = None,
        cwd: Argument | None = None,
        timeout: float | None = None,
        pass_fds: Sequence[int] = (),
        merge: bool = True,
        grace: float = GRACE,
    ) -> None:
        self.returncode: int | None = None
        self._timeout = timeout
        self._deadline = None if timeout is None else time.monotonic() + timeout
        self._queue: queue.SimpleQueue[Line | None] = queue.SimpleQueue()
        child = _Child(argv, stdin=stdin is not None, env=env, cwd=cwd, pass_fds=pass_fds, merge=merge, grace=grace)
        self._child = child
        self._open = 0
        self._threads: list[threading.Thread] = []
        try:
            if stdin is not None and child.popen.stdin:
                self._start(_feed, child.popen.stdin, stdin)
            if child.popen.stdout:
                self._start(self._read, child.popen.stdout, "stdout")
                self._open += 1
            if child.popen.stderr:
                self._start(self._read, child.popen.stderr, "stderr")
                self._open += 1
        except BaseException:
            child.close()
            raise

    @property
    def pid(self) -> int:
        """Its process id, which is its group's too."""
        return self._child.popen.pid

    def terminate(self) -> None:
        """Ask it to stop (SIGTERM to its group). Callable from any thread; the iteration then ends by itself."""
        self._child.signal(signal.SIGTERM)

    def __iter__(self) -> Iterator[Line]:
        while self._open:
            left = None if self._deadline is None else max(0.0, self._deadline - time.monotonic())
            try:
                line = self._queue.get(timeout=left)
            except queue.Empty:
                self._child.end()
                raise TimedOut(_too_long(self._child.name, self._timeout)) from None
            if line is None:
                self._open -= 1
            else:
                yield line
        try:
            left = None if self._deadline is None else max(0.0, self._deadline - time.monotonic())
            self.returncode = self._child.popen.wait(left)
        except subprocess.TimeoutExpired:
            self._child.end()
            raise TimedOut(_too_long(self._child.name, self._timeout)) from None
        self._child.raise_if_stopped()

    def __enter__(self) -> Stream:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._child.end()
        for thread in self._threads:
            thread.join(1.0)
        # A stranger may hold the pipe open: closing it under its reader would block for ever.
        if not any(thread.is_alive() for thread in self._threads):
            self._child.close()
        self._child.forget()
        self.returncode = self._child.popen.returncode

    def _start(self, work: object, *arguments: object) -> None:
        thread = threading.Thread(target=work, args=arguments, daemon=True)  # type: ignore[arg-type]
        thread.start()
        self._threads.append(thread)

    def _read(self, pipe: IO[bytes], source: Literal["stdout", "stderr"]) -> None:
        with contextlib.suppress(OSError, ValueError):  # closed under us, when the block was left early
            while piece := pipe.readline(_LONGEST_LINE):
                self._queue.put(Line(piece.decode("utf-8", "replace").rstrip("\r\n"), source))
        self._queue.put(None)


def stop_all(signal_number: int = signal.SIGTERM) -> None:
    """End every program that any thread is running through this module: their callers get InterruptedBySignal.

    For the signal handling of the command line; `signal_number` is what stopped us. Returns as soon as SIGTERM went
    out; SIGKILL follows after the grace period while our process lives, so wait for the workers before exiting.
    Later starts are not hindered (there may be something to repair): workers must look for themselves whether to go on.
    """
    with _running_lock:
        children = list(_running)
    for child in children:
        child.stop(signal_number)


def end_all(grace: float = GRACE) -> None:
    """End every program that is still running and wait until it has ended, at most `grace` seconds before SIGKILL.

    For the very end of our process, when workers that were not waited for may have left some. It runs at the
    interpreter's exit by itself; who calls `os._exit` calls it before.
    """
    stop_all()
    deadline = time.monotonic() + grace
    with _running_lock:
        children = list(_running)
    for child in children:
        child.finish(deadline)


atexit.register(end_all)

# Children are registered because only the main thread sees Ctrl-C, while workers wait for their programs.
_running: set[_Child] = set()
_running_lock = threading.RLock()  # a signal handler may interrupt its holder


class _Child:
    """A process in its own session, and the care that it ends."""

    def __init__(
        self,
        argv: Sequence[Argument],
        *,
        stdin: bool,
        env: Mapping[str, str] | None,
        cwd: Argument | None,
        pass_fds: Sequence[int],
        merge: bool,
        grace: float,
    ) -> None:
        self.name = Path(argv[0]).name
        self._grace = grace
        self._stopped_by: int | None = None
        with _running_lock:  # `stop_all` in another thread waits, and so never misses a program that is just starting
            try:
                self.popen = subprocess.Popen(
                    [os.fspath(argument) for argument in argv],
                    stdin=subprocess.PIPE if stdin else subprocess.DEVNULL,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.STDOUT if merge else subprocess.PIPE,
                    env=env,
                    cwd=cwd,
                    pass_fds=tuple(pass_fds),
                    start_new_session=True,
                )
            except (OSError, ValueError) as error:
                raise _start_failure(self.name, os.fspath(argv[0]), error, cwd) from error
            _running.add(self)

    def __enter__(self) -> _Child:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.end()
        self.close()

    def signal(self, number: int) -> None:
        """Signal the whole group. A process that was reaped is left alone, since its number may be somebody else's."""
        if self.popen.returncode is None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self.popen.pid, number)

    def stop(self, signal_number: int) -> None:
        self._stopped_by = signal_number
        self.signal(signal.SIGTERM)
        killer = threading.Timer(self._grace, self.signal, [signal.SIGKILL])
        killer.daemon = True
        killer.start()

    def raise_if_stopped(self) -> None:
        if self._stopped_by is not None:
            raise InterruptedBySignal(self._stopped_by, f"{self.name} was stopped")

    def end(self) -> None:
        """Make sure that it and what it started have ended."""
        if self.popen.returncode is None:
            self.signal(signal.SIGTERM)
            self.finish(time.monotonic() + self._grace)

    def finish(self, deadline: float) -> None:
        """Wait for its end until the deadline (of time.monotonic), then kill what is left of its group."""
        if self.popen.returncode is not None:
            return
        # WNOWAIT leaves the zombie, so that its group's number cannot be taken by another process meanwhile.
        options = os.WEXITED | os.WNOWAIT | os.WNOHANG
        while time.monotonic() < deadline:
            try:
                if os.waitid(os.P_PID, self.popen.pid, options) is not None:
                    break
            except ChildProcessError:
                break
            time.sleep(0.01)
        self.signal(signal.SIGKILL)
        self.popen.wait()

    def drain(self) -> tuple[bytes, bytes]:
        """What is left in the pipes of a program that was ended. A stranger that holds them open is not waited for."""
        try:
            stdout, stderr = self.popen.communicate(timeout=1.0)
        except subprocess.TimeoutExpired as expired:
            return expired.stdout or b"", expired.stderr or b""
        return stdout or b"", stderr or b""

    def forget(self) -> None:
        with _running_lock:
            _running.discard(self)

    def close(self) -> None:
        self.forget()
        for pipe in (self.popen.stdin, self.popen.stdout, self.popen.stderr):
            if pipe:
                with contextlib.suppress(OSError, ValueError):
                    pipe.close()


def _feed(pipe: IO[bytes], content: bytes) -> None:
    with contextlib.suppress(OSError, ValueError):  # it may exit without reading its input: its status tells
        pipe.write(content)
    with contextlib.suppress(OSError, ValueError):
        pipe.close()


def _too_long(name: str, timeout: float | None) -> str:
    return f"{name} did not finish within {timeout:g} s" if timeout is not None else f"{name} did not finish"


def _start_failure(name: str, path: str, error: OSError | ValueError, cwd: Argument | None) -> DeployError:
    if isinstance(error, ValueError):
        return ConfigurationError(f"{name} cannot be started", why=str(error))
    if cwd is not None and error.filename is not None and os.fspath(error.filename) == os.fspath(cwd):
        return ConfigurationError(f"{name} cannot be started", where=os.fspath(cwd), why=error.strerror)
    hint = "`deploy doctor` lists the tools that are needed and how to get them"
    match error.errno:
        case errno.ENOENT | errno.ENOTDIR:
            return ExecutableMissing(f"{name} was not found", where=path if os.sep in path else None, hint=hint)
        case errno.EACCES | errno.ENOEXEC:
            return ExecutableMissing(f"{name} cannot be run on this machine", where=path, why=error.strerror, hint=hint)
    return DeployError(f"{name} cannot be started", where=path, why=error.strerror)
