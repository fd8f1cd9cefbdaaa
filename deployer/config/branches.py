"""What makes the configuration of a branch differ from that of its app: its names, its layers, where it is allowed."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from deployer.config import formats
from deployer.config.layers import BRANCHES, DIRECTORY, Layer
from deployer.config.nodes import MappingNode
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


def check_layer(layer: Layer, content: MappingNode) -> list[ConfigurationError]:
    """What is wrong with a file of branches: it may not allow itself."""
    entry = content.entries.get("Branches")
    if entry is None or layer.path.stem.partition(".")[0] != BRANCHES:
        return []
    hint = f"{DIRECTORY}/STAGE.yml says whether a stage takes branches, and how long it keeps them"
    return [ConfigurationError("Branches belongs in the files of stages", where=entry.location, hint=hint)]


def names_of(target: Target) -> Mapping[str, Callable[[str], str]]:
    """Variables that a branch changes, each with what becomes of the value that the files give it.

    A value that the app itself could not have stays as it is, and is refused as it is there.
    """
    branch = target.branch
    if branch is None:
        return {}

    def release(name: str) -> str:
        own = formats.is_label(name, formats.MAX_RELEASE_NAME)
        return branched(name, branch, formats.MAX_RELEASE_NAME) if own else name

    def host(name: str) -> str:
        first, dot, rest = name.partition(".")
        return f"{branched(first, branch, _MAX_LABEL)}{dot}{rest}" if formats.is_host_name(name) else name

    return {"AppName": release, "SubDomain": host}


def check_place(target: Target, settings: Settings, of_all: Settings, locate: Callable[[str], Location]) -> None:
    """Raises ConfigurationError for a branch in another namespace or cluster than `of_all` branches: it would be lost.

    `locate` gives the place of a key.
    """
    where = f"branches of {target.environment} are in"
    hint = f"in {DIRECTORY}/{BRANCHES}.yml: `deploy branches` looks there"
    if settings.namespace != of_all.namespace:
        raise ConfigurationError(
            f"{where} namespace {of_all.namespace}, and {target.application} would be in {settings.namespace}",
            where=locate("Namespace"),
            hint=f"set Namespace for all branches, {hint}",
        )
    if settings.cluster != of_all.cluster:
        raise ConfigurationError(
            f"{where} one cluster, and {target.application} would be in another",
            where=locate("Cluster"),
            hint=f"set Cluster for all branches, {hint}",
        )


def check_allowed(target: Target, settings: Settings) -> None:
    """Raises ConfigurationError for a branch in a stage that takes none."""
    if target.branch is not None and settings.branches is None:
        raise ConfigurationError(
            f"stage {target.stage} takes no branches",
            where=Location(f"{DIRECTORY}/{target.stage}.yml"),
            hint="let it by `Branches: {Expires: 7d}` there, if branches may be deployed beside its apps",
        )
