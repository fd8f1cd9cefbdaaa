"""How long `deploy --help` takes: as a module, and through the wrapper."""

from __future__ import annotations

import argparse
import os
import subprocess

from benchmarks.measuring import REPOSITORY, Failed, alternately, machine, main, median, positive, run, table, verdict

_HELP_TARGET = 0.150
_WRAPPER_TARGET = 0.030

_FIND_PYTHON = 'source requirements/environment.sh; find_environment requirements/runtime.txt; printf %s "$python"'


def benchmark() -> bool:
    """Measure, print, and say whether the targets were reached."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.startup", description=__doc__)
    parser.add_argument("--repetitions", type=positive, default=21, metavar="N")
    repetitions = parser.parse_args().repetitions
    python = _wrapper_python()
    print(f"deploy --help, {repetitions} times each, alternating. {machine()}.\n")
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    commands = {
        "python -c pass": [python, "-P", "-c", "pass"],
        "python -m deployer --help": [python, "-P", "-m", "deployer", "--help"],
        "./wrapper --help": [str(REPOSITORY / "wrapper"), "--help"],
    }
    times: dict[str, list[float]] = {name: [] for name in commands}
    work: dict[str, list[float]] = {name: [] for name in commands}

    def side(name: str) -> None:
        result = run(commands[name], env=environment, cwd=REPOSITORY, limit=30)
        if name != "python -c pass" and "Usage: deploy" not in result.stdout:
            raise Failed(f"{name} does not print a usage message")
        times[name].append(result.seconds)
        work[name].append(result.cpu)

    for name in commands:  # compiles modules, warms the page cache
        side(name)
        times[name].clear()
        work[name].clear()
    alternately(repetitions, *(lambda _, name=name: side(name) for name in commands))

    start, module, wrapper = (median(times[name]) for name in commands)
    overhead = wrapper - module
    rows = [(name, _ms(median(times[name])), _ms(min(times[name])), _ms(median(work[name]))) for name in commands]
    targets = [("", ""), _target(module, _HELP_TARGET), _target(wrapper, _HELP_TARGET)]
    table_rows = [(*row, *target) for row, target in zip(rows, targets, strict=True)]
    table_rows.append(("what the wrapper adds", _ms(overhead), "", "", *_target(overhead, _WRAPPER_TARGET)))
    table_rows.append(("what our imports and Typer add", _ms(module - start), "", "", "", ""))
    print(table(("", "median", "fastest", "processor", "target", ""), table_rows))
    return wrapper <= _HELP_TARGET and overhead <= _WRAPPER_TARGET


def _ms(seconds: float) -> str:
    return f"{seconds * 1000:.0f} ms"


def _target(seconds: float, target: float) -> tuple[str, str]:
    return _ms(target), verdict(seconds <= target)


def _wrapper_python() -> str:
    """The interpreter that the wrapper uses; prepares its environment on first use."""
    answer = subprocess.run(
        ["bash", "-euc", _FIND_PYTHON], cwd=REPOSITORY, stdout=subprocess.PIPE, text=True, check=False
    )
    if answer.returncode != 0:
        raise Failed("the wrapper's environment cannot be prepared")
    return answer.stdout


if __name__ == "__main__":
    main(benchmark)
