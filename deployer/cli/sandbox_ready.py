"""The stage `local` needs its sandbox: brings it up when it was never started, and says so when it is broken."""

from __future__ import annotations

from pathlib import Path

from deployer.errors import UnreachableError
from deployer.events import Sink, WarningRaised

SANDBOX_STAGE = "local"


def ready_sandbox(sink: Sink, root: Path) -> None:
    """Have the sandbox running. Raises UnreachableError when it was stopped, or when a part of it has died."""
    from deployer.sandbox.state import state

    match state():
        case "up" if (root / ".sandbox").is_dir():
            return
        case "never started" | "up":
            from deployer.sandbox.sandbox import up

            sink.emit(WarningRaised("the sandbox was never started here; starting it", hint="once; it then stays up"))
            up(sink, root)
        case "down":
            raise UnreachableError("the sandbox is down", hint="run `deploy sandbox up`")
        case "broken":
            raise UnreachableError(
                "the sandbox is broken: a part of it does not run any more",
                hint="`deploy sandbox status` shows which, `deploy sandbox up` repairs it",
            )
