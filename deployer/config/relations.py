"""What an app file says of the app among others: which apps it needs, and which groups it belongs to."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass

from deployer.config.nodes import ScalarNode, SequenceNode
from deployer.config.repository import Repository
from deployer.config.suggestions import did_you_mean
from deployer.errors import ConfigurationError, DeployError, Location, raise_all
from deployer.model.branches import app_of, branch_of, named
from deployer.model.needs import cycle_in

NEEDS = "Needs"
GROUPS = "Groups"

_GROUP = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}\Z")


@dataclass(frozen=True)
class Named:
    """A name in a list of an app file, and its place."""

    name: str
    where: Location


def needs_of(repository: Repository, app: str) -> tuple[Named, ...]:
    """The apps that an app needs, as its file lists them. Raises ConfigurationError, also for apps there are not."""
    found = _names(repository, app, NEEDS, "a list of apps")
    errors: list[DeployError] = []
    for need in found:
        if need.name == app:
            errors.append(ConfigurationError(f"{app} cannot need itself", where=need.where))
        elif need.name not in repository.apps:
            errors.append(
                ConfigurationError(
                    f"{app} needs {need.name}, and there is no such app",
                    where=need.where,
                    hint=did_you_mean(need.name, repository.apps) or "apps are the files in apps/",
                )
            )
    raise_all(errors)
    return found


def groups_of(repository: Repository, app: str) -> tuple[Named, ...]:
    """The groups that an app belongs to, as its file lists them. Raises ConfigurationError."""
    found = _names(repository, app, GROUPS, "a list of names")
    raise_all(
        [
            ConfigurationError(
                f"{one.name!r} cannot be the name of a group",
                where=one.where,
                hint="letters, digits, dots, dashes and underscores",
            )
            for one in found
            if not _GROUP.match(one.name)
        ]
    )
    return found


def needs_among(repository: Repository, apps: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """Which of these apps each of them needs, those of branches among them.

    Cycles are looked for over all apps that they need, given or not. Apps whose file cannot be read need nothing: what
    is wrong with them is told where they are loaded. Raises ConfigurationError for a cycle, with its place.
    """
    chosen = tuple(dict.fromkeys(apps))
    found: dict[str, tuple[Named, ...]] = {}
    to_read = list(map(app_of, chosen))
    while to_read:
        app = to_read.pop()
        if app not in found:
            try:
                found[app] = needs_of(repository, app)
            except DeployError:
                found[app] = ()
            to_read += [need.name for need in found[app]]
    if cycle := cycle_in({app: [need.name for need in needs] for app, needs in found.items()}):
        where = next(need.where for need in found[cycle[0]] if need.name == cycle[1])
        raise ConfigurationError(
            f"apps need each other: {' needs '.join(cycle)}",
            where=where,
            hint="one of them must be able to start without the other",
        )
    return {name: tuple(_given(found[app_of(name)], branch_of(name), chosen)) for name in chosen}


def wrong_needs(repository: Repository, apps: Iterable[str]) -> dict[str, DeployError]:
    """What is wrong with the needs of these apps, those of branches among them."""
    wrong: dict[str, DeployError] = {}
    for app in apps:
        try:
            needs_of(repository, app_of(app))
        except DeployError as error:
            wrong[app] = error
    return wrong


def _given(needs: Iterable[Named], branch: str | None, chosen: Collection[str]) -> Iterator[str]:
    """The chosen apps that are needed: of the same branch, or the apps themselves."""
    for need in needs:
        yield from (name for name in dict.fromkeys((named(need.name, branch), need.name)) if name in chosen)


def _names(repository: Repository, app: str, key: str, expected: str) -> tuple[Named, ...]:
    entry = repository.app(app).entries.get(key)
    if entry is None:
        return ()
    if not isinstance(entry.value, SequenceNode):
        raise ConfigurationError(f"{key} must be {expected}", where=entry.location, hint=f"{key}: [one, another]")
    found: list[Named] = []
    errors: list[DeployError] = []
    for item in entry.value.items:
        if not isinstance(item, ScalarNode) or not isinstance(item.value, str):
            errors.append(ConfigurationError(f"{key} must be {expected}", where=item.location))
        elif item.is_template:
            errors.append(
                ConfigurationError(
                    f"{key} cannot be a template", where=item.location, why="it is read before any value is known"
                )
            )
        elif item.value not in (one.name for one in found):
            found.append(Named(item.value, item.location))
    raise_all(errors)
    return tuple(found)
