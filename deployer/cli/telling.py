"""Tells what a command does while it does it: shown on standard error, masked, the sandbox ready where it is needed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from deployer.cli.display import Display, display
from deployer.cli.masked import MaskingSink
from deployer.cli.sandbox_ready import SANDBOX_STAGE, ready_sandbox

if TYPE_CHECKING:
    from deployer.wiring import Wiring


@contextmanager
def telling(wiring: Wiring, *stages: str, verbose: bool = False) -> Iterator[tuple[Display, MaskingSink]]:
    """The display, and the sink that writes to it without secrets, for the length of a block.

    Where one of `stages` is the sandbox's, it is running then. Raises UnreachableError when it does not run.
    """
    with display(verbose=verbose) as shown:
        sink = MaskingSink(wiring.watched(shown), wiring.mask)
        if SANDBOX_STAGE in stages:
            ready_sandbox(sink, wiring.root)
        yield shown, sink


def ready_for(stage: str, wiring: Wiring) -> None:
    """Have the sandbox running if the stage is its own, for a command that tells of nothing else on its way."""
    if stage == SANDBOX_STAGE:
        with telling(wiring, stage):
            pass
