"""Traces of a command, where the environment asks for them (docs/events.md)."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from deployer.cli.commands import COMMANDS, DEFAULT_COMMAND
from deployer.cli.messages import show_warning
from deployer.model import DeploymentResult

if TYPE_CHECKING:
    from deployer.wiring import Wiring


@contextmanager
def traced(wiring: Wiring, stage: str) -> Iterator[Callable[[DeploymentResult], None]]:
    """A trace of the block, which gives its result to what this gives; an error that ends it is recorded.

    What keeps traces from being sent is a warning, and nothing else.
    """
    results: list[DeploymentResult] = []
    word = next(iter(sys.argv[1:]), "")
    traces = wiring.begin_traces(word if word in COMMANDS else DEFAULT_COMMAND, stage)
    if isinstance(traces, str):
        show_warning(traces)
    if traces is None or isinstance(traces, str):
        yield results.append
        return
    failure: BaseException | None = None
    try:
        yield results.append
    except BaseException as error:
        failure = error
        raise
    finally:
        with suppress(KeyboardInterrupt):  # what was done is done: whoever stops us now stops the sending alone
            if warning := traces.end(results[0] if results else None, None if results else failure):
                show_warning(warning)
