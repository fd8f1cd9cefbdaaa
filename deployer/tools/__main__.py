"""`python -m deployer.tools [NAME…]` gets tools ahead of their first use: for build machines, and for the tests.

Without names: all that a deployment and the sandbox need.
"""

import sys
import time
from collections.abc import Sequence

from deployer import tools
from deployer.errors import DeployError
from deployer.events import Event, OutputLine, PhaseFinished, PhaseStarted


class _Lines:
    """Writes events as plain lines to stderr."""

    def emit(self, event: Event) -> None:
        match event:
            case PhaseStarted(phase=phase):
                self._write(f"{phase} …")
            case PhaseFinished(phase=phase, seconds=seconds, failed=failed):
                self._write(f"{phase}: {'failed' if failed else 'done'} ({seconds:.0f} s)")
            case OutputLine(source=source, line=line):
                self._write(f"  {source}: {line}")

    def _write(self, line: str) -> None:
        sys.stderr.write(f"{time.strftime('%H:%M:%S')} {line}\n")


def main(names: Sequence[str]) -> int:
    """The exit code."""
    unknown = sorted(set(names) - set(tools.TOOLS))
    if unknown:
        sys.stderr.write(f"no such tool: {', '.join(unknown)}; there are {', '.join(tools.TOOLS)}\n")
        return 2
    try:
        found = tools.ensure(names or (*tools.DEPLOYMENT, *tools.SANDBOX), _Lines())
    except DeployError as error:
        for leaf in error.leaves():
            sys.stderr.write(f"{leaf}\n" + (f"  {leaf.hint}\n" if leaf.hint else ""))
        return error.exit_code
    except KeyboardInterrupt:
        return 130
    for name, path in found.items():
        sys.stdout.write(f"{name} {path}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
