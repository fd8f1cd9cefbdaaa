"""The stage `local` needs its sandbox: brings it up when it was never started, and says so when it is broken."""

from __future__ import annotations

from pathlib import Path

from deployer.errors import UnreachableError
from deployer.events import Sink, WarningRaised

SANDBOX_STAGE = "local"


def ready_sandbox(sink: Sink, root: Path) -> None:
    """Have the sandbox running. Raises UnreachableError when it was stopped, or when a part of it has died."""
    from deployer.sandbox.state import has_access, state

    match state():
        case "up" if has_access(root):
            return
        case "never started" | "up" as found:
            from deployer.sandbox.sandbox import up

            if found == "never started":
                sink.emit(WarningRaised("the sandbox was never started; starting it", hint="it then stays up"))
            before = any((root / "group_vars").glob(f"secrets_{SANDBOX_STAGE}*"))
            result = up(sink, root)
            if found == "up" and before and any("secrets" in name for name in result.written):
                text = "the sandbox's keys are new ones, so its sample secrets were written anew"
                sink.emit(WarningRaised(text, hint="files that could not be decrypted are kept in .sandbox/replaced"))
        case "down":
            raise UnreachableError("the sandbox is down", hint="run `deploy sandbox up`")
        case "broken":
            raise UnreachableError(
                "the sandbox is broken: a part of it does not run any more",
                hint="`deploy sandbox status` shows which, `deploy sandbox up` repairs it",
            )
