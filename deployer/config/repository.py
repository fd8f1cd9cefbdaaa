"""What a deployment repository holds: its apps, stages and regions, and the targets that a command line names."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Sequence
from functools import cached_property
from pathlib import Path

from deployer.config import document, encrypted
from deployer.config.branches import check_name
from deployer.config.layers import BRANCHES, DIRECTORY, SECRETS_PREFIX, SUFFIXES, find
from deployer.config.nodes import MappingNode, Node, ScalarNode, SequenceNode
from deployer.config.suggestions import did_you_mean
from deployer.errors import ConfigurationError, DeployError, Location, UsageError, raise_all
from deployer.model import Target
from deployer.model.branches import app_of

APPS = "apps"
ALL = "all"

COMMANDS = frozenset(
    {
        "adopt",
        "branches",
        "deploy",
        "dns",
        "doctor",
        "explain",
        "history",
        "init",
        "jenkins",
        "lint",
        "plan",
        "promote",
        "recover",
        "remove",
        "render",
        "rollback",
        "sandbox",
        "secrets",
        "status",
        "unlock",
    }
)
"""Names that no stage or app may have, since the command line would take them for a command."""

_STAGE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,62}\Z")
_APP = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}\Z")


class Repository:
    """A directory with `apps/` and `group_vars/`. Each app file is read once."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._apps: dict[str, MappingNode] = {}

    @classmethod
    def find(cls, start: Path, directory: Path | None = None) -> Repository:
        """The repository that `start` lies in, or the one that `directory` names. Raises UsageError."""
        if directory is not None:
            if not _is_repository(directory):
                raise UsageError(f"{directory} is not a deployment repository", hint="it needs apps/ and group_vars/")
            return cls(directory.resolve())
        for candidate in (start, *start.parents):
            if _is_repository(candidate):
                return cls(candidate)
        raise UsageError(
            f"{start} is not in a deployment repository",
            why="no directory from there upwards has apps/ and group_vars/",
            hint="change into one, or name it with --directory",
        )

    # --- what there is -----------------------------------------------------------------------------------------------

    @cached_property
    def apps(self) -> tuple[str, ...]:
        """The names of all apps, sorted."""
        return tuple(sorted({path.stem for path in self._files(APPS)}))

    @cached_property
    def environments(self) -> tuple[tuple[str, str | None], ...]:
        """Each (stage, region) that group_vars has a file for; the region is None for a stage's own file."""
        found = set()
        for path in self._files(DIRECTORY):
            stage, _, region = path.stem.removeprefix(SECRETS_PREFIX).partition(".")
            if stage == BRANCHES:
                continue
            if _STAGE.match(stage) and stage != ALL and (not region or _STAGE.match(region)):
                found.add((stage, region or None))
        return tuple(sorted(found, key=lambda pair: (pair[0], pair[1] or "")))

    @property
    def stages(self) -> tuple[str, ...]:
        """The names of all stages that group_vars knows, sorted."""
        return tuple(sorted({stage for stage, _ in self.environments}))

    def regions(self, stage: str, apps: Iterable[str] = ()) -> tuple[str, ...]:
        """The regions that group_vars, or the given apps, have for a stage. Apps that cannot be read are left out."""
        found = {region: None for name, region in self.environments if name == stage and region}
        for app in apps:
            try:
                found |= dict.fromkeys(self.regions_of(app, stage))
            except DeployError:
                continue
        return tuple(found)

    def regions_of(self, app: str, stage: str) -> tuple[str, ...]:
        """The regions of a stage that an app's `Environments` names, in its order."""
        pairs = (name.split(".") for name, _ in self.environments_of(app))
        return tuple(region for name, region in pairs if name == stage)

    def environments_of(self, app: str) -> tuple[tuple[str, Location], ...]:
        """An app's `Environments` (`prod.london`), each with its place. Raises ConfigurationError."""
        content = self.app(app)
        entry = content.entries.get("Environments")
        if entry is None:
            raise ConfigurationError(
                "Environments is missing", where=content.location, hint='Environments: ["prod.london"]'
            )
        items = entry.value.items if isinstance(entry.value, SequenceNode) else ()
        if not items:
            raise ConfigurationError("Environments must be a list of STAGE.REGION", where=entry.location)
        return tuple((_environment(item), item.location) for item in items)

    def app(self, name: str) -> MappingNode:
        """The content of an app file, also for `myapp@feature/x`.

        Raises UsageError for an unknown app, ConfigurationError for a broken file.
        """
        name = app_of(name)
        if name not in self._apps:
            path = self.app_file(name)
            content = document.read(path, f"{APPS}/{path.name}")
            if encrypted.is_encrypted(content):
                raise ConfigurationError(
                    "an app file cannot be encrypted",
                    where=Location(f"{APPS}/{path.name}"),
                    hint="keep secrets in group_vars",
                )
            self._apps[name] = content
        return self._apps[name]

    def app_file(self, name: str) -> Path:
        """The path of an app's file."""
        path = find(self.root, APPS, name) if _APP.match(name) else None
        if path is None:
            raise UsageError(f"there is no app {name}", hint=did_you_mean(name, self.apps) or _list("apps", self.apps))
        if name in COMMANDS:
            raise ConfigurationError(
                f"an app cannot be called {name}", where=Location(f"{APPS}/{path.name}"), why="that is a command"
            )
        return path

    def _files(self, directory: str) -> list[Path]:
        try:
            with os.scandir(self.root / directory) as entries:
                return [Path(entry.path) for entry in entries if entry.name.endswith(SUFFIXES) and _is_file(entry)]
        except OSError:
            return []

    # --- what a command line names -----------------------------------------------------------------------------------

    def targets(self, stage: str, regions: str, apps: Sequence[str]) -> tuple[Target, ...]:
        """The targets of `STAGE REGION APP…`: REGION is a name, a comma list, or `all` of each app's own.

        APP may be `myapp@feature/x`, for a branch.

        Raises UsageError with what was probably meant; ConfigurationError when an app is not for that environment.
        """
        errors: list[DeployError] = []
        targets: list[Target] = []
        self.check_stage(stage, apps)
        names = _region_names(regions)
        for app in dict.fromkeys(apps):
            try:
                check_name(app)
                targets += [Target(stage, region, app) for region in self._regions_for(app, stage, names)]
            except DeployError as error:
                errors.append(error)
        raise_all(errors)
        return tuple(targets)

    def targets_of(self, stage: str) -> tuple[tuple[Target, ...], dict[Target, DeployError]]:
        """The targets of all apps that the stage has, and what is wrong with apps that do not tell where they run."""
        targets: list[Target] = []
        broken: dict[Target, DeployError] = {}
        for app in self.apps:
            try:
                targets += [Target(stage, region, app) for region in dict.fromkeys(self.regions_of(app, stage))]
            except DeployError as error:
                broken[Target(stage, "", app)] = error
        return tuple(targets), broken

    def targets_in(self, stage: str, regions: str) -> tuple[tuple[Target, ...], dict[str, DeployError]]:
        """The targets of all apps that the stage has in these regions, and apps that do not tell where they run.

        REGION is as in `targets`. Raises UsageError for a stage or region that there is not.
        """
        names = _region_names(regions)
        self.check_stage(stage, self.apps)
        if names is not None:
            known = self.regions(stage, self.apps)
            for name in names:
                if name not in known:
                    raise self._no_region(name, stage, known)
        targets, broken = self.targets_of(stage)
        kept = tuple(target for target in targets if names is None or target.region in names)
        return kept, {target.application: error for target, error in broken.items()}

    def check_stage(self, stage: str, apps: Iterable[str] = ()) -> None:
        """Raises UsageError for a stage that nothing in the repository mentions."""
        if stage in COMMANDS or stage == ALL:
            raise ConfigurationError(f"a stage cannot be called {stage}", why="that word has a meaning of its own")
        if stage in self.stages or (_STAGE.match(stage) and any(self.regions(stage, apps))):
            return
        known = set(self.stages)
        raise UsageError(f"there is no stage {stage}", hint=did_you_mean(stage, known) or _list("stages", known))

    def _regions_for(self, app: str, stage: str, names: Sequence[str] | None) -> tuple[str, ...]:
        own = self.regions_of(app, stage)
        if names is None:
            if not own:
                raise self._not_for(app, f"stage {stage}")
            return tuple(dict.fromkeys(own))
        for name in names:
            if name in own:
                continue
            known = self.regions(stage, self.apps)
            if name not in known:
                raise self._no_region(name, stage, known)
            raise self._not_for(app, f"{stage}.{name}")
        return tuple(names)

    def _no_region(self, name: str, stage: str, known: Sequence[str]) -> UsageError:
        hint = did_you_mean(name, known) or _list("regions", known)
        return UsageError(f"there is no region {name} in stage {stage}", hint=hint)

    def check_environment(self, target: Target) -> None:
        """Raises ConfigurationError when the app is not for the target's stage and region."""
        if target.environment not in (name for name, _ in self.environments_of(target.app)):
            raise self._not_for(target.app, target.environment)

    def _not_for(self, app: str, what: str) -> ConfigurationError:
        environments = self.environments_of(app)
        return ConfigurationError(
            f"{app} is not for {what}",
            where=self.app(app).entries["Environments"].location,
            why=f"its Environments are {', '.join(name for name, _ in environments)}",
            hint="add it there if the app shall run there",
        )


def _region_names(spec: str) -> tuple[str, ...] | None:
    """None for `all`."""
    names = tuple(dict.fromkeys(name.strip() for name in spec.split(",")))
    if names == (ALL,):
        return None
    for name in names:
        if not _STAGE.match(name) or name == ALL:
            raise UsageError(f"{spec!r} names no regions", hint="write one region, several as london,seoul, or all")
    return names


def _environment(item: Node) -> str:
    value = item.value if isinstance(item, ScalarNode) else None
    stage, dot, region = value.partition(".") if isinstance(value, str) else ("", "", "")
    if not dot or not _STAGE.match(stage) or not _STAGE.match(region) or ALL in (stage, region):
        where = item.location if isinstance(item, (ScalarNode, SequenceNode, MappingNode)) else None
        raise ConfigurationError(
            "Environments must be a list of STAGE.REGION", where=where, hint="for example prod.london"
        )
    if stage in COMMANDS:
        raise ConfigurationError(f"a stage cannot be called {stage}", where=item.location, why="that is a command")
    return f"{stage}.{region}"


def _is_file(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_file() or (entry.is_symlink() and not Path(entry.path).exists())
    except OSError:
        return True  # a link that leads nowhere or to itself: reading it says so


def _is_repository(path: Path) -> bool:
    return (path / APPS).is_dir() and (path / DIRECTORY).is_dir()


def _list(what: str, names: Iterable[str]) -> str:
    shown = sorted(names)
    return (
        f"the {what} are {', '.join(shown[:20])}{' …' if len(shown) > 20 else ''}" if shown else f"there are no {what}"
    )
