"""An app that is killed in one region under load: how long until clients are served by another one. A simulation."""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable

from benchmarks.clients import Clients, Sent
from benchmarks.led import INTERVAL, THRESHOLD, TTL, Led, led
from benchmarks.measuring import REPOSITORY, Failed, machine, main, positive, say, table, verdict
from benchmarks.region import Cluster
from deployer.sandbox.layout import REGIONS

_BOUND = INTERVAL * THRESHOLD + TTL
_REGION = REGIONS[0].name
_EVERY = 0.4
_BEFORE, _AFTER = 10.0, 20.0
"""Seconds of load before the app is killed, and beyond the bound."""


def benchmark() -> bool:
    """Measure, print, and say whether no request was lost after the bound."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.failover", description=__doc__)
    parser.add_argument(
        "--clients", type=positive, default=10, metavar="N", help="that cache DNS answers (default: 10)"
    )
    parser.add_argument("--command", default=str(REPOSITORY / "wrapper"), help="the command line that starts this tool")
    options = parser.parse_args()
    print(f"A simulation: the sandbox's Route 53 and checkers. {machine()}.\n", flush=True)
    with led(options.command) as (side, clusters):
        return _measure(side, clusters[_REGION], options.clients)


def _measure(side: Led, cluster: Cluster, caching: int) -> bool:
    replicas = cluster.deployment(side.name, side.name)["spec"]["replicas"]
    with Clients(side.host, "/greeting.txt", [_REGION], caching=caching, every=_EVERY) as clients:
        say("the load begins")
        time.sleep(_BEFORE)
        if clients.lost() or {one.to for one in clients.sent} != {_REGION}:
            raise Failed("the clients were not served well by their own region before anything was done")
        say(f"the app is killed in {_REGION}")
        killed = time.monotonic()
        cluster.scale(side.name, side.name, 0)
        cluster.kill(side.name)
        time.sleep(_BOUND + _AFTER)
        clients.check()
        seen = list(clients.sent)
        say(f"it comes back in {_REGION}")
        cluster.scale(side.name, side.name, replicas)
        cluster.settle(side.name)
        ready = time.monotonic()
        _wait(lambda: clients.sent[-1].at - ready > TTL and _all_back(clients.sent, caching), 2 * _BOUND)
    clients.check()
    return _show(
        [one for one in seen if one.at >= killed], killed, [one for one in clients.sent if one.at >= ready], ready
    )


def _all_back(sent: list[Sent], caching: int) -> bool:
    return {one.to for one in sent[-3 * caching :]} == {_REGION}


def _wait(condition: Callable[[], bool], limit: float) -> None:
    end = time.monotonic() + limit
    while not condition():
        if time.monotonic() > end:
            raise Failed("the clients did not come back to their own region")
        time.sleep(0.5)


def _show(after: list[Sent], killed: float, back: list[Sent], ready: float) -> bool:
    lost = [one for one in after if not one.well]
    elsewhere = [one.at - killed for one in after if not one.cached and one.to != _REGION]
    if not lost or not elsewhere:
        raise Failed("no client noticed anything: the app was not killed")
    last = max(one.at for one in lost) - killed
    late = [one for one in lost if one.at - killed > _BOUND]
    returned = min(one.at - ready for one in back if not one.cached and one.to == _REGION)
    lost_back = [one for one in back if not one.well]
    rows = [
        ("DNS leads to another region after", f"{min(elsewhere):.1f} s", f"{INTERVAL * THRESHOLD} s and reports", ""),
        ("the last request is lost after", f"{last:.1f} s", f"{_BOUND} s", verdict(last <= _BOUND)),
        ("requests sent since, and lost", f"{len(after)}, {len(lost)}", "", ""),
        ("requests lost after the bound", str(len(late)), "0", verdict(not late)),
        ("back, ready: DNS leads there again after", f"{returned:.1f} s", "", ""),
        ("requests lost from then on", str(len(lost_back)), "0", verdict(not lost_back)),
    ]
    print(table(("", "measured", "bound", ""), rows))
    return not late and not lost_back


if __name__ == "__main__":
    main(benchmark)
