"""Peak memory of a deployment, without Docker, helm and sops, for a small and for a large artefact."""

from __future__ import annotations

import argparse
import shlex
import tempfile
from contextlib import closing
from pathlib import Path

from benchmarks.measuring import REPOSITORY, machine, main, positive, say, table, verdict
from benchmarks.region import Cluster
from benchmarks.sides import Ours

_TARGET = 150
_GROWTH_TARGET = 16
_MIB = 1024 * 1024


def benchmark() -> bool:
    """Measure, print, and say whether the targets were reached."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.memory", description=__doc__)
    parser.add_argument("--payload", type=positive, default=256, metavar="MIB", help="size of the large artefact")
    parser.add_argument("--command", default=str(REPOSITORY / "wrapper"), help="the command line that starts this tool")
    options = parser.parse_args()
    sizes = (1, options.payload)
    print(f"First deployments, artefacts of {sizes[0]} and {sizes[1]} MiB. {machine()}.\n", flush=True)
    peaks = [_peak(size, shlex.split(options.command)) / 1e6 for size in sizes]
    growth = peaks[1] - peaks[0]
    rows = [
        (f"artefact of {size} MiB", f"{peak:.0f} MB", f"< {_TARGET} MB", verdict(peak < _TARGET))
        for size, peak in zip(sizes, peaks, strict=True)
    ]
    rows.append(("difference", f"{growth:.0f} MB", f"< {_GROWTH_TARGET} MB", verdict(growth < _GROWTH_TARGET)))
    print(table(("", "peak memory", "target", ""), rows))
    return max(peaks) < _TARGET and growth < _GROWTH_TARGET


def _peak(size: int, command: list[str]) -> int:
    say(f"artefact of {size} MiB")
    with Cluster() as cluster, tempfile.TemporaryDirectory(prefix="benchmark-") as parent:
        directory = Path(parent) / "ours"
        directory.mkdir()
        with closing(Ours(cluster, directory, size * _MIB, command)) as ours:
            ours.forget()
            return ours.deploy().peak


if __name__ == "__main__":
    main(benchmark)
