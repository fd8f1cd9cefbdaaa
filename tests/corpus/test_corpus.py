"""Bad configurations, grown by `grow.py`: each ends with exit code 2 and a located message, without a traceback."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from deployer.cli import main
from deployer.lint.run import lint
from tests.corpus.base import FILES
from tests.corpus.grow import load, write

CASES = load()
_PLACE = re.compile(r"^(apps|group_vars)/\S+\.yml:\d+(:\d+)?: error: .+ \[[a-z-]+\]$", re.MULTILINE)


def test_there_are_enough_of_enough_sorts() -> None:
    assert len(CASES) >= 200
    assert len({case["sort"] for case in CASES}) >= 60


def test_what_they_were_made_from_is_good(tmp_path: Path) -> None:
    write(tmp_path, ("", "", ""))
    assert lint(tmp_path) == []


@pytest.mark.parametrize("case", CASES, ids=[f"{number}-{case['sort'][:30]}" for number, case in enumerate(CASES)])
def test_a_bad_configuration(case: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert case["old"] in FILES[case["file"]], "run `python -m tests.corpus.grow`"
    write(tmp_path, (case["file"], case["old"], case["new"]))
    assert main(["lint", "-C", str(tmp_path)]) == 2
    told = capsys.readouterr()
    assert _PLACE.search(told.out), told
    main(["explain", "prod", "london", "site", "--offline", "-C", str(tmp_path)])
    told = capsys.readouterr()
    for text in ("Traceback", "defect in the tool"):
        assert text not in told.out + told.err
