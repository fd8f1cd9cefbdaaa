"""Asks about several targets at once; what cannot be reached is told with its region, and how to go on without it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import TypeVar

from deployer.errors import DeployError, InterruptedBySignal, Location, UnreachableError, raise_all
from deployer.execute.parallel import values_of
from deployer.model import Target

T = TypeVar("T")

Question = tuple[Target, Callable[[], T]]


def ask_all(questions: Sequence[Question[T]]) -> list[T]:
    """The answers, in the order of the questions.

    Raises the errors of all questions that failed, those that several targets have in common once.
    """
    answers = values_of([partial(_attempt, question) for _, question in questions])
    failures = [
        (target, answer)
        for (target, _), answer in zip(questions, answers, strict=True)
        if isinstance(answer, DeployError)
    ]
    if len({target.region for target, _ in questions}) > 1:
        _name_regions([target for target, _ in questions], failures)
    leaves = [leaf for _, error in failures for leaf in error.leaves()]
    raise_all(list({(str(leaf), leaf.hint, leaf.exit_code): leaf for leaf in leaves}.values()))
    return [answer for answer in answers if not isinstance(answer, DeployError)]


def _attempt(question: Callable[[], T]) -> T | DeployError:
    try:
        return question()
    except InterruptedBySignal:
        raise
    except DeployError as error:
        return error


def _name_regions(targets: Sequence[Target], failures: Sequence[tuple[Target, DeployError]]) -> None:
    """Say which region each service belongs to and, where nothing else is wrong, the command for the other regions."""
    leaves = [(target, leaf) for target, error in failures for leaf in error.leaves()]
    failed = {target.region for target, _ in failures}
    well = dict.fromkeys(target.region for target in targets if target.region not in failed)
    only_reach = all(isinstance(leaf, UnreachableError) for _, leaf in leaves)
    for target, leaf in leaves:
        if not isinstance(leaf, UnreachableError):
            continue
        if not isinstance(leaf.where, Location):
            leaf.where = f"{target.environment}, {leaf.where}" if leaf.where else target.environment
        if well and only_reach:
            apps = " ".join(dict.fromkeys(each.application for each in targets if each.region in well))
            command = f"deploy {target.stage} {','.join(well)} {apps}"
            others = f"nothing was changed anywhere; to go on without {', '.join(sorted(failed))}: {command}"
            leaf.hint = f"{leaf.hint}\n{others}" if leaf.hint else others
