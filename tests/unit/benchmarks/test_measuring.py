"""A benchmark must measure what it says, and must never show a number for a run that failed."""

from __future__ import annotations

import sys

import pytest

from benchmarks.measuring import Failed, alternately, main, median, run, spread, table

MIB = 1024 * 1024


def python(code: str) -> list[str]:
    return [sys.executable, "-c", code]


def test_a_run_that_fails_has_no_time_but_its_last_words() -> None:
    with pytest.raises(Failed) as caught:
        run(python("import sys; print('it began'); sys.exit('it broke')"))
    assert "exit code 1" in str(caught.value)
    assert "it began" in str(caught.value)
    assert "it broke" in str(caught.value)


def test_a_run_that_a_signal_ends_is_a_failure() -> None:
    with pytest.raises(Failed):
        run(python("import os; os.kill(os.getpid(), 9)"))


def test_a_run_that_does_not_end_is_ended() -> None:
    with pytest.raises(Failed, match="did not end"):
        run(python("import time; time.sleep(60)"), limit=0.2)


def test_a_run_gives_output_time_and_processor_time() -> None:
    result = run(python("print('done'); sum(range(10**6))"))
    assert result.stdout == "done\n"
    assert 0 < result.seconds < 60
    assert 0 < result.cpu < 60


def test_memory_is_that_of_the_process_without_its_children() -> None:
    child = f"content = b'x' * {200 * MIB}"
    waits = "import time; time.sleep(2)"
    parent = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {child!r}]); {waits}"
    assert run(python(parent)).peak < 100 * MIB
    assert run(python(f"{child}; {waits}")).peak > 200 * MIB


def test_who_comes_first_alternates() -> None:
    calls: list[tuple[str, int]] = []
    alternately(3, lambda number: calls.append(("a", number)), lambda number: calls.append(("b", number)))
    assert calls == [("a", 0), ("b", 0), ("b", 1), ("a", 1), ("a", 2), ("b", 2)]


def test_nothing_measured_is_a_failure() -> None:
    with pytest.raises(Failed):
        median([])


def test_times_are_shown_with_their_range() -> None:
    assert spread([3.0, 1.0, 2.5]) == "2.50 s (1.00-3.00)"


def test_a_table_is_aligned_markdown() -> None:
    assert table(("", "median"), [("first", "1 s"), ("second one", "10 s")]).splitlines() == [
        "|            | median |",
        "| ---------- | -----: |",
        "| first      |    1 s |",
        "| second one |   10 s |",
    ]


@pytest.mark.parametrize(("reached", "code"), [(True, 0), (False, 3)])
def test_a_missed_target_shows_in_the_exit_code(reached: bool, code: int) -> None:
    with pytest.raises(SystemExit) as caught:
        main(lambda: reached)
    assert caught.value.code == code


def test_a_failed_run_is_said_and_ends_with_an_error() -> None:
    def benchmark() -> bool:
        raise Failed("the registry is away")

    with pytest.raises(SystemExit) as caught:
        main(benchmark)
    message = str(caught.value.code)  # Python prints a text and exits with 1
    assert "FAILED" in message
    assert "the registry is away" in message
