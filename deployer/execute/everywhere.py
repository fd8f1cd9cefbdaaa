"""Asks about several targets at once, and tells everything that is wrong with any of them in one report."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Generic, TypeVar

from deployer.errors import DeployError, attempt, raise_all
from deployer.execute.parallel import values_of
from deployer.model import Target

T = TypeVar("T")

_AT_ONCE = 24
"""Questions on their way at a time: more only wait for each other."""

Question = tuple[Target, Callable[[], T]]

Failure = tuple[Target, DeployError]
"""What is wrong with a target."""

CommandFor = Callable[[Sequence[str]], str | None]
"""The command line for some of the regions, as the user could type it; None where it cannot be told."""


@dataclass(frozen=True)
class Answers(Generic[T]):
    """The answers in the order of the questions, None for those that failed; and what they failed with."""

    values: list[T | None]
    failures: list[Failure]

    @property
    def given(self) -> list[T]:
        """The answers that are not None."""
        return [value for value in self.values if value is not None]


def ask_each(questions: Sequence[Question[T]]) -> Answers[T]:
    """Ask the questions, many at once. Raises nothing but a signal."""
    answers = values_of([partial(attempt, question) for _, question in questions], at_once=_AT_ONCE)
    failures = [
        (target, answer)
        for (target, _), answer in zip(questions, answers, strict=True)
        if isinstance(answer, DeployError)
    ]
    return Answers([None if isinstance(answer, DeployError) else answer for answer in answers], failures)


def ask_all(questions: Sequence[Question[T]], command_for: CommandFor | None = None) -> list[T]:
    """The answers, in the order of the questions. Raises the errors of all that failed, as `refuse` tells them."""
    answers = ask_each(questions)
    refuse([target for target, _ in questions], answers.failures, command_for)
    return answers.values  # type: ignore[return-value]


def refuse(targets: Sequence[Target], failures: Sequence[Failure], command_for: CommandFor | None = None) -> None:
    """Raise everything that is wrong with any of a command's targets; nothing when nothing is.

    What is the same in several regions is told once. Where the command is about several regions each error names its
    own, and with `command_for` the last one has the command for the regions in which all is well: nothing may have been
    changed yet then.
    """
    leaves = [(target, leaf) for target, error in failures for leaf in error.leaves()]
    regions: dict[tuple[object, ...], list[str]] = {}
    distinct: dict[tuple[object, ...], DeployError] = {}
    for target, leaf in leaves:
        key: tuple[object, ...] = (type(leaf), str(leaf), leaf.hint, leaf.chain)
        distinct.setdefault(key, leaf)
        regions.setdefault(key, []).append(target.region)
    errors = list(distinct.values())
    all_regions = tuple(dict.fromkeys(target.region for target in targets))
    if errors and len(all_regions) > 1:
        for key, leaf in distinct.items():
            leaf.regions = tuple(dict.fromkeys(regions[key]))
        failed = {target.region for target, _ in failures}
        if command_for is not None and (others := _others(targets, all_regions, failed, command_for)):
            errors[-1].hint = f"{errors[-1].hint}\n{others}" if errors[-1].hint else others
    raise_all(errors)


def _others(targets: Sequence[Target], regions: Sequence[str], failed: set[str], command_for: CommandFor) -> str | None:
    """How to go on without the regions in which something is wrong; None when nothing would be left."""
    well = [region for region in regions if region not in failed]
    apps = dict.fromkeys(target.application for target in targets)
    pairs = {(target.region, target.application) for target in targets}
    if not well or any((region, app) not in pairs for region in well for app in apps):
        return None
    command = command_for(well) or f"the same command with {','.join(well)} as its REGION"
    return f"nothing was changed anywhere; to go on without {', '.join(sorted(failed))}: {command}"
