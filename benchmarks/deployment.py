"""Deployments with this tool and with the old one (`baseline/`), side by side in the sandbox's first region."""

from __future__ import annotations

import argparse
import json
import shlex
import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.measuring import (
    REPOSITORY,
    Failed,
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
from benchmarks.sides import Baseline, Ours, Side

_MEMORY_TARGET = 150
_MIB = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Scenario:
    """`prepare` is done to each side before each of its runs; `target` is how many times faster ours has to be."""

    title: str
    prepare: Callable[[Side], None]
    outcome: str = "deployed"
    target: float | None = None


SCENARIOS = {
    "first": Scenario("first deployment", lambda side: side.forget(), target=1.0),
    "value": Scenario("a changed value", lambda side: side.change_value(), target=1.5),
    "artefact": Scenario("a changed artefact", lambda side: side.change_artefact()),
    "nothing": Scenario("nothing changed", lambda side: None, outcome="unchanged", target=8.0),
}


@dataclass
class Results:
    """What one scenario gave."""

    baseline: list[Run] = field(default_factory=list)
    ours: list[Run] = field(default_factory=list)
    helm: list[Run] = field(default_factory=list)


def benchmark() -> bool:
    """Measure, print, and say whether the targets were reached."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.deployment", description=__doc__)
    parser.add_argument(
        "scenarios", nargs="*", metavar="SCENARIO", help=f"some of {', '.join(SCENARIOS)} (default: all)"
    )
    parser.add_argument("--repetitions", type=positive, default=5, metavar="N")
    parser.add_argument("--payload", type=positive, default=1, metavar="MIB", help="size of the artefacts")
    parser.add_argument("--command", default=str(REPOSITORY / "wrapper"), help="the command line that starts this tool")
    parser.add_argument("--phases", action="store_true", help="show where our time goes, too")
    options = parser.parse_args()
    if unknown := set(options.scenarios) - set(SCENARIOS):
        parser.error(f"unknown: {', '.join(sorted(unknown))}")
    print(
        f"Each {options.repetitions} times, alternating, artefacts of {options.payload} MiB. {machine()}.\n", flush=True
    )
    results: dict[str, Results] = {}
    with ExitStack() as stack:
        cluster = stack.enter_context(Cluster())
        parent = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="benchmark-")))
        for name in ("baseline", "ours"):
            (parent / name).mkdir()
        payload = options.payload * _MIB
        baseline = Baseline(cluster, parent / "baseline", payload)
        ours = Ours(cluster, parent / "ours", payload, shlex.split(options.command))
        for side in (baseline, ours):
            stack.callback(side.close)
            say(f"{side.name}, untimed")
            side.forget()
            side.deploy()  # once untimed: whatever is compiled or fetched on the very first run
        if baseline.live() != ours.live():
            raise Failed(f"the two do not deploy the same:\n{baseline.live()}\n{ours.live()}")
        for name in options.scenarios or SCENARIOS:
            results[name] = _measure(SCENARIOS[name], baseline, ours, options.repetitions, with_helm=name == "nothing")
    reached = _show(results)
    if options.phases:
        _show_phases(results)
    return reached


def _measure(scenario: Scenario, baseline: Baseline, ours: Ours, repetitions: int, *, with_helm: bool) -> Results:
    results = Results()

    def run_baseline(repetition: int) -> None:
        say(f"{scenario.title}, {repetition + 1} of {repetitions}")
        scenario.prepare(baseline)
        results.baseline.append(baseline.deploy())

    def run_ours(_: int) -> None:
        scenario.prepare(ours)
        results.ours.append(ours.deploy(scenario.outcome))

    def run_helm(_: int) -> None:
        results.helm.append(baseline.helm_alone())

    alternately(repetitions, run_baseline, run_ours, *([run_helm] if with_helm else []))
    return results


def _show(results: dict[str, Results]) -> bool:
    rows, reached = [], True
    for name, result in results.items():
        scenario = SCENARIOS[name]
        times = {side: [run.seconds for run in getattr(result, side)] for side in ("baseline", "ours")}
        ratio = median(times["baseline"]) / median(times["ours"])
        row = [scenario.title, spread(times["baseline"]), spread(times["ours"]), f"{ratio:.1f}"]
        if scenario.target is None:
            rows.append([*row, "", ""])
        else:
            rows.append([*row, f"{scenario.target:.1f}", verdict(ratio >= scenario.target)])
            reached = reached and ratio >= scenario.target
    print(table(("", "baseline", "ours", "times faster", "target", ""), rows))
    for result in results.values():
        if result.helm:
            alone = [run.seconds for run in result.helm]
            ratio = median(alone) / median(run.seconds for run in result.ours)
            print(f"\nNothing changed, `helm upgrade --install --wait` alone: {spread(alone)}, {ratio:.1f} times ours.")
    peak = max(run.peak for result in results.values() for run in result.ours) / 1e6
    small = peak < _MEMORY_TARGET
    print(f"\nPeak memory of our process: {peak:.0f} MB, target below {_MEMORY_TARGET} MB: {verdict(small)}.")
    return reached and small


def _show_phases(results: dict[str, Results]) -> None:
    for name, result in results.items():
        documents = [json.loads(run.stdout) for run in result.ours]
        print(f"\nOurs, {SCENARIOS[name].title}: medians of the phases (some run at the same time).")
        shared = [document["phases"] for document in documents]
        own = [target["phases"] for document in documents for target in document["targets"]]
        rows = [
            (phase, f"{median(found[phase] for found in group if phase in found):.3f} s")
            for group in (shared, own)
            for phase in dict.fromkeys(phase for found in group for phase in found)
        ]
        total = median(document["seconds"] for document in documents)
        whole = median(run.seconds for run in result.ours)
        rows += [("all that the report counts", f"{total:.3f} s"), ("the whole process", f"{whole:.3f} s")]
        rows.append(("processor, with children", f"{median(run.cpu for run in result.ours):.3f} s"))
        print(table(("", "median"), rows))


if __name__ == "__main__":
    main(benchmark)
