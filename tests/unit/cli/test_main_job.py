"""The exit code of the main job, made of what became of its targets."""

from __future__ import annotations

import pytest

from deployer.cli.main_job import Asked, _exit_code
from deployer.errors import ConfigurationError, DeployError, DeploymentFailed, HeldError, UnreachableError
from deployer.model import DeploymentResult, Outcome, Target, TargetResult

WRONG = ConfigurationError("the field is immutable")
DOWN = UnreachableError("the cluster does not answer")


def target(outcome: Outcome, error: DeployError | None = None, revision: int | None = None) -> TargetResult:
    return TargetResult(Target("prod", "london", "myapp"), outcome, error=error, revision=revision)


@pytest.mark.parametrize(
    ("targets", "code"),
    [
        ([target("planned"), target("unchanged")], 0),
        ([target("planned", WRONG)], 2),
        ([target("planned", WRONG), target("planned")], 2),
        ([target("planned", WRONG), target("not started", WRONG)], 2),
        ([target("planned", WRONG), target("not started", DOWN)], 2),
        ([target("not started", HeldError("somebody is at work")), target("unchanged")], 4),
        ([target("planned", WRONG), target("rolled back", DeploymentFailed("it crashes"), revision=3)], 1),
        ([target("deployed", revision=3), target("not started", WRONG)], 1),
    ],
)
def test_the_errors_count_where_nothing_was_changed(targets: list[TargetResult], code: int) -> None:
    result = DeploymentResult("id-1", "prod", "anna", None, 1.0, tuple(targets))
    assert _exit_code(result, None, Asked("prod", "london")) == code


def test_a_plan_with_changes_says_so_where_that_was_asked_for() -> None:
    result = DeploymentResult("id-1", "prod", "anna", None, 1.0, (target("planned"), target("unchanged")))
    assert _exit_code(result, None, Asked("prod", "london", exit_code=True)) == 3
