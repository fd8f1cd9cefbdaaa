"""A repository that `deploy init` has just made: its app is deployed, explained, linted and removed as it is."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.sandbox.region import eventually
from tests.sandbox.surroundings import ask, unique

ROOT = Path(__file__).parents[2]


class New:
    """A new repository, and `deploy` in it."""

    def __init__(self, directory: Path) -> None:
        self.directory, self.name = directory, unique("new")
        self.run("init", str(directory), "--yes", "--name", self.name, cwd=ROOT)

    def run(self, *arguments: str, cwd: Path | None = None) -> str:
        """What a command that succeeds prints."""
        environment = {key: value for key, value in os.environ.items() if not key.startswith(("AWS_", "DEPLOY_"))}
        environment["PYTHONPATH"] = str(ROOT)
        done = subprocess.run(
            [sys.executable, "-m", "deployer", *arguments],
            cwd=cwd or self.directory,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout


@pytest.fixture(scope="module")
def new(tmp_path_factory: pytest.TempPathFactory, clusters: object) -> Iterator[New]:
    made = New(tmp_path_factory.mktemp("init") / "repository")
    made.run("local", "london", made.name)
    yield made
    made.run("remove", "local", "london", made.name, "--yes")


def test_it_is_served_at_once(new: New) -> None:
    host = f"{new.name}.london.deploy.test"
    assert eventually(lambda: ask(host) == (200, f"<h1>{new.name} 0.0.1</h1>\n"))


def test_lint_finds_nothing_in_it(new: New) -> None:
    assert json.loads(new.run("lint", "--json"))["findings"] == []


def test_what_is_encrypted_is_explained_and_not_shown(new: New) -> None:
    document = json.loads(new.run("explain", "local", "london", new.name, "Slack", "--json"))
    (target,) = document["targets"]
    values = {one["key"]: one for one in target["values"]}
    assert (values["Slack.Token"]["secret"], values["Slack.Token"]["value"]) == (True, None)
    assert values["Slack.Token"]["file"] == "group_vars/secrets_local.yml"
    assert values["Slack.Channel"]["value"] == "#deployments-local"
    assert "xoxb" not in json.dumps(document)


def test_offline_it_is_told_that_it_is_encrypted(new: New) -> None:
    plain = new.run("explain", "local", "london", new.name, "Slack", "--offline")
    assert "Slack.Token = •••" in plain
