"""The group_vars files that make up a stage and region, and how they are merged into one tree."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from deployer.config.nodes import Entry, MappingNode, ScalarNode, show_path
from deployer.errors import ConfigurationError, Location
from deployer.model.branches import label

DIRECTORY = "group_vars"
SECRETS_PREFIX = "secrets_"
BRANCHES = "branches"
"""What files of branches begin with, where others begin with a stage, which cannot be called so."""
SUFFIXES = (".yml", ".yaml")


@dataclass(frozen=True, slots=True)
class Layer:
    """One file of variables. `name` is its path below the repository, with which errors call it.

    `region` is None for what all regions of a stage share.
    """

    name: str
    path: Path
    secret: bool
    exists: bool
    region: str | None = None


def layer_files(root: Path, stage: str, region: str) -> tuple[Layer, ...]:
    """The layers of a stage and region, least specific first, those that do not exist included.

    Raises ConfigurationError when a layer is there with both suffixes.
    """
    shared = [_layer(root, stem, None) for stem in ("all", stage)]
    own = _layer(root, f"{stage}.{region}", region)
    secrets = (
        _layer(root, f"{SECRETS_PREFIX}{stage}", None),
        _layer(root, f"{SECRETS_PREFIX}{stage}.{region}", region),
    )
    return (*shared, own, *secrets)


def branch_files(root: Path, branch: str | None) -> tuple[Layer, ...]:
    """The layers that win over those of stage and region for a branch: one for all branches, one for its own.

    Raises ConfigurationError also for a file of secrets of branches, which nothing would read.
    """
    if branch is None:
        return ()
    for stem in (f"{SECRETS_PREFIX}{BRANCHES}", f"{SECRETS_PREFIX}{BRANCHES}.{label(branch)}"):
        if (secret := find(root, DIRECTORY, stem)) is not None:
            raise ConfigurationError(
                "branches have the secrets of their stage, and none of their own",
                where=Location(f"{DIRECTORY}/{secret.name}"),
                hint=f"keep them in {SECRETS_PREFIX}STAGE.yml, and use them in {BRANCHES}.yml by a template",
            )
    return (_layer(root, BRANCHES, None), _layer(root, f"{BRANCHES}.{label(branch)}", None))


def _layer(root: Path, stem: str, region: str | None) -> Layer:
    found = find(root, DIRECTORY, stem)
    path = found or root / DIRECTORY / f"{stem}{SUFFIXES[0]}"
    return Layer(f"{DIRECTORY}/{path.name}", path, stem.startswith(SECRETS_PREFIX), found is not None, region)


def place_of_file(root: Path, stem: str) -> Location:
    """The file of group_vars of that name, whether it is there or not."""
    return Location(_layer(root, stem, None).name)


def find(root: Path, directory: str, stem: str) -> Path | None:
    """The YAML file `directory/stem.yml` (or `.yaml`); None when there is none, an error when there are both."""
    # A link that leads nowhere is a file that is missing, and not a layer that nobody wanted.
    found = [path for suffix in SUFFIXES if os.path.lexists(path := root / directory / f"{stem}{suffix}")]
    if len(found) > 1:
        raise ConfigurationError(
            f"{found[0].name} and {found[1].name} are both there",
            where=Location(f"{directory}/{found[1].name}"),
            hint="keep one of them",
        )
    return found[0] if found else None


def merge(layers: Iterable[MappingNode]) -> MappingNode:
    """One tree of several, later ones winning: mappings merge deeply, everything else is replaced.

    Each entry keeps what it overrode. An empty value (`Values:` with nothing below it) over a mapping is an error,
    since it would silently take the whole mapping away.
    """
    merged = MappingNode({}, "")
    for layer in layers:
        merged = _merge(merged, layer, ())
    return merged


def _merge(older: MappingNode, newer: MappingNode, path: tuple[object, ...]) -> MappingNode:
    entries = dict(older.entries)
    for key, entry in newer.entries.items():
        before = entries.get(key)
        if before is None:
            entries[key] = entry
        elif isinstance(before.value, MappingNode) and isinstance(entry.value, MappingNode):
            value = _merge(before.value, entry.value, (*path, key))
            entries[key] = Entry(entry.location, value, (*before.overridden, *entry.overridden))
        else:
            if (
                isinstance(before.value, MappingNode)
                and isinstance(entry.value, ScalarNode)
                and entry.value.value is None
            ):
                raise ConfigurationError(
                    f"{show_path((*path, key))} is empty here but a mapping in {before.location}",
                    where=entry.location,
                    hint="leave the key out to keep that mapping, or give it keys",
                )
            entries[key] = Entry(entry.location, entry.value, (*before.overridden, before.value, *entry.overridden))
    return MappingNode(entries, newer.file, newer.line, newer.column)
