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
import sys
from pathlib import Path
from deployer.adapters.context.hashing import scan
from deployer.plan.content_hash import docker_hash
print(docker_hash(scan(Path(sys.argv[1]))))
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
        print(f"{options.size} MiB in {options.files} files, page cache warm, whole processes. {machine()}.\n")
        environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
        commands = {
            "find, sort, xargs md5sum": ["bash", "-c", _SHELL, "bash", name],
            "ours (SHA-256)": [sys.executable, "-c", _OURS, name],
        }
        hashes: dict[str, set[str]] = {label: set() for label in commands}
        times: dict[str, list[float]] = {label: [] for label in commands}

        def side(label: str) -> None:
            result = run(commands[label], env=environment)
            hashes[label].add(result.stdout.strip())
            times[label].append(result.seconds)

        for label in commands:  # fills the page cache
            side(label)
            times[label].clear()
        alternately(options.repetitions, *(lambda _, label=label: side(label) for label in commands))
        _check_same(hashes)
        _change_a_byte(Path(name))
        for label in commands:
            side(label)
        _check_different(hashes)
    shell, ours = (times[label][: options.repetitions] for label in commands)
    ratio = median(shell) / median(ours)
    rows = [
        ("find, sort, xargs md5sum", spread(shell), "1.0", "", ""),
        ("ours (SHA-256)", spread(ours), f"{ratio:.1f}", f"{_TARGET:.1f}", verdict(ratio >= _TARGET)),
    ]
    print(table(("", "median (range)", "times faster", "target", ""), rows))
    return ratio >= _TARGET


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


def _check_same(hashes: dict[str, set[str]]) -> None:
    if any(len(found) != 1 or len(next(iter(found))) != 32 for found in hashes.values()):
        raise Failed(f"not one hash for the same files: {hashes}")


def _check_different(hashes: dict[str, set[str]]) -> None:
    if any(len(found) != 2 for found in hashes.values()):
        raise Failed("a changed byte does not change the hash")


if __name__ == "__main__":
    main(benchmark)
