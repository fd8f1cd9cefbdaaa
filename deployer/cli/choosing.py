"""Which apps a command line means: named ones, all, a group, what has changed since a commit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from deployer.cli.commands import other_command
from deployer.errors import UsageError
from deployer.model.branches import branch_of, named

if TYPE_CHECKING:
    from deployer.config.selection import Selection
    from deployer.wiring import Wiring


@dataclass(frozen=True)
class Choice:
    """The words of the command line that choose apps."""

    names: tuple[str, ...] = ()
    everything: bool = False
    group: str | None = None
    changed_since: str | None = None
    branch: str | None = None

    def selection(self, wiring: Wiring, version: str | None, extra_vars: Sequence[str]) -> Selection:
        """What the configuration is asked for. Raises UsageError for an unknown commit."""
        from deployer.config.selection import Selection

        changed = None
        if self.changed_since is not None:
            changed = wiring.changed_since(self.changed_since, version, extra_vars)
        return Selection(self.names, self.everything, self.group, changed, self.branch)


def with_branch(name: str, branch: str | None) -> str:
    """APP of the command line with its `--branch`. Raises UsageError where APP has one already."""
    if branch is not None and branch_of(name) is not None:
        raise UsageError("the branch is given twice", why=f"both {name} and --branch name one")
    return named(name, branch)


def choice_of(
    names: Sequence[str] | None,
    everything: bool,
    group: str | None,
    changed_since: str | None,
    version: str | None,
    *,
    stage: str = "",
    branch: str | None = None,
) -> Choice:
    """The choice. Raises UsageError where nothing is chosen, or too much.

    `stage` is a word that may have been meant as a command.
    """
    for name in names or ():
        with_branch(name, branch)
    given = [
        option
        for option, is_given in (("APP", bool(names)), ("--all", everything), ("--group", group is not None))
        if is_given
    ]
    if len(given) > 1:
        raise UsageError(f"{' and '.join(given)} do not go together", hint="name apps, or choose them by one option")
    if not given and changed_since is None:
        hint = "name them after the region, or give --all, --group NAME or --changed-since GITREF"
        raise UsageError("which apps?", hint=f"{other_command(stage)}{hint}")
    if version is not None and not names:
        raise UsageError(
            "--version is for apps that are named", why="others have versions of their own", hint="name the apps"
        )
    return Choice(tuple(names or ()), everything, group, changed_since, branch)
