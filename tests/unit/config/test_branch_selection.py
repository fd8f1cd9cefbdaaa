"""Which branches a command line names, what they need, and where their releases are."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from deployer.config.relations import needs_among
from deployer.config.releases import Release, load_releases
from deployer.config.selection import Selection, select
from deployer.errors import ConfigurationError, UsageError
from deployer.model import Target
from tests.unit.config.conftest import (
    ALL,
    APP,
    BRANCH,
    TAKES_BRANCHES,
    Decryption,
    MakeRepository,
    app_with,
)

LABEL = "feature-x-217d2b"
NAME = f"myapp-{LABEL}"


# --- its release ------------------------------------------------------------------------------------------------------


def test_where_its_release_is(make_repository: MakeRepository) -> None:
    managed = f"{ALL}Dns: {{Manage: true}}\n"
    repository = make_repository({"group_vars/all.yml": managed, "group_vars/branches.yml": "Namespace: branches\n"})
    targets = repository.targets("prod", "london", [f"myapp@{BRANCH}", "myapp"])
    found = load_releases(repository, targets, decrypt=Decryption({})).found
    releases = [found[target] for target in targets]
    assert all(isinstance(one, Release) for one in releases)
    told = [(one.name, one.settings.namespace, one.sub_domain) for one in releases if isinstance(one, Release)]
    assert told == [(NAME, "branches", NAME), ("myapp", "apps", "myapp")]


def test_a_release_without_a_name_of_its_own_is_not_the_apps(make_repository: MakeRepository) -> None:
    repository = make_repository(app_with(('AppName: "{{ Name }}"', 'AppName: "{{ omit }}"')))
    (target,) = repository.targets("prod", "london", [f"myapp@{BRANCH}"])
    release = load_releases(repository, [target], decrypt=Decryption({})).found[target]
    assert isinstance(release, Release)
    assert release.name == NAME


# --- what a command line says -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("branch", "what", "hint"),
    [
        ("", "the name of the branch is empty", "--branch feature/x"),
        ("fix it", "a branch cannot be called 'fix it' here", "deploy it under another name: --branch fix-it"),
        ("../../etc", "a branch cannot be called '../../etc' here", "deploy it under another name: --branch etc"),
        ("ветка", "a branch cannot be called 'ветка' here", "--branch feature/x"),
        ("x\n", "a branch cannot be called 'x\\n' here", "deploy it under another name: --branch x"),
        ("\udcff", "a branch cannot be called '\\udcff' here", "--branch feature/x"),
        ("{{ 1 }}", "a branch cannot be called '{{ 1 }}' here", "deploy it under another name: --branch 1"),
    ],
)
def test_a_name_that_no_branch_may_have(make_repository: MakeRepository, branch: str, what: str, hint: str) -> None:
    repository = make_repository({**TAKES_BRANCHES, "apps/other.yml": APP})
    for selection in (
        Selection((f"myapp@{branch}",)),
        Selection(("myapp",), branch=branch),
        Selection(everything=True, branch=branch),
    ):
        with pytest.raises(UsageError) as caught:
            select(repository, "prod", "london", selection)
        assert (caught.value.what, caught.value.hint) == (what, hint)


def test_an_unknown_app_is_told_without_its_branch(make_repository: MakeRepository) -> None:
    with pytest.raises(UsageError, match=r"there is no app mapp\Z") as caught:
        make_repository().targets("prod", "london", ["mapp@x"])
    assert caught.value.hint == "did you mean myapp?"
    with pytest.raises(UsageError, match=r"there is no app \Z"):
        make_repository().targets("prod", "london", ["@x"])


MANY = {
    "apps/web.yml": "Environments: [prod.london]\nNeeds: [api]\nGroups: [front]\n",
    "apps/api.yml": "Environments: [prod.london]\nNeeds: [db]\n",
    "apps/db.yml": "Environments: [prod.london]\nGroups: [back]\n",
}


def test_a_branch_of_everything_or_of_a_group(make_repository: MakeRepository) -> None:
    repository = make_repository(MANY)
    found = select(repository, "prod", "london", Selection(everything=True, branch="x"))
    assert [one.application for one in found.targets] == ["api@x", "db@x", "myapp@x", "web@x"]
    assert found.needs == {"api@x": ("db@x",), "db@x": (), "myapp@x": (), "web@x": ("api@x",)}
    found = select(repository, "prod", "london", Selection(group="front", branch="x"))
    assert [one.application for one in found.targets] == ["web@x"]
    assert found.needs == {"web@x": ()}


def test_what_has_changed_is_asked_of_the_branch(make_repository: MakeRepository) -> None:
    asked: list[str] = []

    def changed(targets: Sequence[Target]) -> Sequence[Target]:
        asked.extend(one.application for one in targets)
        return targets[:1]

    selection = Selection(everything=True, changed=changed, branch="x")
    found = select(make_repository(MANY), "prod", "london", selection)
    assert asked == ["api@x", "db@x", "myapp@x", "web@x"]
    assert [one.application for one in found.targets] == ["api@x"]


def test_the_same_branch_is_needed_and_the_app_itself(make_repository: MakeRepository) -> None:
    repository = make_repository(MANY)
    assert needs_among(repository, ["web@x", "api@x", "api", "db", "api@y"]) == {
        "web@x": ("api@x", "api"),
        "api@x": ("db",),
        "api": ("db",),
        "db": (),
        "api@y": ("db",),
    }


def test_apps_that_need_each_other_do_so_in_branches_too(make_repository: MakeRepository) -> None:
    repository = make_repository({**MANY, "apps/db.yml": "Environments: [prod.london]\nNeeds: [web]\n"})
    with pytest.raises(ConfigurationError, match="apps need each other: api needs db needs web needs api"):
        needs_among(repository, ["web@x"])
