"""Git: which commit of the deployment repository a deployment is made from."""

from __future__ import annotations

from pathlib import Path

from deployer.adapters import process
from deployer.errors import DeployError

# A checkout of another owner, as on CI, is the deployment repository all the same.
_GIT = ("git", "-c", "safe.directory=*")


def commit(repository: Path) -> str | None:
    """The commit's 40 digits, `-dirty` appended where a file that counts is not in it; None outside git or without it.

    Files that count are tracked ones, and new ones in `apps/` and `group_vars/` that git does not ignore.
    """
    try:
        described = process.run(
            [*_GIT, "-C", repository, "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"], timeout=10
        )
        new = process.run([*_GIT, "-C", repository, "status", "--porcelain", "--", "apps", "group_vars"], timeout=10)
    except DeployError:
        return None
    name = described.stdout.decode("ascii", "replace").strip()
    if not described.ok or not name:
        return None
    return f"{name}-dirty" if new.stdout.strip() and not name.endswith("-dirty") else name
