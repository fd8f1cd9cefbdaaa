"""Profiles on the command line: what lint, explain and render say of them."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from deployer.cli import main

EXAMPLE = Path(__file__).parents[2] / "examples/profiles"


@pytest.fixture
def example(tmp_path: Path) -> Path:
    return Path(shutil.copytree(EXAMPLE, tmp_path / "example"))


def test_the_example_is_good(example: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["lint", "--strict", "-C", str(example)]) == 0, capsys.readouterr().out


def test_explain_names_the_profile_and_what_a_value_overrode(example: Path, capsys: pytest.CaptureFixture[str]) -> None:
    key = "Helm[0].spec.template.spec.terminationGracePeriodSeconds"
    assert main(["explain", "prod", "london", "web", key, "-C", str(example)]) == 0
    value, place, overrode = capsys.readouterr().out.splitlines()
    assert (value, place.strip()) == (f"{key} = 60", "apps/web.yml:27:11")
    assert overrode.strip().startswith("overrode group_vars/all.yml:")
    assert overrode.endswith("(profile spot): 90")


def test_a_misspelt_profile_ends_with_2_and_is_told_in_its_line(
    example: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    app = example / "apps/reports.yml"
    app.write_text(app.read_text().replace("[spot, low]", "[spto, low]"))
    for command in (["lint"], ["render", "prod", "london", "reports"]):
        assert main([*command, "-C", str(example)]) == 2
        told = capsys.readouterr()
        assert "apps/reports.yml:3:12" in told.out + told.err
        assert "did you mean spot?" in told.out + told.err


def test_render_shows_the_outcome(example: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["render", "prod", "london", "reports", "-C", str(example)]) == 0
    text = capsys.readouterr().out
    assert "priorityClassName: low" in text
    assert "preStop" not in text
