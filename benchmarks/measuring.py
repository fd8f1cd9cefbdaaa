"""Runs commands, takes their time and peak memory, and prints what came out; a run that failed has no numbers."""

from __future__ import annotations

import os
import platform
import resource
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[1]

_SAMPLING = 0.01
_LAST_LINES = 40
_LONGEST_LINE = 500


class Failed(Exception):
    """A run that did not do what it was to be measured at: no benchmark prints a number for it."""


@dataclass(frozen=True, slots=True)
class Run:
    """`seconds` of wall clock, `cpu` seconds (children included), `peak` of resident memory in bytes (without them)."""

    seconds: float
    cpu: float
    peak: int
    stdout: str


def run(
    command: Sequence[str | Path], *, env: Mapping[str, str] | None = None, cwd: Path | None = None, limit: float = 600
) -> Run:
    """Run a command to its end; raises Failed, with the end of its output, unless it exits with 0 within `limit` s."""
    with tempfile.TemporaryFile() as stdout, tempfile.TemporaryFile() as stderr:
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        start = time.perf_counter()
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=stdout, stderr=stderr, env=env, cwd=cwd, start_new_session=True
        )
        memory = _PeakMemory(process.pid)
        late = threading.Event()

        def end() -> None:
            late.set()
            _end(process)

        timer = threading.Timer(limit, end)
        timer.start()
        try:
            # Not `wait(limit)`: that looks only every 50 ms whether the process has ended.
            status = process.wait()
        finally:
            seconds = time.perf_counter() - start
            timer.cancel()
            memory.stop()
            _end(process)
            process.wait()
        out, err = (_content(file.fileno()) for file in (stdout, stderr))
    if status != 0:
        how = f"did not end within {limit:.0f} s" if late.is_set() else f"ended with exit code {status}"
        lines = (out + err).splitlines()[-_LAST_LINES:]
        raise Failed(
            "\n".join([f"{' '.join(map(str, command))} {how}:", *(f"  | {line[:_LONGEST_LINE]}" for line in lines)])
        )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Run(seconds, cpu, memory.peak, out)


def alternately(repetitions: int, *sides: Callable[[int], None]) -> None:
    """Call each side with the number of the repetition; who comes first changes with each, so that neither gains."""
    for repetition in range(repetitions):
        for side in sides if repetition % 2 == 0 else reversed(sides):
            side(repetition)


def positive(text: str) -> int:
    """A number of the command line; raises ValueError, as argparse wants, unless it is 1 or more."""
    number = int(text)
    if number < 1:
        raise ValueError
    return number


def table(heading: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table, the first column flush left and the others flush right."""
    lines = [list(heading), *(list(row) for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(heading))]

    def line(cells: Sequence[str]) -> str:
        pairs = list(zip(cells, widths, strict=True))
        return " | ".join([pairs[0][0].ljust(pairs[0][1]), *(cell.rjust(width) for cell, width in pairs[1:])])

    rule = ["-" * widths[0], *("-" * (width - 1) + ":" for width in widths[1:])]
    return "\n".join(f"| {line(cells)} |" for cells in [lines[0], rule, *lines[1:]])


def median(values: Iterable[float]) -> float:
    """The median; raises Failed when there is nothing to take it of."""
    found = list(values)
    if not found:
        raise Failed("nothing was measured")
    return statistics.median(found)


def spread(values: Sequence[float]) -> str:
    """Seconds for people: the median, and in brackets the fastest and the slowest."""
    return f"{median(values):.2f} s ({min(values):.2f}-{max(values):.2f})"


def machine() -> str:
    """What the figures depend on; a machine that others use as well says so through its load."""
    load = os.getloadavg()[0]
    return f"{os.cpu_count()} processors, load {load:.1f} at the start, Python {platform.python_version()}"


def say(text: str) -> None:
    """Tell whoever waits what is being done."""
    print(text, file=sys.stderr, flush=True)


def verdict(reached: bool) -> str:
    """How a target went."""
    return "reached" if reached else "MISSED"


def main(benchmark: Callable[[], bool]) -> None:
    """Run a benchmark as a program: exit code 0, 1 when a run failed, 3 when a target was missed."""
    try:
        reached = benchmark()
    except Failed as error:
        sys.exit(f"FAILED, so there is no result.\n{error}")
    except KeyboardInterrupt:
        sys.exit(130)
    sys.exit(0 if reached else 3)


class _PeakMemory:
    """Watches the `VmHWM` of a process (proc(5)): unlike wait4(2) it does not count children."""

    def __init__(self, pid: int) -> None:
        self.peak = 0
        self._status = Path(f"/proc/{pid}/status")
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """No more: the process has ended."""
        self._over.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._over.wait(_SAMPLING):
            try:
                text = self._status.read_text()
            except OSError:
                return
            for line in text.splitlines():
                if line.startswith("VmHWM:"):
                    # Not the highest seen: before its exec a process has our memory.
                    self.peak = int(line.split()[1]) * 1024


def _end(process: subprocess.Popen[bytes]) -> None:
    if process.returncode is None:
        os.killpg(process.pid, signal.SIGTERM)


def _content(descriptor: int) -> str:
    os.lseek(descriptor, 0, os.SEEK_SET)
    with os.fdopen(os.dup(descriptor), "rb") as file:
        return file.read().decode("utf-8", "replace")
