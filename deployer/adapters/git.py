"""Git: which commit of the deployment repository a deployment is made from."""

from __future__ import annotations

from pathlib import Path

from deployer.adapters import process
from deployer.errors import DeployError


def commit(repository: Path) -> str | None:
    """The commit's 40 digits, `-dirty` appended where tracked files differ; None outside git or without it."""
    try:
        result = process.run(
            ["git", "-C", repository, "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"], timeout=10
        )
    except DeployError:
        return None
    return result.stdout.decode("ascii", "replace").strip() or None if result.ok else None
