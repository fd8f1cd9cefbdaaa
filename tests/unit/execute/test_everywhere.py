"""Questions to several targets: what is told of those that cannot be answered."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from deployer.errors import ConfigurationError, DeployError, ErrorGroup, Location, UnreachableError
from deployer.execute.everywhere import ask_all
from deployer.model import Target

LONDON, SEOUL, VIRGINIA = (Target("prod", region, "web") for region in ("london", "seoul", "virginia"))


def failing(error: DeployError) -> Callable[[], str]:
    def ask() -> str:
        raise error

    return ask


def test_a_region_that_is_down_is_named_and_the_others_can_go_on() -> None:
    down = UnreachableError("the cluster does not answer", where="https://10.0.0.1", hint="is it up?")
    questions = [(LONDON, lambda: "a"), (SEOUL, failing(down)), (VIRGINIA, lambda: "b")]
    with pytest.raises(UnreachableError) as caught:
        ask_all(questions)
    assert caught.value.where == "prod.seoul, https://10.0.0.1"
    assert caught.value.hint == (
        "is it up?\nnothing was changed anywhere; to go on without seoul: deploy prod london,virginia web"
    )


def test_nothing_is_promised_when_something_else_is_wrong_too() -> None:
    questions = [
        (LONDON, lambda: "a"),
        (SEOUL, failing(UnreachableError("no answer"))),
        (VIRGINIA, failing(ConfigurationError("a wrong value", where=Location("apps/web.yml", 3)))),
    ]
    with pytest.raises(ErrorGroup) as caught:
        ask_all(questions)
    assert [(error.where, error.hint) for error in caught.value.leaves()] == [
        ("prod.seoul", None),
        (Location("apps/web.yml", 3), None),
    ]


def test_what_is_wrong_in_every_region_is_told_once() -> None:
    questions = [
        (target, failing(ConfigurationError("a wrong value", where=Location("apps/web.yml", 3))))
        for target in (LONDON, SEOUL)
    ]
    with pytest.raises(ConfigurationError, match="a wrong value"):
        ask_all(questions)


def test_one_region_needs_no_name() -> None:
    with pytest.raises(UnreachableError) as caught:
        ask_all([(LONDON, failing(UnreachableError("no answer", where="https://10.0.0.1")))])
    assert (caught.value.where, caught.value.hint) == ("https://10.0.0.1", None)
    assert ask_all([(LONDON, lambda: None), (SEOUL, lambda: 1)]) == [None, 1]
