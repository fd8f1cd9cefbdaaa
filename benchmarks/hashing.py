"""Hashing a Docker directory of many files: ours, and `find | sort | xargs md5sum`."""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from pathlib import Path

from benchmarks.measuring import (
    REPOSITORY,
    Failed,
    alternately,
    machine,
    main,
    median,
    positive,
    run,
    spread,
    table,
    verdict,
)

_TARGET = 3.0
_PER_DIRECTORY = 100

_OURS = """
import sys, time
from pathlib import Path
from deployer.adapters.context.hashing import scan
from deployer.plan.content_hash import docker_hash
start = time.perf_counter()
print(docker_hash(scan(Path(sys.argv[1]))))
print(time.perf_counter() - start)
"""
_SHELL = 'set -o pipefail; cd -- "$1"; find . -type f -print0 | sort -z | xargs -0 md5sum | md5sum | cut -c -32'


def benchmark() -> bool:
    """Measure, print, and say whether the target was reached."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.hashing", description=__doc__)
    parser.add_argument("--files", type=positive, default=10_000, metavar="N")
    parser.add_argument("--size", type=positive, default=1024, metavar="MIB", help="of all files together")
    parser.add_argument("--repetitions", type=positive, default=5, metavar="N")
    parser.add_argument("--directory", type=Path, help="where to make the files (default: the temporary directory)")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="benchmark-hashing-", dir=options.directory) as name:
        _make_files(Path(name), options.files, options.size * 1024 * 1024)
        os.sync()  # else writing them back would disturb what is measured
        print(f"{options.size} MiB in {options.files} files, page cache warm. {machine()}.\n", flush=True)
        shell, ours = _Side(["bash", "-c", _SHELL, "bash", name]), _Side([sys.executable, "-c", _OURS, name])
        for side in (shell, ours):  # fills the page cache
            side.run(0)
            side.whole.clear()
            side.call.clear()
        alternately(options.repetitions, shell.run, ours.run)
        rows, reached = _rows(shell, ours)
        _change_a_byte(Path(name))
        for side in (shell, ours):
            side.run_changed()
    print(table(("", "median (range)", "times faster", "target", ""), rows))
    return reached


class _Side:
    """One way to hash: seconds of its `whole` processes, and those of the `call` inside where it tells them."""

    def __init__(self, command: list[str]) -> None:
        self._command = command
        self._hash: str | None = None
        self.whole: list[float] = []
        self.call: list[float] = []

    def run(self, _: int) -> None:
        """Once; Failed when it does not give the hash that it gave before."""
        found = self._run()
        if self._hash not in (None, found):
            raise Failed(f"not one hash for the same files: {self._hash}, {found}")
        self._hash = found

    def run_changed(self) -> None:
        """Once more, after a byte has changed."""
        if self._run() == self._hash:
            raise Failed("a changed byte does not change the hash")

    def _run(self) -> str:
        result = run(self._command, env={**os.environ, "PYTHONPATH": str(REPOSITORY)})
        found, *times = result.stdout.split()
        if len(found) != 32:
            raise Failed(f"not a hash: {found}")
        self.whole.append(result.seconds)
        self.call += map(float, times)
        return found


def _rows(shell: _Side, ours: _Side) -> tuple[list[tuple[str, ...]], bool]:
    ratio, whole_ratio = (median(shell.whole) / median(times) for times in (ours.call, ours.whole))
    rows: list[tuple[str, ...]] = [
        ("find, sort, xargs md5sum", spread(shell.whole), "1.0", "", ""),
        ("ours, SHA-256", spread(ours.call), f"{ratio:.1f}", f"{_TARGET:.1f}", verdict(ratio >= _TARGET)),
        ("ours, with the start of Python", spread(ours.whole), f"{whole_ratio:.1f}", "", ""),
    ]
    return rows, ratio >= _TARGET


def _make_files(directory: Path, files: int, size: int) -> None:
    content = os.urandom(size // files + files)
    for number in range(files):
        parent = directory / f"{number // _PER_DIRECTORY:04}"
        parent.mkdir(exist_ok=True)
        (parent / f"{number:06}.bin").write_bytes(content[number : number + size // files])


def _change_a_byte(directory: Path) -> None:
    file = next(directory.rglob("*.bin"))
    content = bytearray(file.read_bytes())
    content[0] ^= 1
    file.write_bytes(content)


if __name__ == "__main__":
    main(benchmark)
