"""Branches on the command line: what is mistyped is told before anything is begun."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.test_main_job import Repository

JOB = ("prod", "london", "site")
DELETE = ("branches", "delete", "prod", "london")


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    """One whose stage takes branches."""
    repository = Repository(tmp_path)
    repository.replace("group_vars/prod.yml", "DnsDomain", "Branches: {}\nDnsDomain")
    return repository


@pytest.mark.parametrize(
    ("typed", "what", "hint"),
    [
        ([*JOB, "--branch", ""], "the name of the branch is empty", "--branch feature/x"),
        (["prod", "london", "site@"], "the name of the branch is empty", "--branch feature/x"),
        ([*JOB, "--branch", "a b"], "a branch cannot be called 'a b' here", "--branch a-b"),
        (["prod", "london", "--all", "--branch", "/"], "a branch cannot be called '/' here", "--branch feature/x"),
        ([*JOB, "--branch", "\udcff"], "a branch cannot be called '\\udcff' here", "--branch feature/x"),
        (["prod", "london", "site@x", "--branch", "y"], "the branch is given twice", None),
        ([*JOB, "--branch", "x", "--expires", "nonsense"], "'nonsense' is not a time", "7d, 12h, 1w2d, or never"),
        ([*JOB, "--branch", "x", "--expires", "9" * 18 + "w"], f"'{'9' * 18}w' is not a time", "never"),
        ([*JOB, "--expires", "2d"], "--expires is for branches", "--branch feature/x"),
        (["prod", "london", "sit@x"], "there is no app sit", "did you mean site?"),
        (["history", "prod", "london", "site@\udcff"], "a branch cannot be called '\\udcff' here", None),
        (["branches", "list"], "Missing argument 'STAGE'", "`deploy branches list --help`"),
        (["branches", "list", "prdo"], "there is no stage prdo", "did you mean prod?"),
        (["branches", "list", "prod", "londn"], "prod has no region londn", "its regions are london, seoul"),
        (["branches", "expire", "prod", "--timeout", "soon"], "'soon' is not a time", None),
        ([*DELETE], "Missing argument 'APP'", "`deploy branches delete --help`"),
        ([*DELETE, "site"], "which branch?", "APP BRANCH, or APP@BRANCH"),
        ([*DELETE, "site@x", "x"], "the branch is given twice", "APP BRANCH, or APP@BRANCH"),
        ([*DELETE, "@x"], "which app?", "APP BRANCH, or APP@BRANCH"),
        ([*DELETE, "site", ""], "the name of the branch is empty", None),
        ([*DELETE, "site", "a b"], "a branch cannot be called 'a b' here", None),
        (["branches", "delete", "prod", "londn", "site", "x"], "prod has no region londn", None),
    ],
)
def test_what_is_mistyped(repository: Repository, typed: list[str], what: str, hint: str | None) -> None:
    error = repository.error(2, *typed)
    assert error["what"] == what
    assert hint is None or hint in error["hint"]


def test_branches_without_a_command_of_its_own(repository: Repository) -> None:
    done = repository.deploy("branches")
    assert done.returncode == 2
    for command in ("list", "delete", "expire"):
        assert f"\n  {command} " in done.stdout + done.stderr
    done = repository.deploy("branches", "lst", "prod")
    assert done.returncode == 2
    assert "Did you mean 'list'?" in done.stderr


def test_a_stage_that_takes_none(repository: Repository) -> None:
    repository.replace("group_vars/prod.yml", "Branches: {}\n", "")
    error = repository.error(2, *JOB, "--branch", "x")
    assert (error["what"], error["where"]) == ("stage prod takes no branches", "group_vars/prod.yml")


def test_an_object_that_would_be_the_apps(repository: Repository) -> None:
    repository.replace("apps/site.yml", 'metadata: {name: "{{ AppName }}"}', "metadata: {name: site}")
    error = repository.error(2, *JOB, "--branch", "feature/x")
    assert (error["what"], error["where"]) == ("Deployment/site is an object of site itself, too", "apps/site.yml:9:5")


def test_how_a_branch_is_called_is_shown(repository: Repository) -> None:
    done = repository.deploy("render", "prod", "london", "site@feature/x")
    assert done.returncode == 0, done.stderr
    assert "name: site-feature-x-217d2b" in done.stdout
    done = repository.deploy("explain", "prod", "london", "site@feature/x", "SubDomain", "--json")
    assert "site-feature-x-217d2b" in json.dumps(json.loads(done.stdout))
    assert "feature-x" not in repository.deploy("render", "prod", "london", "site").stdout


def test_regions_that_cannot_be_asked(repository: Repository) -> None:
    done = repository.deploy("branches", "list", "prod", "--json")
    document = json.loads(done.stdout)
    assert (done.returncode, document["ok"], document["branches"]) == (5, False, [])
    (error,) = document["errors"]
    assert (error["what"], error["regions"]) == ("the cluster does not answer", ["london", "seoul"])
    told = repository.deploy("branches", "list", "prod")
    assert (told.returncode, told.stdout) == (5, "no branch was seen; london, seoul could not be asked\n")
    for command in (["expire", "prod"], ["delete", "prod", "london,seoul", "site", "x"]):
        error = repository.error(5, "branches", *command)
        assert (error["what"], error["regions"]) == ("the cluster does not answer", ["london", "seoul"])


def test_apps_with_namespaces_of_their_own_leave_branches_theirs(repository: Repository) -> None:
    repository.replace("group_vars/prod.yml", "Branches: {}\n", 'Branches: {}\nNamespace: "{{ APPLICATION }}"\n')
    error = repository.error(2, "branches", "list", "prod", "london")
    assert error["what"].startswith("Namespace must be")
    repository.write("group_vars/branches.yml", 'Namespace: "branches"\n')
    assert repository.deploy("branches", "list", "prod", "london").returncode == 5


def test_branches_of_an_app_that_is_gone_can_be_asked_for(repository: Repository) -> None:
    error = repository.error(5, *DELETE, "gone", "x")
    assert error["what"] == "the cluster does not answer"


def test_lint_tells_what_branches_would_share(repository: Repository) -> None:
    repository.replace("apps/site.yml", 'metadata: {name: "{{ AppName }}"}', "metadata: {name: site}")
    done = repository.deploy("lint")
    assert "shared-by-branches" in done.stdout
    assert "Deployment/site is an object of site itself, too" in done.stdout


def test_a_command_that_runs_no_hooks_takes_nothing_for_them(repository: Repository) -> None:
    error = repository.error(2, "plan", "prod", "london", "site", "--", "-e", "x=1")
    assert error["what"] == "`deploy plan` runs no hooks"
