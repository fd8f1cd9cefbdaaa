"""A build log of 50 MB on its way through the builder to the display: with and without secrets to look for."""

from __future__ import annotations

import argparse
import secrets
import shlex
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from benchmarks.measuring import Failed, alternately, machine, main, median, positive, say, spread, table, verdict
from deployer.adapters.docker import DockerBuilder
from deployer.cli.display import PlainDisplay
from deployer.cli.masked import MaskingSink
from deployer.execute.image_ports import BuildRequest
from deployer.masking import Masker, MaskingStream
from deployer.masking.masker import Search
from deployer.model import Image, Secret

_TARGET = 10.0
_COUNTS = (0, 5, 50, 500)
_STEPS = (
    "#{step} {time:.1f} Get:{line} http://deb.debian.org/debian bookworm/main amd64 libpackage{line} {line}.2-3",
    "#{step} {time:.2f} Selecting previously unselected package libpackage{line}:amd64.",
    "#{step} {time:.2f} Preparing to unpack .../{line}-libpackage_{line}.2-3_amd64.deb ...",
    "#{step} {time:.2f} npm http fetch GET 200 https://registry.npmjs.org/package-{line} {line}ms (cache miss)",
    "#{step} {time:.2f} [INFO] Compiling {line} source files with javac [debug release 21] to target/classes",
    "#{step} {time:.2f}   PASS src/components/widget{line}/widget.test.tsx ({line} ms)",
    "#{step} {time:.2f} sha256:{line:064x} {line}kB / {line}kB 0.{line}s done",
)


def benchmark() -> bool:
    """Measure, print, and say whether the target was reached."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.masking", description=__doc__)
    parser.add_argument("--size", type=positive, default=50, metavar="MB")
    parser.add_argument("--repetitions", type=positive, default=5, metavar="N")
    options = parser.parse_args()
    print(f"A log of {options.size} MB, {options.repetitions} times each. {machine()}.\n", flush=True)
    times: dict[int, list[tuple[float, float, float]]] = {count: [] for count in _COUNTS}
    with tempfile.TemporaryDirectory(prefix="benchmark-masking-") as parent:
        directory = Path(parent)
        log = directory / "log"
        known = [secrets.token_urlsafe(24) for _ in range(max(_COUNTS))]
        lines = _write_log(log, options.size * 1_000_000, known[0])
        program = directory / "buildx"
        program.write_text(f"#!/bin/sh\nexec cat {shlex.quote(str(log))}\n")
        program.chmod(0o755)
        (directory / "Dockerfile").write_text("FROM scratch\n")

        def measured(count: int, _: int) -> None:
            say(f"{count} secrets")
            times[count].append(_build(program, directory, known[:count], lines))

        alternately(options.repetitions, *(partial(measured, count) for count in _COUNTS))
    rows, reached = [], True
    for count in _COUNTS:
        wall, work, masking = zip(*times[count], strict=True)
        # Within each run, since from one run to the next the other work differs by more than masking costs.
        costs = median(100 * own / (every - own) for every, own in zip(work, masking, strict=True))
        reached &= costs <= _TARGET
        judged = (f"{costs:.1f} %", f"{_TARGET:.0f} %", verdict(costs <= _TARGET)) if count else ("", "", "")
        rows.append(
            (f"{count} secrets" if count else "no secret", spread(wall), spread(work), spread(masking), *judged)
        )
    print(table(("", "on the clock", "processor time", "of it masking", "adds", "target", ""), rows))
    return reached


def _build(program: Path, context: Path, known: Sequence[str], lines: int) -> tuple[float, float, float]:
    """Seconds on the clock, of the processor, and of it for masking. Raises Failed unless every line came, masked."""
    masker = _Timed(known)
    request = BuildRequest(context, Image("registry.test", "app", "1"))
    with (context / "shown").open("w+", encoding="utf-8") as file:
        sink = MaskingSink(PlainDisplay(stream=file), masker.mask)
        began, before = time.perf_counter(), time.process_time()
        DockerBuilder(lambda: program, masker).build_and_push(request, _Registry(), sink)  # type: ignore[arg-type]
        seconds, work = time.perf_counter() - began, time.process_time() - before
        file.seek(0)
        shown = leaks = 0
        for line in file:
            shown += 1
            leaks += any(secret in line for secret in known[:1])
    if shown != lines or leaks:
        raise Failed(f"{shown} lines were shown of {lines}, {leaks} with a secret")
    return seconds, work, masker.work


class _Timed(Masker):
    """Knows how long it took: to make the search, and for the output."""

    work = 0.0

    def search(self) -> Search | None:
        """As every masker."""
        with self.measured():
            return super().search()

    def stream(self) -> MaskingStream:
        """Whose time counts."""
        return _TimedStream(self)

    @contextmanager
    def measured(self) -> Iterator[None]:
        """Count this block's processor time."""
        began = time.thread_time()
        yield
        self.work += time.thread_time() - began


class _TimedStream(MaskingStream):
    def __init__(self, masker: _Timed) -> None:
        super().__init__(Masker())
        self._timed = masker
        self._inner = MaskingStream(masker)

    def feed(self, chunk: str) -> str:
        began, known = time.thread_time(), self._timed.work
        shown = self._inner.feed(chunk)
        self._timed.work = known + time.thread_time() - began
        return shown

    def flush(self) -> str:
        return self._inner.flush()


class _Registry:
    """Has the image as soon as it was asked once."""

    def __init__(self) -> None:
        self._asked = False

    def digest(self, image: Image) -> str | None:
        """None, and then a digest."""
        asked, self._asked = self._asked, True
        return f"sha256:{0:064x}" if asked else None

    def credentials(self) -> tuple[str, Secret]:
        """Nobody's."""
        return "user", Secret("password")


def _write_log(file: Path, size: int, secret: str) -> int:
    """Write what BuildKit would have said; a step prints a secret now and then. The number of lines."""
    written = lines = 0
    with file.open("w") as log:
        while written < size:
            step = _STEPS[lines % len(_STEPS)]
            text = step.format(step=5 + lines // 20_000, time=lines % 20_000 / 100, line=lines % 9973)
            written += log.write(f"{text}{f' token={secret}' if lines % 5000 == 0 else ''}\n")
            lines += 1
    return lines


if __name__ == "__main__":
    main(benchmark)
