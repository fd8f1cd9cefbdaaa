"""What is written where standard output takes fewer characters than Unicode has."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.cli.test_main_job import ROOT, VARS, Repository

POSIX = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
LATIN = {"PYTHONIOENCODING": "latin-1"}


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    return Repository(tmp_path)


def output(repository: Repository, environment: dict[str, str], *arguments: str) -> tuple[bytes, bytes]:
    """What a command wrote to standard output and standard error."""
    done = subprocess.run(
        [sys.executable, "-m", "deployer", *arguments],
        cwd=repository.root,
        env={
            "PATH": os.environ["PATH"],
            "HOME": str(repository.root),
            "PYTHONPATH": str(ROOT),
            "AWS_EC2_METADATA_DISABLED": "true",
            **environment,
        },
        capture_output=True,
        timeout=60,
        check=False,
    )
    return done.stdout, done.stderr


@pytest.mark.parametrize(
    ("environment", "mark"),
    [
        (POSIX, b"\\u2714"),
        (LATIN, b"\\u2714"),
        ({"PYTHONIOENCODING": "latin-1:replace"}, b"?"),
        ({"PYTHONUTF8": "1"}, "✔".encode()),
    ],
    ids=["posix", "latin-1", "as asked for", "utf-8"],
)
def test_a_mark_that_is_missing_does_not_cost_the_report(
    repository: Repository, environment: dict[str, str], mark: bytes
) -> None:
    stdout, stderr = output(repository, environment, "doctor")
    assert b"\n  " + mark + b" python " in stdout
    assert stderr == b""


@pytest.mark.parametrize("environment", [POSIX, LATIN, {"PYTHONUTF8": "1"}])
def test_manifests_keep_their_meaning(repository: Repository, environment: dict[str, str]) -> None:
    repository.write(VARS, (repository.root / VARS).read_text().replace("Hello", "Grüße ✔"))
    stdout, stderr = output(repository, environment, "render", "prod", "london", "site")
    texts = [text for one in yaml.safe_load_all(stdout.decode("utf-8")) for text in _texts(one)]
    assert "Grüße ✔" in texts, stderr


def _texts(value: object) -> list[str]:
    if isinstance(value, dict):
        return [text for item in value.values() for text in _texts(item)]
    if isinstance(value, list):
        return [text for item in value for text in _texts(item)]
    return [str(value)]
