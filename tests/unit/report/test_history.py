"""An app's history as people and programs read it."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from deployer.errors import UnreachableError
from deployer.model import Holder, LockState, Target
from deployer.model.history import HistoryEntry, RegionHistory
from deployer.report.history import history_document, history_lines

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
DOCUMENTATION = Path(__file__).parents[3] / "docs" / "json.md"
GOOD = HistoryEntry(
    7,
    "good",
    "rollback",
    running=True,
    restores="20261119-160211-77aa01",
    deployment_id="20261121-070905-3f9a1c",
    version="0.0.1",
    tag="0.0.1-" + "a" * 32,
    digest="sha256:" + "b" * 64,
    who="anna@laptop",
    updated=NOW - timedelta(minutes=5),
    git_commit="0f76424146-dirty",
)
FAILED = replace(
    GOOD,
    revision=6,
    outcome="failed",
    action="deploy",
    running=False,
    deployment_id="20261120-120000-000000",
    version="0.0.2",
)


def region(name: str, *entries: HistoryEntry, **fields: object) -> RegionHistory:
    return RegionHistory(Target("prod", name, "myapp"), entries, **fields)  # type: ignore[arg-type]


def lines(*regions: RegionHistory, width: int = 200, colour: bool = False) -> list[str]:
    return list(history_lines(regions, now=NOW, width=width, colour=colour))


def test_a_region_has_a_line_for_each_revision() -> None:
    header, good, failed = lines(region("london", GOOD, FAILED))
    assert header.split() == [
        *("REVISION", "OUTCOME", "AGE", "ACTION", "VERSION", "TAG", "DIGEST", "WHO", "COMMIT", "DEPLOYMENT", "RESTORES")
    ]
    for expected in ("▶ 7", "good", "5 min ago", "rollback", "0.0.1", "b" * 12, "anna@laptop", "0f764241+", "77aa01"):
        assert expected in good
    assert "▶" not in failed
    assert failed.index("failed") == header.index("OUTCOME")


@pytest.mark.parametrize("width", [80, 100, 120, 160])
def test_columns_give_way_until_the_table_fits(width: int) -> None:
    table = lines(region("london", GOOD, FAILED), region("virginia", GOOD), region("seoul", FAILED), width=width)[:3]
    assert all(len(line) <= width for line in table), table
    for expected in ("DEPLOYMENT", "VERSION", "LONDON", "VIRGINIA", "SEOUL"):
        assert expected in table[0]
    assert all(len(line) <= width for line in lines(region("london", GOOD, FAILED), width=width))


def test_several_regions_have_a_line_for_each_deployment() -> None:
    header, first, second, *_ = lines(
        region("london", GOOD, FAILED), region("seoul", replace(GOOD, revision=3), replace(FAILED, revision=2))
    )
    assert "▶ 7 good" in first
    assert f"{GOOD.deployment_id} ↩" in first
    assert "↩" not in second
    assert first.index("▶ 3 good") == header.index("SEOUL")
    assert "6 failed" in second
    assert "2 failed" in second


def test_more_regions_than_there_is_room_for_stand_below_each_other() -> None:
    many = [region(f"region-number-{number}", GOOD) for number in range(9)]
    shown = lines(*many, width=80)
    assert [line for line in shown if line.startswith("region-number")] == [one.target.region for one in many]
    assert all(len(line) <= 80 for line in shown)


def test_what_is_odd_about_a_region_is_noted() -> None:
    lock = LockState(Holder("d-9", "eve@desk", "desk", "2026-11-21T11:59:00+00:00"), 10.0, "1")
    broken = region("seoul", replace(FAILED, revision=9), GOOD, lock=lock)
    text = "\n".join(lines(region("london", error=UnreachableError("down")), broken, region("virginia")))
    assert "london: could not be read" in text
    assert "seoul: locked: " in text
    assert "seoul: revision 9 failed; what is live may be a mixture of 9 and 7" in text
    assert "virginia: myapp was never deployed here" in text
    assert lines(region("london")) == ["", "london: myapp was never deployed here"]


def test_a_terminal_is_shown_outcomes_in_colours_and_no_control_characters() -> None:
    hostile = replace(GOOD, version="\x1b[2J1.0")
    plain = "\n".join(lines(region("london", hostile)))
    assert "\x1b" not in plain
    coloured = lines(region("london", GOOD, FAILED), colour=True)
    assert "\x1b[32mgood" in coloured[1]
    assert "\x1b[31mfailed" in coloured[2]


def test_the_document_has_exactly_the_fields_that_are_documented() -> None:
    text = DOCUMENTATION.read_text().split("## `deploy history`")[1]
    example = json.loads(re.findall(r"```json\n(.*?)```", text, re.DOTALL)[0])
    document = history_document("prod", "myapp", [region("london", GOOD), region("seoul", error=UnreachableError("x"))])
    assert document.keys() == example.keys()
    assert document["regions"][0].keys() == example["regions"][0].keys()
    assert document["regions"][0]["revisions"][0].keys() == example["regions"][0]["revisions"][0].keys()
    assert [document["ok"], *(one["ok"] for one in document["regions"])] == [False, True, False]
    assert document["regions"][1]["errors"][0]["exitCode"] == 5
    json.dumps(document)


@pytest.mark.parametrize("width", [60, 80])
def test_nothing_is_wider_than_the_terminal(width: int) -> None:
    long = replace(GOOD, version="0.0.1-" + "c" * 60)
    broken = region("seoul", FAILED, long)
    for shown in (lines(region("london", long), broken, width=width), lines(broken, width=width)):
        assert all(len(line) <= width for line in shown), shown
        assert any("…" in line for line in shown)
    whole = list(history_lines([broken], now=NOW))
    assert any("c" * 60 in line for line in whole)
