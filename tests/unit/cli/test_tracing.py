from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from deployer.cli.tracing import traced
from deployer.errors import ConfigurationError, Stop
from deployer.model import DeploymentResult

RESULT = DeploymentResult("1", "prod", "anna", None, 1.0)


class Traces:
    def __init__(self, answer: str | BaseException | None = None) -> None:
        self.answer = answer
        self.ended: list[tuple[DeploymentResult | None, BaseException | None]] = []

    def end(self, result: DeploymentResult | None, error: BaseException | None) -> str | None:
        self.ended.append((result, error))
        if isinstance(self.answer, BaseException):
            raise self.answer
        return self.answer


def wiring(begun: Any) -> Any:
    return SimpleNamespace(begin_traces=lambda command, stage: begun)


def test_a_result_ends_the_trace_and_what_was_not_sent_is_a_warning(capsys: pytest.CaptureFixture[str]) -> None:
    traces = Traces("it was not sent")
    with traced(wiring(traces), "prod") as conclude:
        conclude(RESULT)
    assert traces.ended == [(RESULT, None)]
    assert capsys.readouterr().err == "warning: it was not sent\n"


def test_an_error_is_recorded_and_goes_on() -> None:
    traces, error = Traces(), ConfigurationError("wrong")
    with pytest.raises(ConfigurationError), traced(wiring(traces), "prod"):
        raise error
    assert traces.ended == [(None, error)]


def test_who_is_stopped_while_sending_still_has_a_result() -> None:
    with traced(wiring(Traces(Stop(15))), "prod") as conclude:
        conclude(RESULT)


@pytest.mark.parametrize(("begun", "told"), [(None, ""), ("no traces: x", "warning: no traces: x\n")])
def test_without_traces_there_is_at_most_a_warning(
    begun: str | None, told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with traced(wiring(begun), "prod") as conclude:
        conclude(RESULT)
    assert capsys.readouterr().err == told
