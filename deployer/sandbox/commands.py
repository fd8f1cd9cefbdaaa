"""Runs the machine's own short commands for the sandbox."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from deployer.adapters import process
from deployer.errors import DeploymentFailed


def run(command: Sequence[str | Path], *, stdin: str | None = None, timeout: float = 60.0) -> str:
    """The command's standard output. Raises DeploymentFailed with the end of its standard error."""
    done = process.run(command, stdin=None if stdin is None else stdin.encode(), timeout=timeout)
    if not done.ok:
        said = (done.stderr.strip() or done.stdout.strip()).decode(errors="replace")
        shown = " ".join(str(part) for part in command[:3])
        raise DeploymentFailed(f"`{shown}` failed (exit code {done.returncode})", why=said[-600:] or None)
    return done.stdout.decode(errors="replace")
