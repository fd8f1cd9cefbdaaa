"""`deploy dns drain|restore` and `--drain` as commands: what is wrong is said before anything is asked."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.test_main_job import Repository


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    return Repository(tmp_path)


@pytest.mark.parametrize("command", ["drain", "restore"])
@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("prud", "london", "site"), "there is no stage prud"),
        (("prod", "lundon", "site"), "there is no region lundon"),
        (("prod", "london", "sight"), "there is no app sight"),
        (("prod", "london"), "Missing argument 'APP'"),
        (("prod", "london", "site", "--force"), "--force needs a reason"),
        (("prod", "london", "site", "--force", "--reason", " "), "--force needs a reason"),
        (("prod", "london", "site", "--lock-wait", "soon"), "'soon' is not a time"),
    ],
)
def test_what_does_not_exist_is_said(
    repository: Repository, command: str, arguments: tuple[str, ...], said: str
) -> None:
    assert said in repository.error(2, "dns", command, *arguments)["what"]


def test_forcing_asks_first(repository: Repository) -> None:
    error = repository.error(4, "dns", "drain", "prod", "london", "site", "--force", "--reason", "a fire")
    assert error["hint"] == "add --yes"


def test_a_deployment_forces_nothing_without_a_reason(repository: Repository) -> None:
    error = repository.error(2, "prod", "london", "site", "--drain", "--force")
    assert "--force needs a reason" in error["what"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("Rollout: {MinHealthyRegions: -1}", "Rollout.MinHealthyRegions must be 0 or greater"),
        ("Rollout: {DrainGrace: -1}", "Rollout.DrainGrace must be 0 or greater"),
        ("Rollout: {Drain: sometimes}", "Rollout.Drain"),
        ("Dns: {NameServers: ['http://x/']}", "Dns.NameServers must be a list of HOST or HOST:PORT"),
    ],
)
def test_settings_are_checked(repository: Repository, text: str, said: str) -> None:
    file = repository.root / "group_vars/prod.yml"
    file.write_text(f"{file.read_text()}\n{text}\n" if file.exists() else text)
    assert said in repository.error(2, "dns", "drain", "prod", "london", "site")["what"]


def test_they_are_in_the_help(repository: Repository) -> None:
    listed = repository.deploy("dns", "--help").stdout
    assert "drain" in listed
    assert "restore" in listed
    assert "--drain" in repository.deploy("prod", "london", "site", "--help").stdout
