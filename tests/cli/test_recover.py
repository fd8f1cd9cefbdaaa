"""`deploy recover` as a command: what is wrong is said before anything is looked at, and a broken app file is none."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.test_main_job import Repository


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    return Repository(tmp_path)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("prud", "london", "site"), "there is no stage prud"),
        (("prod", "lundon", "site"), "there is no region lundon"),
        (("prod", "london", "sight"), "there is no app sight"),
        (("prod", "london"), "Missing argument 'APP'"),
        (("prod", "london", "site", "--lock-wait", "soon"), "'soon' is not a time"),
        (("prod", "london", "site", "--timeout", "0"), "'0' is not a useful time"),
    ],
)
def test_what_does_not_exist_is_said(repository: Repository, arguments: tuple[str, ...], said: str) -> None:
    assert said in repository.error(2, "recover", *arguments)["what"]


def test_no_region_answers(repository: Repository) -> None:
    assert repository.error(5, "recover", "prod", "all", "site")["regions"] == ["london", "seoul"]


def test_what_an_app_deploys_may_be_broken(repository: Repository) -> None:
    repository.replace("apps/site.yml", "{{ Values[Name].Replicas }}", "{{ Values.nothing.at.all }}")
    repository.errors(2, "prod", "london", "site")
    assert "does not answer" in repository.error(5, "recover", "prod", "london", "site")["what"]


def test_it_is_in_the_list_of_commands(repository: Repository) -> None:
    assert "recover" in repository.deploy("--help").stdout
    assert "--lock-wait" in repository.deploy("recover", "--help").stdout
