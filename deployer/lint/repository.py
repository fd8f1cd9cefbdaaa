"""Checks names and files of the repository as a whole: environments without group_vars, misspelt keys."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence

from deployer.config import apps, variables
from deployer.config.document import read
from deployer.config.layers import BRANCHES, DIRECTORY, SECRETS_PREFIX, SUFFIXES, layer_files
from deployer.config.nodes import MappingNode, Path, SequenceNode, scalars, show_path
from deployer.config.repository import COMMANDS, Repository
from deployer.config.suggestions import near
from deployer.errors import DeployError, Location
from deployer.lint.collecting import Findings
from deployer.model import Settings, pascal_case

_TOO_CLOSE = 0.85
_OF_THE_SANDBOX = f"{DIRECTORY}/secrets_local"
"""The sandbox writes these, with values of apps that a repository may not have."""

_OWN = (
    frozenset(pascal_case(field.name) for field in dataclasses.fields(Settings))
    | apps.GROUP_KEYS
    | {
        *apps.KEYS,
        *apps.OVERRIDES,
    }
)

_OWN_LOWER = frozenset(key.lower() for key in _OWN)


def check_environments(
    repository: Repository, environments: Sequence[tuple[str, Location]], findings: Findings
) -> list[str]:
    """The environments that group_vars knows; a finding for each other one."""
    known = []
    for name, where in environments:
        stage, _, region = name.partition(".")
        try:
            layers = [layer for layer in layer_files(repository.root, stage, region) if layer.exists]
        except DeployError as error:
            findings.error(error, name)
            continue
        own = [layer for layer in layers if not layer.name.startswith(f"{DIRECTORY}/all.")]
        file = f"{DIRECTORY}/{name}.yml"
        if not own:
            findings.add(
                "missing-group-vars", where, f"there is no {file} and no file of stage {stage}", f"write {file}"
            )
            continue
        if not any(layer.region for layer in own):
            findings.add("missing-region-file", where, f"there is no {file}", "is the region's name right?")
        known.append(name)
    return known


def check_stages(repository: Repository, findings: Findings) -> None:
    """No stage that group_vars has a file for is called like a command."""
    for stage in repository.stages:
        if stage in COMMANDS:
            files = sorted(path.name for path in (repository.root / DIRECTORY).iterdir())
            named = (name for name in files if name.removeprefix(SECRETS_PREFIX).partition(".")[0] == stage)
            findings.add(
                "reserved-name",
                Location(f"{DIRECTORY}/{next(named, stage)}"),
                f"a stage cannot be called {stage}: that is a command",
                "give the stage another name",
            )


def check_branches(repository: Repository, findings: Findings) -> None:
    """The files of single branches, of which nobody can tell the name: each by itself."""
    for path in sorted((repository.root / DIRECTORY).glob(f"{BRANCHES}.*")):
        if path.suffix not in SUFFIXES or path.stem == BRANCHES:
            continue
        name = f"{DIRECTORY}/{path.name}"
        try:
            content = read(path, name)
        except DeployError as error:
            findings.error(error, home=name)
            continue
        for wrong in (*apps.check_group_vars(content), *variables.refuse_builtins(content, app=False)):
            findings.error(wrong, home=name)


def check_usage(
    documents: Mapping[str, MappingNode], used: set[Path], broken: Iterable[str], findings: Findings, *, all_apps: bool
) -> None:
    """Values that nothing uses, and among those keys that were probably meant to be the tool's own.

    What an app with errors would use nobody can tell, so nothing is said of its values; nor, where any app has errors
    or is not looked at, of what all share.
    """
    broken = set(broken)
    reached = {path[:length] for path in used for length in range(1, len(path) + 1)}
    apps_seen = {file.partition("/")[2].rpartition(".")[0] for file in documents if not file.startswith(DIRECTORY)}
    for file, document in documents.items():
        if file.startswith(_OF_THE_SANDBOX):
            continue
        for key, entry in document.entries.items():
            if not isinstance(key, str) or (key,) in reached or key in _OWN or key.lower() in _OWN_LOWER:
                continue  # those that differ in upper and lower case alone are refused everywhere
            guesses = near(key, _OWN, closeness=_TOO_CLOSE)
            if guesses and file.startswith(DIRECTORY):
                findings.add(
                    "unknown-key", entry.location, f"nothing uses {key}", f"did you mean {' or '.join(guesses)}?"
                )
            elif _can_tell((key,), file, apps_seen, broken, all_apps):
                findings.add("unused-value", entry.location, f"nothing uses {key}", "remove it, or is a name misspelt?")
        for path, where in _leaves(document):
            top = path[0]
            if top in _OWN - {"Values"} or (top != "Values" and (top,) not in reached) or path in reached:
                continue
            if _can_tell(path, file, apps_seen, broken, all_apps):
                where_used = [one for one in used if one[:-1] == path[:-1]]
                guesses = near(str(path[-1]), [one[-1] for one in where_used])
                hint = f"what is used there is {' or '.join(guesses)}" if guesses else "remove it"
                findings.add("unused-value", where, f"nothing uses {show_path(path)}", hint)


def _leaves(document: MappingNode) -> Iterable[tuple[Path, Location]]:
    """The values of a file; a list counts as one, as does what is below it."""

    def below(node: MappingNode, path: Path) -> Iterable[tuple[Path, Location]]:
        for key, entry in node.entries.items():
            if isinstance(entry.value, MappingNode) and entry.value.entries:
                yield from below(entry.value, (*path, key))
            elif isinstance(entry.value, SequenceNode) or any(True for _ in scalars(entry.value)):
                yield (*path, key), entry.location

    return below(document, ())


def _can_tell(path: Path, file: str, seen: set[str], broken: set[str], all_apps: bool) -> bool:
    if not file.startswith(DIRECTORY):
        return file.partition("/")[2].rpartition(".")[0] not in broken
    if path[0] == "Values" and len(path) > 1 and path[1] in seen:
        return path[1] not in broken
    return all_apps and not broken
