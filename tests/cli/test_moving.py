"""`deploy promote`, `remove` and `adopt` as commands: what is wrong is said before anything is begun."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.test_main_job import REGION, Repository


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    return Repository(tmp_path)


@pytest.mark.parametrize("command", ["remove", "adopt"])
@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("prud", "london", "site"), "there is no stage prud"),
        (("prod", "lundon", "site"), "there is no region lundon"),
        (("prod", "london", "sight"), "there is no app sight"),
        (("prod", "london"), "Missing argument 'APP'"),
        (("prod", "london", "site", "other"), "unexpected extra argument"),
        (("prod", "london", "site", "--timeout", "soon"), "'soon' is not a time"),
    ],
)
def test_what_does_not_exist_is_said(
    repository: Repository, command: str, arguments: tuple[str, ...], said: str
) -> None:
    assert said in repository.error(2, command, *arguments)["what"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("dev", "prod", "site"), "there is no stage dev"),
        (("prod", "dev", "site"), "there is no stage dev"),
        (("prod", "prod", "site"), "prod cannot be promoted to itself"),
        (("prod", "preprod", "sight"), "there is no app sight"),
        (("prod", "dev"), "Missing argument 'APP'"),
        (("prod", "preprod", "site", "--from-region", "lundon"), "there is no region lundon"),
        (("prod", "dev", "site", "--version", "2"), "No such option"),
        (("preprod", "prod", "site", "--drain", "--force"), "--force needs a reason"),
    ],
)
def test_a_promotion_between_stages_that_are_not_there(
    repository: Repository, arguments: tuple[str, ...], said: str
) -> None:
    repository.write("group_vars/preprod.yml", "DnsDomain: preprod.test\n")
    repository.write("group_vars/preprod.london.yml", REGION)
    repository.replace("apps/site.yml", '  - "prod.seoul"', '  - "prod.seoul"\n  - "preprod.london"')
    assert said in repository.error(2, "promote", *arguments)["what"]


@pytest.mark.parametrize("command", ["remove", "adopt"])
def test_no_region_answers(repository: Repository, command: str) -> None:
    assert repository.error(5, command, "prod", "all", "site")["regions"] == ["london", "seoul"]


def test_what_an_app_deploys_may_be_broken_when_it_is_removed(repository: Repository) -> None:
    repository.replace("apps/site.yml", "Helm:", "Docker: nonsense\nHelm:")
    repository.replace("apps/site.yml", "{{ Values[Name].Replicas }}", "{{ Values.nothing.at.all }}")
    repository.errors(2, "adopt", "prod", "london", "site")
    repository.error(5, "remove", "prod", "london", "site")


def test_a_release_without_an_app_file_is_named_by_an_option(repository: Repository) -> None:
    hint = repository.error(2, "remove", "prod", "all", "gone")["hint"]
    assert "without an app file: deploy remove prod all RELEASE --release" in hint
    repository.error(5, "remove", "prod", "london", "gone", "--release")
    repository.write("apps/site.yml", "Name: [")
    assert "--release" in repository.errors(2, "remove", "prod", "london", "site")[-1]["hint"]
    repository.error(5, "remove", "prod", "london", "site", "--release")
    assert "tokyo" in repository.error(2, "remove", "prod", "tokyo", "site", "--release")["what"]


def test_what_was_deployed_with_variables_is_removed_with_them(repository: Repository) -> None:
    assert (
        "there is no region" not in repository.error(5, "remove", "prod", "london", "site", "-e", "Namespace=x")["what"]
    )
    assert "Namespace" in str(repository.error(2, "remove", "prod", "london", "site", "-e", '{"Namespace": 7}'))
    refused = repository.error(2, "remove", "prod", "london", "site", "--release", "-e", "Namespace=x")
    assert "--release goes without one" in refused["what"]


def test_each_says_what_it_does(repository: Repository) -> None:
    for command, words in (("promote", "never built"), ("remove", "Volumes that were claimed"), ("adopt", "Take over")):
        done = repository.deploy(command, "--help")
        assert done.returncode == 0
        assert words in " ".join(done.stdout.split())
