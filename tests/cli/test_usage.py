"""What a mistyped command line is told."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.test_main_job import APP, ROOT, Repository


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
    assert error["what"].startswith("Missing argument") or error["what"] == "which apps?"
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


def test_artefacts_that_are_missing_are_not_done(repository: Repository) -> None:
    repository.write(
        "apps/site.yml",
        APP + 'Docker:\n  Dockerfile: "FROM scratch"\n  Download:\n    - src: "http://127.0.0.1:9/a.tar.gz"\n',
    )
    done = repository.deploy("prod", "london", "site")
    assert "artefacts failed in" in done.stderr, done.stderr


@pytest.mark.parametrize(
    "typed", ["render prod london site", "explain prod london site --json", "lint --json", "doctor"]
)
def test_an_answer_that_cannot_be_written_ends_in_1(repository: Repository, typed: str) -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "deployer", *typed.split()],
            cwd=repository.root,
            env={"PATH": os.environ["PATH"], "HOME": str(repository.root), "PYTHONPATH": str(ROOT)},
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            timeout=60,
            check=False,
        )
    assert done.returncode == 1
    assert done.stderr.count("the result cannot be written to standard output") == 1
