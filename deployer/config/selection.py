"""Which apps a command is about: those that it names, or all, or a group, or what has changed since a commit."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from deployer.config.branches import check_name
from deployer.config.relations import groups_of, needs_among, wrong_needs
from deployer.config.repository import Repository
from deployer.config.suggestions import did_you_mean
from deployer.errors import DeployError, UsageError
from deployer.model import Target
from deployer.model.branches import named

Changed = Callable[[Sequence[Target]], Sequence[Target]]
"""Of these targets, those that have changed."""


@dataclass(frozen=True)
class Selection:
    """What a command line says of apps: their names, or `everything` that the stage has, or those of a `group`.

    With a `branch`, it is deployed beside the apps that are chosen. `changed` keeps those that have changed, where that
    is asked for; without names it chooses among all.
    """

    names: tuple[str, ...] = ()
    everything: bool = False
    group: str | None = None
    changed: Changed | None = None
    branch: str | None = None

    @property
    def isolates(self) -> bool:
        """Whether an app that cannot be deployed is left out, where of apps that are named all are refused."""
        return not self.names


@dataclass(frozen=True)
class Selected:
    """The targets of a command, and what is wrong with apps before their values are looked at.

    `needs`: app → the apps of the command that it needs. `broken` has targets, and apps that tell none (region `""`).
    """

    targets: tuple[Target, ...]
    needs: dict[str, tuple[str, ...]] = field(default_factory=dict)
    broken: tuple[tuple[Target, DeployError], ...] = ()


def select(repository: Repository, stage: str, regions: str, selection: Selection, *, ordered: bool = True) -> Selected:
    """The targets of `STAGE REGION` and a selection. An app that has none of the regions is not meant, unless named.

    Without `ordered` nothing is said of what they need, nor of what is wrong with that.

    Raises UsageError for names that there are not, and where nothing at all is selected; ConfigurationError for apps
    that need each other.
    """
    broken: list[tuple[Target, DeployError]] = []
    if selection.names:
        targets = repository.targets(stage, regions, [named(name, selection.branch) for name in selection.names])
        selected = targets
    else:
        targets, wrong = repository.targets_in(stage, regions)
        broken += [
            (Target(stage, "", app), error)
            for app, error in wrong.items()
            if selection.group is None or _may_belong(repository, app, selection.group)
        ]
        selected = targets if selection.group is None else _of_group(repository, targets, selection.group, broken)
        if not selected and not broken:
            raise UsageError(
                f"{stage} has no apps in {regions}", hint="an app's Environments say where it may be deployed"
            )
    if selection.branch is not None and not selection.names:
        check_name(named("", selection.branch))
        selected = tuple(_of_branch(one, selection.branch) for one in selected)
        broken = [(_of_branch(one, selection.branch), error) for one, error in broken]
    if selection.changed is not None:
        selected = tuple(selection.changed(selected))
    if not ordered:
        return Selected(selected, broken=tuple(broken))
    apps = tuple(dict.fromkeys(target.application for target in selected))
    wrong = wrong_needs(repository, apps)
    broken += [(target, wrong[target.application]) for target in selected if target.application in wrong]
    without_targets = (target.application for target, _ in broken if target.application not in apps)
    return Selected(selected, needs_among(repository, (*apps, *without_targets)), tuple(broken))


def _of_branch(target: Target, branch: str) -> Target:
    return replace(target, application=named(target.application, branch))


def _may_belong(repository: Repository, app: str, group: str) -> bool:
    """Whether an app that cannot be used belongs to a group, so far as its file tells."""
    try:
        return group in (one.name for one in groups_of(repository, app))
    except DeployError:
        return True


def _of_group(
    repository: Repository, targets: Sequence[Target], group: str, broken: list[tuple[Target, DeployError]]
) -> tuple[Target, ...]:
    groups: dict[str, tuple[str, ...]] = {}
    for target in targets:
        if target.application not in groups:
            try:
                groups[target.application] = tuple(one.name for one in groups_of(repository, target.application))
            except DeployError as error:
                groups[target.application] = ()
                broken.append((Target(target.stage, "", target.application), error))
    known = {name for names in groups.values() for name in names}
    if group not in known:
        hint = did_you_mean(group, known) or (f"there are {', '.join(sorted(known)[:20])}" if known else None)
        raise UsageError(
            f"no app here belongs to a group {group or repr(group)}", where="--group", hint=hint or "Groups: [NAME]"
        )
    return tuple(target for target in targets if group in groups[target.application])
