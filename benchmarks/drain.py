"""Rolling deployments of all regions under load, with and without draining each of them before. A simulation."""

from __future__ import annotations

import argparse
import json
import time

from benchmarks.clients import Clients
from benchmarks.led import Led, led
from benchmarks.measuring import REPOSITORY, Run, machine, main, positive, say, spread, table, verdict
from deployer.sandbox.layout import REGIONS

_EVERY = 0.4
_REST = 5.0

WAYS: dict[str, tuple[str, ...]] = {
    "all regions at once": (),
    "one region after the other": ("--waves", ",".join(region.name for region in REGIONS)),
    "one after the other, each drained": ("--drain",),
}
"""What is compared → the options for it."""


def benchmark() -> bool:
    """Measure, print, and say whether no request was lost with drains."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.drain", description=__doc__)
    parser.add_argument(
        "--clients", type=positive, default=3, metavar="N", help="that cache, near each region (default: 3)"
    )
    parser.add_argument("--repetitions", type=positive, default=1, metavar="N")
    parser.add_argument("--command", default=str(REPOSITORY / "wrapper"), help="the command line that starts this tool")
    options = parser.parse_args()
    print(f"A simulation: the sandbox's Route 53 and checkers. {machine()}.\n", flush=True)
    rows, reached = [], True
    with led(options.command) as (side, _):
        for title, way in WAYS.items():
            found = [_measure(side, title, way, options.clients) for _ in range(options.repetitions)]
            lost = sum(len(clients.lost()) for _, clients in found)
            sent = sum(len(clients.sent) for _, clients in found)
            drained = "--drain" in way
            away = _away([run for run, _ in found]) if drained else ""
            seconds = spread([run.seconds for run, _ in found])
            rows.append(
                (
                    title,
                    seconds,
                    away,
                    str(sent),
                    str(lost),
                    "0" if drained else "",
                    verdict(not lost) if drained else "",
                )
            )
            reached = reached and not (drained and lost)
    print(table(("", "time", "each out of DNS", "requests", "lost", "target", ""), rows))
    return reached


def _measure(side: Led, title: str, way: tuple[str, ...], caching: int) -> tuple[Run, Clients]:
    say(title)
    side.change_value()
    regions = [region.name for region in REGIONS]
    with Clients(side.host, "/greeting.txt", regions, caching=caching, every=_EVERY) as clients:
        time.sleep(_REST)
        run = side.deploy("deployed", *way)
        time.sleep(_REST)
    clients.check()
    return run, clients


def _away(runs: list[Run]) -> str:
    """For how long regions were out of DNS."""
    targets = [target for run in runs for target in json.loads(run.stdout)["targets"]]
    return spread([float(target["drained"]["seconds"]) for target in targets])


if __name__ == "__main__":
    main(benchmark)
