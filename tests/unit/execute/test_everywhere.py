"""Questions to several targets: what is told of those that cannot be answered."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest

from deployer.errors import ConfigurationError, DeployError, ErrorGroup, Location, UnreachableError
from deployer.execute.everywhere import ask_all, ask_each, refuse
from deployer.model import Target

LONDON, SEOUL, VIRGINIA = (Target("prod", region, "web") for region in ("london", "seoul", "virginia"))


def failing(error: DeployError) -> Callable[[], str]:
    def ask() -> str:
        raise error

    return ask


def command_for(regions: Sequence[str]) -> str:
    return f"deploy prod {','.join(regions)} web"


def test_a_region_that_is_down_is_named_and_the_others_can_go_on() -> None:
    down = UnreachableError("the cluster does not answer", where="https://10.0.0.1", hint="is it up?")
    questions = [(LONDON, lambda: "a"), (SEOUL, failing(down)), (VIRGINIA, lambda: "b")]
    with pytest.raises(UnreachableError) as caught:
        ask_all(questions, command_for)
    assert (caught.value.regions, caught.value.where) == (("seoul",), "https://10.0.0.1")
    assert caught.value.hint == (
        "is it up?\nnothing was changed anywhere; to go on without seoul: deploy prod london,virginia web"
    )


def test_whatever_is_wrong_in_some_regions_the_others_can_go_on() -> None:
    questions = [
        (LONDON, lambda: "a"),
        (SEOUL, failing(UnreachableError("no answer"))),
        (VIRGINIA, failing(ConfigurationError("a wrong value", where=Location("apps/web.yml", 3), hint="correct it"))),
    ]
    with pytest.raises(ErrorGroup) as caught:
        ask_all(questions, lambda regions: f"deploy prod {','.join(regions)} web --version 2")
    assert [(error.regions, error.where, error.hint) for error in caught.value.leaves()] == [
        (("seoul",), None, None),
        (
            ("virginia",),
            Location("apps/web.yml", 3),
            "correct it\nnothing was changed anywhere; to go on without seoul, virginia: "
            "deploy prod london web --version 2",
        ),
    ]


def test_a_command_that_cannot_be_repeated_is_described() -> None:
    with pytest.raises(UnreachableError) as caught:
        ask_all([(LONDON, lambda: 1), (SEOUL, failing(UnreachableError("no answer")))], lambda regions: None)
    assert caught.value.hint == (
        "nothing was changed anywhere; to go on without seoul: the same command with london as its REGION"
    )


def test_nothing_is_promised_where_no_command_names_what_is_well() -> None:
    other = Target("prod", "seoul", "other")
    for questions in (
        [(LONDON, failing(UnreachableError("no answer"))), (other, lambda: 1)],
        [(LONDON, failing(UnreachableError("no answer"))), (SEOUL, failing(UnreachableError("none")))],
    ):
        with pytest.raises(DeployError) as caught:
            ask_all(questions, command_for)
        assert [error.hint for error in caught.value.leaves()] == [None] * len(list(caught.value.leaves()))


def test_what_is_wrong_in_several_regions_is_told_once_with_their_names() -> None:
    questions = [
        (target, failing(ConfigurationError("a wrong value", where=Location("apps/web.yml", 3))))
        for target in (LONDON, SEOUL)
    ]
    with pytest.raises(ConfigurationError, match="a wrong value") as caught:
        ask_all(questions)
    assert caught.value.regions == ("london", "seoul")


def test_what_was_known_before_is_told_with_what_was_found() -> None:
    answers = ask_each([(LONDON, lambda: 1), (SEOUL, failing(UnreachableError("no answer")))])
    assert (answers.values, answers.given) == ([1, None], [1])
    known = [(VIRGINIA, ConfigurationError("KMS denied"))]
    with pytest.raises(ErrorGroup) as caught:
        refuse([LONDON, SEOUL, VIRGINIA], [*known, *answers.failures])
    assert [(error.what, error.regions) for error in caught.value.leaves()] == [
        ("KMS denied", ("virginia",)),
        ("no answer", ("seoul",)),
    ]


def test_one_region_needs_no_name() -> None:
    with pytest.raises(UnreachableError) as caught:
        ask_all([(LONDON, failing(UnreachableError("no answer", where="https://10.0.0.1")))])
    assert (caught.value.where, caught.value.hint, caught.value.regions) == ("https://10.0.0.1", None, ())
    assert ask_all([(LONDON, lambda: None), (SEOUL, lambda: 1)]) == [None, 1]
