"""How a stage is shown on a terminal and in a pipe. `UPDATE_GOLDEN=1 pytest …` writes the results anew."""

from __future__ import annotations

import json
import os
import re
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from deployer.model.status import ReleaseStatus, StageStatus
from deployer.report.status import change_lines, status_lines
from deployer.report.status_document import status_document
from tests.unit.report.stages import TAKEN, lock, row, stage, workload

DOCUMENTATION = Path(__file__).parents[3] / "docs" / "json.md"
GOLDEN = Path(__file__).parents[2] / "golden" / "status"


def check(name: str, shown: str) -> None:
    """Compare with what is kept under this name."""
    file = GOLDEN / name
    if os.environ.get("UPDATE_GOLDEN"):
        file.write_text(shown)
    assert shown == file.read_text()


def of(*rows: ReleaseStatus) -> StageStatus:
    return StageStatus("prod", TAKEN, 0.2, rows)


@pytest.mark.parametrize("width", [None, 80])
def test_lines(width: int | None) -> None:
    check(f"lines-{width or 'wide'}.txt", "\n".join(status_lines(stage(), width=width)) + "\n")


def test_a_narrow_terminal_goes_without_what_matters_least() -> None:
    rows = [row("shop", "london"), row("shop", "seoul", lock=lock())]
    headers = [next(status_lines(of(*rows), width=width)).split() for width in (None, 100, 80, 70, 60)]
    assert headers == [
        ["APP", "REGION", "STATE", "VERSION", "REVISION", "PODS", "AGE", "DIGEST", "TAG", "LOCKED", "BY"],
        ["APP", "REGION", "STATE", "VERSION", "REVISION", "PODS", "AGE", "DIGEST", "LOCKED", "BY"],
        ["APP", "REGION", "STATE", "VERSION", "REVISION", "PODS", "AGE", "DIGEST"],
        ["APP", "REGION", "STATE", "VERSION", "REVISION", "PODS", "AGE"],
        ["APP", "REGION", "STATE", "VERSION", "REVISION", "PODS", "AGE"],
    ]


def test_all_lines_of_the_table_fit() -> None:
    rows = [row("shop", "london"), row("shop", "seoul", lock=lock())]
    table = list(status_lines(of(*rows), width=80))[:3]
    assert max(map(len, table)) <= 80


def test_colours_are_for_terminals() -> None:
    assert "\x1b" not in "\n".join(status_lines(stage()))
    assert "\x1b[31m✘  jobs" in "\n".join(status_lines(stage(), colour=True))
    assert "\x1b[32m✔\x1b[0m  api" in "\n".join(status_lines(stage(), colour=True))


def test_nothing_reaches_the_terminal_that_it_would_obey() -> None:
    hostile = row(
        "shop", "london", "\x1b]0;title\x07", who="\x1b[2J", workloads=(workload("shop", 0, "\x1b[31mred\r"),)
    )
    lines = "\n".join([*status_lines(of(hostile)), *change_lines(of(), of(hostile))])
    assert all(one.isprintable() or one == "\n" for one in lines)


def test_an_app_that_does_not_tell_its_regions() -> None:
    lost = replace(row("odd", ""), standing="unknown", error=stage().errors[0])
    assert "? odd in no region: prod.seoul, https://seoul.example.com: the cluster" in "\n".join(status_lines(of(lost)))


def test_a_stage_without_apps() -> None:
    assert list(status_lines(of()))[-1] == "prod: 0 apps in 0 regions: nothing; read in 0.2 s"


def test_changes() -> None:
    before = of(row("shop", "london"), row("shop", "seoul"), row("api", "london"))
    changed = row("shop", "seoul", "2.0.0", revision=8, workloads=(workload("shop", 1, "pods are being made"),))
    after = replace(of(row("shop", "london"), changed, row("api", "london")), taken=TAKEN + timedelta(seconds=2))
    (line,) = change_lines(before, after)
    assert line.partition(" ")[2] == (
        "✘ shop seoul: version 1.4.2 → 2.0.0; revision 7 → 8; digest 1420a1b2c3d4 → 2000a1b2c3d4; pods 2/2 → 1/2; "
        "Deployment/shop 1/2 ready: pods are being made"
    )
    assert list(change_lines(after, replace(after, taken=TAKEN + timedelta(hours=9)))) == []


def test_a_lock_that_is_taken_and_given_back() -> None:
    free, held = of(row("shop", "london")), of(row("shop", "london", lock=lock()))
    assert "locked by nobody → ben@laptop" in next(change_lines(free, held))
    assert "locked by ben@laptop → nobody" in next(change_lines(held, free))


def test_the_document() -> None:
    document = status_document(stage())
    assert (document["stage"], document["ok"], document["skew"]) == ("prod", False, True)
    assert [error["exitCode"] for error in document["errors"]] == [5]
    assert document["notInApps"] == [{"region": "london", "release": "old-shop", "application": "shop"}]
    found = {(one["application"], one["region"]): one for one in document["targets"]}
    billing = found["billing", "seoul"]
    assert (billing["age"], billing["revision"], billing["lastGood"]) == (12 * 86400, 6, 6)
    assert billing["skew"] == [{"what": "version", "here": "1.9.0", "elsewhere": "2.0.0"}]
    assert (found["jobs", "london"]["ready"], found["jobs", "london"]["desired"]) == (1, 2)
    assert found["catalogue", "london"]["lock"] == {
        "who": "ben@laptop",
        "machine": "laptop",
        "deployment": "20261121-072955-77aa01",
        "action": "deploy",
        "since": "2026-11-21T07:29:55+00:00",
        "alive": None,
        "expired": False,
        "expiresIn": 28,
    }
    assert found["search", "seoul"]["errors"][0]["what"] == "the cluster does not answer"
    assert {one["health"] for one in found.values()} == {"well", "busy", "skewed", "broken", "absent", "unknown"}


def test_the_document_has_exactly_the_fields_that_are_documented() -> None:
    section = DOCUMENTATION.read_text().partition("## `deploy status`")[2]
    example = json.loads(re.findall(r"```json\n(.*?)```", section, re.DOTALL)[0])
    document = status_document(stage())
    assert document.keys() == example.keys()
    assert document["notInApps"][0].keys() == example["notInApps"][0].keys()
    wanted = example["targets"][0]
    for target in document["targets"]:
        assert target.keys() == wanted.keys()
        for name in ("workloads", "skew"):
            assert all(one.keys() == wanted[name][0].keys() for one in target[name])
        assert target["lock"] is None or target["lock"].keys() == wanted["lock"].keys()


def test_another_tools_lock_need_not_end() -> None:
    endless = replace(lock(), holder=None, expires_in=float("inf"))
    (found,) = status_document(of(row("shop", "london", lock=endless)))["targets"]
    assert (found["lock"]["who"], found["lock"]["expiresIn"], found["lock"]["expired"]) == (None, None, False)
