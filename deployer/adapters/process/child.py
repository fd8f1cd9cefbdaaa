"""A process in its own session, and the care that it ends."""

from __future__ import annotations

import atexit
import contextlib
import errno
import os
import signal
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from deployer.adapters.process.guardian import Guardian
from deployer.errors import ConfigurationError, DeployError, InterruptedBySignal, UnreachableError

GRACE = 5.0
"""Seconds between SIGTERM and SIGKILL."""

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


# Children are registered because only the main thread sees Ctrl-C, while workers wait for their programs.
_running: set[Child] = set()
_running_lock = threading.RLock()  # a signal handler may interrupt its holder
_guardian = Guardian()


class Child:
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
                raise start_failure(self.name, os.fspath(argv[0]), error, cwd) from error
            _running.add(self)
            _guardian.watch(self.popen.pid)

    def __enter__(self) -> Child:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.end()
        self.close()

    def communicate(self, stdin: bytes | None, timeout: float | None) -> Result:
        """Write its input, read its output, and wait for its end."""
        try:
            stdout, stderr = self.popen.communicate(stdin, timeout)
        except subprocess.TimeoutExpired:
            self.end()
            stdout, stderr = self.drain()
            raise TimedOut(too_long(self.name, timeout), stdout=stdout, stderr=stderr) from None
        self.raise_if_stopped()
        return Result(self.popen.returncode, stdout, stderr)

    def signal(self, number: int) -> None:
        """Signal the whole group. A process that was reaped is left alone, since its number may be somebody else's."""
        if self.popen.returncode is None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self.popen.pid, number)

    def stop(self, signal_number: int) -> None:
        """End it without waiting, because this signal came to us; SIGKILL follows after its grace period."""
        self._stopped_by = signal_number
        self.signal(signal.SIGTERM)
        killer = threading.Timer(self._grace, self.signal, [signal.SIGKILL])
        killer.daemon = True
        killer.start()

    def raise_if_stopped(self) -> None:
        """Raise InterruptedBySignal when `stop` was called."""
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
        """Leave the register of running programs."""
        with _running_lock:
            if self in _running:
                _running.discard(self)
                _guardian.release(self.popen.pid)

    def close(self) -> None:
        """Leave the register, and close the pipes."""
        self.forget()
        for pipe in (self.popen.stdin, self.popen.stdout, self.popen.stderr):
            if pipe:
                with contextlib.suppress(OSError, ValueError):
                    pipe.close()


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


def too_long(name: str, timeout: float | None) -> str:
    """What TimedOut says."""
    return f"{name} did not finish within {timeout:g} s" if timeout is not None else f"{name} did not finish"


def start_failure(name: str, path: str, error: OSError | ValueError, cwd: Argument | None) -> DeployError:
    """What is to be said of a program that the system did not start."""
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
