"""`deploy rollback` and `deploy history` as commands: what is wrong is said before anything is begun."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.test_main_job import Repository


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    return Repository(tmp_path)


@pytest.mark.parametrize("command", ["rollback", "history"])
@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("prud", "london", "site"), "there is no stage prud"),
        (("prod", "lundon", "site"), "there is no region lundon"),
        (("prod", "london", "sight"), "there is no app sight"),
        (("prod", "london"), "Missing argument 'APP'"),
        (("prod", "london", "site", "other"), "unexpected extra argument"),
    ],
)
def test_what_does_not_exist_is_said(
    repository: Repository, command: str, arguments: tuple[str, ...], said: str
) -> None:
    error = repository.error(2, command, *arguments)
    assert said in error["what"]


@pytest.mark.parametrize(
    "arguments", [("rollback", "--timeout", "soon"), ("rollback", "--lock-wait", "-1"), ("history", "--limit", "0")]
)
def test_options_that_make_no_sense(repository: Repository, arguments: tuple[str, ...]) -> None:
    command, *options = arguments
    repository.error(2, command, "prod", "london", "site", *options)


def test_no_region_answers(repository: Repository) -> None:
    assert repository.error(5, "rollback", "prod", "all", "site")["regions"] == ["london", "seoul"]


def test_a_region_whose_files_are_broken_is_named_with_the_command_for_the_other(repository: Repository) -> None:
    repository.write("group_vars/prod.seoul.yml", "AwsRegion: [\n")
    done = repository.deploy("rollback", "prod", "all", "site", "--to", "20261121")
    assert done.returncode == 2
    assert "group_vars/prod.seoul.yml:2" in done.stderr
    assert "http://127.0.0.1:9" in done.stderr  # london was looked at all the same


def test_what_an_app_deploys_may_be_broken(repository: Repository) -> None:
    repository.replace("apps/site.yml", "Helm:", "Docker: nonsense\nVersion2: '{{ Nowhere }}'\nHelm:")
    repository.replace("apps/site.yml", "{{ Values[Name].Replicas }}", "{{ Values.nothing.at.all }}")
    repository.errors(2, "prod", "london", "site")
    for command in ("rollback", "history"):
        assert repository.deploy(command, "prod", "london", "site").returncode == 5  # it went on to the cluster


def test_history_as_a_document_tells_which_regions_could_not_be_read(repository: Repository) -> None:
    repository.write("group_vars/prod.seoul.yml", "AwsRegion: [\n")
    done = repository.deploy("history", "prod", "all", "site", "--json")
    assert done.returncode == 2  # a file is to be mended first
    document = json.loads(done.stdout)
    assert (document["stage"], document["application"], document["ok"]) == ("prod", "site", False)
    codes = {one["region"]: [error["exitCode"] for error in one["errors"]] for one in document["regions"]}
    assert codes == {"london": [5], "seoul": [2]}
    people = repository.deploy("history", "prod", "all", "site")
    assert "london: could not be read" in people.stdout
    assert "prod.london, http://127.0.0.1:9" in people.stderr
