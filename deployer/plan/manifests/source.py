"""Manifests as their author wrote them, and what was found wrong with them, each finding with its place."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from deployer.errors import ConfigurationError, Location
from deployer.plan.paths import Path, path_text


@dataclass(frozen=True)
class SourceManifest:
    """One item of an app's `Helm:` list after rendering, not yet checked: `content` may be anything.

    `where` is the place of the item; `locate` gives the places of what is inside it (None where it does not know).
    `secrets`: path of each value that uses secrets → the names of those secrets; like `locate`, for the whole item.
    """

    content: Any
    where: Location | str | None = None
    locate: Callable[[Path], Location | None] | None = None
    base: Path = ()
    secrets: Mapping[Path, frozenset[str]] = field(default_factory=dict)

    def at(self, path: Path = ()) -> Location | str | None:
        """The place of an inner path, or of the nearest thing around it that has one."""
        full = self.base + path
        if self.locate is not None:
            for length in range(len(full), 0, -1):
                if (place := self.locate(full[:length])) is not None:
                    return place
        return self.where

    def inner(self, content: Any, path: Path) -> SourceManifest:
        """The manifest that stands at `path` inside this one (an item of a `List`)."""
        return replace(self, content=content, base=self.base + path)

    def tainted(self) -> dict[Path, frozenset[str]]:
        """The paths inside it that use secrets, with their names; the empty path where all of it was made of some."""
        found: dict[Path, frozenset[str]] = {}
        for path, names in self.secrets.items():
            if path[: len(self.base)] == self.base:
                found[path[len(self.base) :]] = names
            elif path == self.base[: len(path)]:
                found[()] = names
        return found

    @property
    def title(self) -> str:
        """`Deployment/myapp`, as far as kind and name are there."""
        return title(self.content)


def title(content: Any) -> str:
    """`Deployment/myapp`, as far as kind and name are there."""
    if not isinstance(content, dict):
        return "a manifest"
    metadata = content.get("metadata")
    kind, name = content.get("kind"), metadata.get("name") if isinstance(metadata, dict) else None
    kind = kind if isinstance(kind, str) and kind else "a manifest"
    return f"{kind}/{name}" if isinstance(name, str) and name else kind


class SecretInTheOpen(ConfigurationError):
    """A secret stands where more than the container can read it."""


class CannotLift(ConfigurationError):
    """A secret stands where it may, but in a way that no Secret can hold, whatever it is."""


@dataclass(frozen=True)
class ManifestWarning:
    """Something about a manifest that its author should know and that does not stop a deployment."""

    text: str
    where: Location | str | None = None
    hint: str = ""

    def __str__(self) -> str:
        return f"{self.where}: {self.text}" if self.where else self.text


@dataclass
class Findings:
    """Collects everything that is wrong, so that all of it is shown at once."""

    errors: list[ConfigurationError] = field(default_factory=list)
    warnings: list[ManifestWarning] = field(default_factory=list)

    def error(
        self,
        source: SourceManifest,
        path: Path,
        what: str,
        hint: str | None = None,
        kind: type[ConfigurationError] = ConfigurationError,
    ) -> None:
        """`what` follows the object's name and the path: `Deployment/myapp: spec.replicas` + ` is not a number`."""
        self.errors.append(kind(_sentence(source, path, what), where=source.at(path), hint=hint))

    def warn(self, source: SourceManifest, path: Path, what: str, hint: str = "") -> None:
        """As `error`, for what does not stop a deployment."""
        self.warnings.append(ManifestWarning(_sentence(source, path, what), source.at(path), hint))


def _sentence(source: SourceManifest, path: Path, what: str) -> str:
    return f"{source.title}: {path_text(path)} {what}" if path else f"{source.title}: {what}"
