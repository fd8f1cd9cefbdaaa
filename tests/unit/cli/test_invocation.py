"""The command line for other regions, as its user could type it."""

from __future__ import annotations

import shlex

import pytest

from deployer.cli.invocation import command_for


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        ("prod all web", "deploy prod london,seoul web"),
        ("prod all web --version 1.2 --yes", "deploy prod london,seoul web --version 1.2 --yes"),
        ("--version prod prod all web other", "deploy --version prod prod london,seoul web other"),
        ("rollback prod all web --to 3", "deploy rollback prod london,seoul web --to 3"),
        ("prod all web -e @more.yml -e@other.yml", "deploy prod london,seoul web -e @more.yml -e@other.yml"),
        ("prod all web -C 'my repository'", "deploy prod london,seoul web -C 'my repository'"),
    ],
)
def test_only_the_region_is_another_one(typed: str, expected: str) -> None:
    assert command_for("prod", "all", shlex.split(typed))(["london", "seoul"]) == expected


@pytest.mark.parametrize(
    "typed",
    [
        "prod all web -e TOKEN=hunter2",
        "prod all web -eTOKEN=hunter2",
        "prod all web --extra-vars TOKEN=hunter2",
        "prod all web --extra-vars=TOKEN=hunter2",
        "prod web",
        "something else",
    ],
)
def test_values_of_variables_are_not_repeated(typed: str) -> None:
    assert command_for("prod", "all", shlex.split(typed))(["london"]) is None
