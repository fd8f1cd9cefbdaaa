"""What a mistyped command line is told."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.test_main_job import Repository


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    return Repository(tmp_path)


@pytest.mark.parametrize(
    ("typed", "hint"),
    [
        ("stat prod", "did you mean `deploy status`?"),
        ("staus prod", "did you mean `deploy status`?"),
        ("rolback prod", "did you mean `deploy rollback`?"),
        ("help", "did you mean `deploy --help`?"),
    ],
)
def test_a_misspelt_command(repository: Repository, typed: str, hint: str) -> None:
    error = repository.error(2, *typed.split())
    assert error["what"].startswith("Missing argument")
    assert error["hint"].startswith(hint)


def test_a_stage_is_no_misspelt_command(repository: Repository) -> None:
    assert "did you mean" not in repository.error(2, "prod", "london")["hint"]


@pytest.mark.parametrize("typed", ["-C /nonexistent status prod", "-C /nonexistent status prod site"])
def test_an_option_before_the_command(repository: Repository, typed: str) -> None:
    error = repository.error(2, *typed.split())
    assert error["what"] == "-C stands before the command status"
    assert error["hint"] == "options come after it: `deploy status … -C …`"


def test_a_flag_before_the_command_is_taken(repository: Repository) -> None:
    assert repository.deploy("--json", "status", "prod").returncode == 5


def test_a_choice_that_is_none(repository: Repository) -> None:
    what = repository.error(2, "prod", "london", "site", "--on-failure", "maybe")["what"]
    assert what == "Invalid value for '--on-failure': 'maybe' is not one of 'hold', 'rollback'"
