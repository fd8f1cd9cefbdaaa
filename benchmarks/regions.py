"""A deployment of all three regions of the sandbox beside one of a single region: the same change, in one run."""

from __future__ import annotations

import argparse
import json
import shlex
import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from benchmarks.measuring import (
    REPOSITORY,
    Run,
    alternately,
    machine,
    main,
    median,
    positive,
    say,
    spread,
    table,
    verdict,
)
from benchmarks.region import Cluster
from benchmarks.sides import Ours
from deployer.sandbox.layout import REGIONS

_TARGET = 1.4
_MIB = 1024 * 1024

_DEPLOYED = "deployed"

CHANGES: dict[str, tuple[str, Callable[[Ours], None], str]] = {
    "value": ("a changed value", Ours.change_value, _DEPLOYED),
    "artefact": ("a changed artefact", Ours.change_artefact, _DEPLOYED),
    "nothing": ("nothing changed", lambda side: None, "unchanged"),
}
"""Name → title, what is done to each side before each of its runs, and the outcome that every region must have.

The target is for what is deployed: finding out that there is nothing to do is the processor's work alone.
"""


def benchmark() -> bool:
    """Measure, print, and say whether the target was reached."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.regions", description=__doc__)
    parser.add_argument("changes", nargs="*", metavar="CHANGE", help=f"some of {', '.join(CHANGES)} (default: all)")
    parser.add_argument("--repetitions", type=positive, default=5, metavar="N")
    parser.add_argument("--command", default=str(REPOSITORY / "wrapper"), help="the command line that starts this tool")
    parser.add_argument("--phases", action="store_true", help="show where the time goes, too")
    options = parser.parse_args()
    if unknown := set(options.changes) - set(CHANGES):
        parser.error(f"unknown: {', '.join(sorted(unknown))}")
    print(f"Each {options.repetitions} times, alternating. {machine()}.\n", flush=True)
    runs: dict[str, tuple[list[Run], list[Run]]] = {}
    with ExitStack() as stack:
        clusters = [stack.enter_context(Cluster(region.name)) for region in REGIONS]
        parent = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="benchmark-")))
        sides = []
        for name, others in (("benchmark-one", []), ("benchmark-all", clusters[1:])):
            (parent / name).mkdir()
            side = Ours(clusters[0], parent / name, _MIB, shlex.split(options.command), others=others, name=name)
            stack.callback(side.close)
            say(f"{name}, untimed")
            side.forget()
            side.deploy()
            sides.append(side)
        for change in options.changes or CHANGES:
            runs[change] = _measure(change, sides[0], sides[1], options.repetitions)
    reached = _show(runs)
    if options.phases:
        _show_phases(runs)
    return reached


def _measure(change: str, one: Ours, every: Ours, repetitions: int) -> tuple[list[Run], list[Run]]:
    title, prepare, outcome = CHANGES[change]
    found: tuple[list[Run], list[Run]] = ([], [])

    def run(side: Ours, into: list[Run]) -> None:
        prepare(side)
        into.append(side.deploy(outcome))

    def run_one(repetition: int) -> None:
        say(f"{title}, {repetition + 1} of {repetitions}")
        run(one, found[0])

    alternately(repetitions, run_one, lambda _: run(every, found[1]))
    return found


def _show(runs: dict[str, tuple[list[Run], list[Run]]]) -> bool:
    rows, reached = [], True
    for change, pair in runs.items():
        one, every = ([run.seconds for run in side] for side in pair)
        ratio = median(every) / median(one)
        title, _, outcome = CHANGES[change]
        row = [title, spread(one), spread(every), f"{ratio:.2f}"]
        if outcome == _DEPLOYED:
            rows.append([*row, f"{_TARGET}", verdict(ratio <= _TARGET)])
            reached = reached and ratio <= _TARGET
        else:
            rows.append([*row, "", ""])
    print(table(("", "one region", "three regions", "times as long", "target", ""), rows))
    return reached


def _show_phases(runs: dict[str, tuple[list[Run], list[Run]]]) -> None:
    for change, pair in runs.items():
        print(f"\n{CHANGES[change][0]}: medians of the phases, of several regions the longest.")
        of_sides = [[_phases(run) for run in side] for side in pair]
        names = dict.fromkeys(name for side in of_sides for phases in side for name in phases)
        rows = [
            (name, *(f"{median(phases.get(name, 0.0) for phases in side):.2f} s" for side in of_sides))
            for name in names
        ]
        rows.append(("processor, with children", *(f"{median(run.cpu for run in side):.2f} s" for side in pair)))
        print(table(("", "one region", "three regions"), rows))


def _phases(run: Run) -> dict[str, float]:
    document = json.loads(run.stdout)
    found = dict(document["phases"])
    for target in document["targets"]:
        for name, seconds in target["phases"].items():
            found[name] = max(found.get(name, 0.0), seconds)
    return found


if __name__ == "__main__":
    main(benchmark)
