"""`deploy status --watch` in a pipe and on a terminal, without waiting."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta

import pytest

from deployer.cli import status_watch
from deployer.errors import Stop, UnreachableError
from deployer.model import Target
from deployer.model.status import ReleaseStatus, StageStatus
from tests.unit.report.stages import TAKEN, row


def looks(*moments: tuple[ReleaseStatus, ...]) -> Callable[[], StageStatus]:
    """Gives each of these in turn; then a signal arrives."""

    def each() -> Iterator[StageStatus]:
        for number, rows in enumerate(moments):
            yield StageStatus("prod", TAKEN + timedelta(seconds=number), 0.1, rows)
        raise Stop(2)

    found = each()
    return lambda: next(found)


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.sleep", lambda seconds: None)


def test_a_pipe_gets_the_table_and_then_what_changes(capsys: pytest.CaptureFixture[str]) -> None:
    old, new = row("shop", "london"), row("shop", "london", "2.0.0", revision=8)
    seen: list[StageStatus] = []
    with pytest.raises(Stop):
        status_watch.watch_status(looks((old,), (old,), (new,), (new,)), 2.0, str, seen.append)
    lines = capsys.readouterr().out.splitlines()
    assert lines[1].split()[:5] == ["✔", "shop", "london", "deployed", "1.4.2"]
    assert lines[-2].startswith("prod: 1 app in 1 region")
    assert "✔ shop london: version 1.4.2 → 2.0.0; revision 7 → 8" in lines[-1]
    assert len(lines) == 5
    assert len(seen) == 3 + 1


def test_what_is_printed_is_masked(capsys: pytest.CaptureFixture[str]) -> None:
    def mask(text: str) -> str:
        return text.replace("1.4.2", "***").replace("2.0.0", "***")

    with pytest.raises(Stop):
        status_watch.watch_status(
            looks((row("shop", "london"),), (row("shop", "london", "2.0.0"),)), 2.0, mask, lambda found: None
        )
    shown = capsys.readouterr().out
    assert "1.4.2" not in shown
    assert "2.0.0" not in shown


def test_what_fits_on_a_screen() -> None:
    broken = replace(row("zebra", "london"), standing="failed")
    rows = (*(row(f"app-{number:02}", "london") for number in range(60)), broken)
    screen = status_watch._screen(StageStatus("prod", TAKEN, 0.1, rows), str, 80, 24)
    lines = screen.plain.splitlines()
    assert len(lines) <= 24
    assert lines[1].split()[:2] == ["✘", "zebra"]
    assert any(line.strip().endswith("more") for line in lines)
    assert lines[-1].startswith("prod: 61 apps in 1 region")


def test_all_rows_are_shown_in_their_order_where_they_fit() -> None:
    rows = (row("api", "london"), replace(row("shop", "london"), standing="failed"))
    screen = status_watch._screen(StageStatus("prod", TAKEN, 0.1, rows), str, 80, 24)
    assert [line.split()[1] for line in screen.plain.splitlines()[1:3]] == ["api", "shop"]


@pytest.mark.parametrize("height", [1, 5, 8, 12])
def test_a_small_terminal(height: int) -> None:
    error = UnreachableError("the cluster does not answer", where="prod.seoul")
    rows = tuple(replace(row(f"app-{number}", "london"), standing="unknown", error=error) for number in range(9))
    screen = status_watch._screen(StageStatus("prod", TAKEN, 0.1, rows, errors=(error,)), str, 40, height)
    assert len(screen.plain.splitlines()) <= max(height, 8)


def test_errors_that_no_row_tells_of(capsys: pytest.CaptureFixture[str]) -> None:
    told, other = UnreachableError("seoul is away"), UnreachableError("virginia is away")
    lost = ReleaseStatus(Target("prod", "seoul", "shop"), "unknown", error=told)
    states = iter([StageStatus("prod", TAKEN, 0.1, (lost,), errors=(told, other))])

    def read() -> StageStatus:
        if (state := next(states, None)) is None:
            raise Stop(2)
        return state

    with pytest.raises(Stop):
        status_watch.watch_status(read, 1.0, str, lambda found: None)
    shown = capsys.readouterr().out
    assert (shown.count("seoul is away"), shown.count("virginia is away")) == (1, 1)
