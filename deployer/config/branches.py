"""What makes the configuration of a branch differ from that of its app: its names, its layers, where it is allowed."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from deployer.config import formats
from deployer.config.layers import BRANCHES, DIRECTORY
from deployer.errors import ConfigurationError, Location, UsageError
from deployer.model import Settings, Target
from deployer.model.branches import MAX_BRANCH, acceptable, branch_of, branched, is_branch

_MAX_LABEL = 63

Place = tuple[str, str, str | None]
"""A stage, a region and a branch: what has layers in common."""


def place_of(target: Target) -> Place:
    """What a target's layers depend on."""
    return target.stage, target.region, target.branch


def check_name(application: str) -> None:
    """Raises UsageError for `myapp@BRANCH` with a branch that cannot be deployed under its name."""
    branch = branch_of(application)
    if branch is None or is_branch(branch):
        return
    other = acceptable(branch)
    raise UsageError(
        f"a branch cannot be called {branch!r} here" if branch else "the name of the branch is empty",
        why=f"it may have {MAX_BRANCH} letters, digits and ._/+@-, and begins with a letter or digit",
        hint=f"deploy it under another name: --branch {other}" if other else "--branch feature/x",
    )


def names_of(target: Target) -> Mapping[str, Callable[[str], str]]:
    """Variables that a branch changes, each with what becomes of the value that the files give it."""
    branch = target.branch
    if branch is None:
        return {}

    def host(name: str) -> str:
        first, dot, rest = name.partition(".")
        return f"{branched(first, branch, _MAX_LABEL)}{dot}{rest}"

    return {"AppName": lambda name: branched(name, branch, formats.MAX_RELEASE_NAME), "SubDomain": host}


def check_namespace(target: Target, settings: Settings, of_all: Settings, where: Location) -> None:
    """Raises ConfigurationError for a branch in another namespace than `of_all` branches: nobody would find it."""
    if settings.namespace != of_all.namespace:
        raise ConfigurationError(
            f"branches of {target.environment} are in namespace {of_all.namespace},"
            f" and {target.application} would be in {settings.namespace}",
            where=where,
            hint=f"set Namespace for all branches, in {DIRECTORY}/{BRANCHES}.yml: `deploy branches` looks there",
        )


def check_allowed(target: Target, settings: Settings) -> None:
    """Raises ConfigurationError for a branch in a stage that takes none."""
    if target.branch is not None and settings.branches is None:
        raise ConfigurationError(
            f"stage {target.stage} takes no branches",
            where=Location(f"{DIRECTORY}/{target.stage}.yml"),
            hint="let it by `Branches: {Expires: 7d}` there, if branches may be deployed beside its apps",
        )
