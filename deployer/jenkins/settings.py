"""Reads the block `Jenkins` of `deployer.yml`, and checks what only makes sense together."""

from __future__ import annotations

import os
import re
from pathlib import Path, PurePosixPath
from typing import Any

from deployer.config import document
from deployer.config.nodes import MappingNode, plain
from deployer.config.suggestions import did_you_mean
from deployer.config.validation import validate
from deployer.errors import ConfigurationError, DeployError, Location, raise_all
from deployer.model.jenkins import JenkinsSettings

FILE = "deployer.yml"
KEY = "Jenkins"
_KEYS = ("Jenkins", "Lint")
_LONGEST = 60 * 24 * 7
_PASSWORD = re.compile(r"\w+://[^/@:]*:[^/@]+@")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


def read_settings(root: Path) -> JenkinsSettings:
    """The repository's settings; the defaults where it has none. Raises ConfigurationError."""
    if not os.path.lexists(root / FILE):
        return JenkinsSettings()
    content = document.read(root / FILE, FILE)
    for key, entry in content.entries.items():
        if key not in _KEYS:
            hint = did_you_mean(str(key), _KEYS) or f"there are {' and '.join(_KEYS)}"
            raise ConfigurationError(f"{key} is not known", where=entry.location, hint=hint)
    own = content.entries.get(KEY)
    if own is None:
        return JenkinsSettings()
    if not isinstance(own.value, MappingNode):
        raise ConfigurationError(f"{KEY} must be a mapping", where=own.location)
    settings = validate(JenkinsSettings, plain(own.value), content, (KEY,))
    _check(settings, own.location)
    return settings


def prefix_of(path: str) -> str:
    """A directory as what stands before names in it: empty for `.`, else `sub/directory/`."""
    parts = [part for part in PurePosixPath(path).parts if part != "."]
    return "".join(f"{part}/" for part in parts)


def _check(settings: JenkinsSettings, where: Location) -> None:
    """Raises for values that no pipeline can be made of."""
    errors: list[DeployError] = [
        ConfigurationError(
            f"{KEY}.{name} must be a line of text", where=where, why="it is empty or has control characters"
        )
        for name, value in _texts(settings)
        if not value.strip() or _CONTROL.search(value)
    ]
    directory = PurePosixPath(settings.directory)
    if directory.is_absolute() or ".." in directory.parts:
        errors.append(ConfigurationError(f"{KEY}.Directory must lie in the repository", where=where))
    path = PurePosixPath(settings.repository.path or ".")
    if path.is_absolute() or ".." in path.parts:
        errors.append(ConfigurationError(f"{KEY}.Repository.Path must lie in what Jenkins checks out", where=where))
    for name in ("deploy", "lock", "approval"):
        if not 0 < getattr(settings.timeouts, name) <= _LONGEST:
            what = f"{KEY}.Timeouts.{name.capitalize()} must be minutes, between 1 and {_LONGEST}"
            errors.append(ConfigurationError(what, where=where))
    if settings.keep_builds < 1:
        errors.append(ConfigurationError(f"{KEY}.KeepBuilds must be 1 or more", where=where))
    if not errors and settings.timeouts.lock >= settings.timeouts.deploy:
        hint = "the wait for a lock is part of a run"
        errors.append(ConfigurationError(f"{KEY}.Timeouts.Lock must be below Deploy", where=where, hint=hint))
    if settings.repository.url is not None and _PASSWORD.match(settings.repository.url):
        hint = f"name credentials of Jenkins instead: {KEY}: {{Repository: {{Credentials: ID}}}}"
        errors.append(ConfigurationError(f"{KEY}.Repository.Url holds a password", where=where, hint=hint))
    if any("," in one for one in settings.approvers):
        errors.append(ConfigurationError(f"{KEY}.Approvers must be a list of names", where=where))
    raise_all(errors)


def _texts(settings: JenkinsSettings) -> list[tuple[str, str]]:
    """Every text that ends up in a pipeline, with its key."""
    agents, credentials, repository = settings.agents, settings.credentials, settings.repository
    found: list[tuple[str, Any]] = [
        ("Directory", settings.directory),
        ("Folder", settings.folder),
        ("Wrapper", settings.wrapper),
        ("Schedule", settings.schedule),
        ("Agents.Default", agents.default),
        *((f"Agents.Regions.{region}", label) for region, label in agents.regions.items()),
        *(("Approvers", one) for one in settings.approvers),
        ("Repository.Url", repository.url),
        ("Repository.Branch", repository.branch),
        ("Repository.Credentials", repository.credentials),
        ("Repository.Path", repository.path),
    ]
    for place, access in (("Default", credentials.default), *credentials.stages.items()):
        found += [(f"Credentials.{place}", one) for one in (access.aws, access.ssh, access.git_hub_token)]
    return [(name, value) for name, value in found if value is not None]
