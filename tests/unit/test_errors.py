"""The error tree: what a reader is shown and which exit code the process ends with."""

import pytest

from deployer.cli.messages import error_lines
from deployer.errors import (
    ConfigurationError,
    DeployError,
    DeploymentFailed,
    ErrorGroup,
    HeldError,
    InterruptedBySignal,
    Location,
    UnreachableError,
    raise_all,
)


def test_an_error_shows_what_where_by_why_and_next() -> None:
    error = ConfigurationError(
        "the variable VALUE1 is not defined",
        where=Location("apps/myapp.yml", 12, 5),
        why="Values.myapp has VALUES1",
        hint="did you mean VALUES1?",
        chain=["group_vars/prod.yml:3 AwsEcrPrefix"],
    )
    assert list(error_lines(error)) == [
        "error: the variable VALUE1 is not defined",
        "  where: apps/myapp.yml:12:5",
        "     by: group_vars/prod.yml:3 AwsEcrPrefix",
        "    why: Values.myapp has VALUES1",
        "   next: did you mean VALUES1?",
    ]


@pytest.mark.parametrize(
    ("errors", "code"),
    [
        ([DeploymentFailed("a"), UnreachableError("b")], 5),
        ([UnreachableError("a"), HeldError("b")], 4),
        ([HeldError("a"), ConfigurationError("b")], 2),
        ([InterruptedBySignal(15)], 143),
    ],
)
def test_a_group_ends_with_the_code_of_what_must_be_mended_first(errors: list[DeployError], code: int) -> None:
    assert ErrorGroup(errors).exit_code == code


def test_groups_within_groups_are_flattened() -> None:
    inner = ErrorGroup([ConfigurationError("a"), ConfigurationError("b")])
    assert [leaf.what for leaf in ErrorGroup([inner, HeldError("c")]).leaves()] == ["a", "b", "c"]


def test_one_error_is_raised_as_itself_and_none_as_nothing() -> None:
    raise_all([])
    with pytest.raises(HeldError):
        raise_all([HeldError("only")])
    with pytest.raises(ErrorGroup):
        raise_all([HeldError("one"), HeldError("two")])
