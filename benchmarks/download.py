"""Downloading an artefact from S3 and over HTTP: ours, and curl; and how much memory ours takes for which size."""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from benchmarks import region
from benchmarks.measuring import (
    REPOSITORY,
    Failed,
    Run,
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
from deployer.sandbox.layout import BUCKET

_MIB = 1024 * 1024
_GROWTH_TARGET = 16
_KEY = "benchmark/artefact"


def benchmark() -> bool:
    """Measure, print, and say whether memory stays the same whatever the size."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.download", description=__doc__)
    parser.add_argument("--size", type=positive, default=512, metavar="MIB")
    parser.add_argument("--repetitions", type=positive, default=5, metavar="N")
    options = parser.parse_args()
    curl = shutil.which("curl")
    if curl is None:
        raise Failed("curl is not on this machine")
    print(
        f"{options.size} MiB, {options.repetitions} times each, alternating, whole processes. {machine()}.\n",
        flush=True,
    )
    rows: list[Sequence[str]] = []
    memory: dict[str, list[int]] = {}
    with tempfile.TemporaryDirectory(prefix="benchmark-download-") as name:
        directory = Path(name)
        small, large = directory / "small", directory / "large"
        _make_file(small, _small_size(options.size) * _MIB)
        _make_file(large, options.size * _MIB)
        with _served(directory) as address, _stored(small, large):
            sources: dict[str, Callable[[Path], tuple[str, str]]] = {
                "S3": lambda file: (f"s3://{BUCKET}/{_key(file)}", _presigned(file)),
                "HTTP": lambda file: (f"{address}/{file.name}", f"{address}/{file.name}"),
            }
            for label, source in sources.items():
                sides = _Sides(directory, large, curl, *source(large))
                alternately(options.repetitions, sides.curl, sides.curl_and_digest, sides.ours)
                rows += sides.rows(label)
                little = _Sides(directory, small, curl, *source(small))
                little.ours(0)
                memory[label] = [
                    max(run.peak for run in runs) for runs in (little.results["ours"], sides.results["ours"])
                ]
    print(table(("", "median (range)", "MiB/s", "against curl"), rows))
    reached = True
    print()
    for label, (before, after) in memory.items():
        fits = after - before < _GROWTH_TARGET * _MIB
        reached = reached and fits
        sizes = [(before, _small_size(options.size)), (after, options.size)]
        text = ", ".join(f"{peak / _MIB:.0f} MiB for {size} MiB" for peak, size in sizes)
        print(f"Peak memory of ours, {label}: {text}; target: less than {_GROWTH_TARGET} MiB more: {verdict(fits)}.")
    return reached


class _Sides:
    """Downloads one file in each of the ways, and checks what came."""

    def __init__(self, directory: Path, file: Path, curl: str, source: str, url: str) -> None:
        self._directory = directory
        self._file = file
        self._curl = curl
        self._source = source
        self._url = url
        self.results: dict[str, list[Run]] = {"curl": [], "curl, sha256sum, sync": [], "ours": []}

    def curl(self, _: int) -> None:
        """To a file, and nothing else."""
        target = self._directory / "curl"
        self.results["curl"].append(run([self._curl, "-sSf", "-o", target, self._url]))
        self._check(target)

    def curl_and_digest(self, _: int) -> None:
        """What ours does besides: a digest of the content, which has reached the disk before it counts."""
        target = self._directory / "curl"
        script = '"$0" -sSf -o "$1" "$2" && sha256sum "$1" && sync "$1"'
        command: list[str | Path] = ["bash", "-c", script, self._curl, target, self._url]
        self.results["curl, sha256sum, sync"].append(run(command))
        self._check(target)

    def ours(self, _: int) -> None:
        """Into an empty cache."""
        cache = self._directory / "cache"
        environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
        result = run([sys.executable, "-m", "benchmarks.fetch", self._source, cache], env=environment)
        self.results["ours"].append(result)
        self._check(Path(result.stdout.strip()))
        shutil.rmtree(cache)

    def rows(self, label: str) -> list[Sequence[str]]:
        """The lines of the table."""
        size = self._file.stat().st_size / _MIB
        reference = median(run.seconds for run in self.results["curl"])
        rows: list[Sequence[str]] = []
        for name, runs in self.results.items():
            times = [run.seconds for run in runs]
            rows.append(
                (f"{label}: {name}", spread(times), f"{size / median(times):.0f}", f"{median(times) / reference:.2f}")
            )
        return rows

    def _check(self, path: Path) -> None:
        with self._file.open("rb") as expected, path.open("rb") as found:
            while chunk := expected.read(_MIB):
                if found.read(_MIB) != chunk:
                    raise Failed(f"{path} is not what was served")
            if found.read(1):
                raise Failed(f"{path} is longer than what was served")
        if path.name == "curl":
            path.unlink()


class _Handler(SimpleHTTPRequestHandler):
    """Serves files at little cost, so that the clients are what is measured."""

    protocol_version = "HTTP/1.1"

    def copyfile(self, source: Any, outputfile: Any) -> None:
        """sendfile(2)."""
        outputfile.flush()
        self.connection.sendfile(source)

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""


@contextmanager
def _served(directory: Path) -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(_Handler, directory=str(directory))) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()


@contextmanager
def _stored(*files: Path) -> Iterator[None]:
    client = region.s3()
    try:
        for file in files:
            with file.open("rb") as content:
                client.put_object(Bucket=BUCKET, Key=_key(file), Body=content)
        yield
    finally:
        for file in files:
            client.delete_object(Bucket=BUCKET, Key=_key(file))


def _presigned(file: Path) -> str:
    return str(region.s3().generate_presigned_url("get_object", Params={"Bucket": BUCKET, "Key": _key(file)}))


def _key(file: Path) -> str:
    return f"{_KEY}-{file.name}"


def _small_size(size: int) -> int:
    """The other size, in MiB, that memory is compared with."""
    return max(1, size // 8)


def _make_file(file: Path, size: int) -> None:
    with file.open("wb") as target:
        for _ in range(size // _MIB):
            target.write(os.urandom(_MIB))


if __name__ == "__main__":
    main(benchmark)
