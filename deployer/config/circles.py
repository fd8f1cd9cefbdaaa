"""Values that lead back to themselves, and how that is told."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from deployer.config.nodes import MappingNode, Path, show_path
from deployer.errors import ConfigurationError, Location


class CircularReference(ConfigurationError):
    """Values that refer to each other in a circle; its chain is complete when it is raised."""


class CircularContent(CircularReference):
    """Values that hold each other in a circle; its chain is that of the circle."""


@dataclass(slots=True)
class Step:
    """A mapping that is being looked through, and the key where that is."""

    node: MappingNode
    path: Path
    key: Any = None


def label(path: Path, place: Location) -> str:
    """A value in a chain of values: `group_vars/all.yml:3 Values.myapp`."""
    return f"{Location(place.file, place.line)} {show_path(path)}"


def circular_content(steps: Sequence[Step]) -> CircularContent:
    """The error for mappings of which each stands in the one before, and the first in the last."""
    told: list[str] = []
    chain: list[str] = []
    places: list[Location] = []
    for step, following in zip(steps, [*steps[1:], steps[0]], strict=True):
        value = step.node.entries[step.key].value
        if value is following.node:
            continue
        path = (*step.path, step.key)
        told += [show_path(path), show_path(following.path)]
        chain.append(label(path, value.location))
        places.append(value.location)
    what = f"{told[0]} holds itself" if len(chain) == 1 else "these values hold each other in a circle"
    return CircularContent(what, where=places[0], why=" → ".join([*told, told[0]]), chain=[*chain, chain[0]])
