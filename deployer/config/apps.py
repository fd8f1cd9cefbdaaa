"""An app file as it reads for one target: its keys checked and evaluated, all but its manifests."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from deployer.config import docker, formats, hooks
from deployer.config.evaluation import Evaluator
from deployer.config.lazy import Omitted
from deployer.config.nodes import Entry, MappingNode, Node, ScalarNode, show_path
from deployer.config.plain_keys import KEY as PLAIN_KEYS
from deployer.config.suggestions import near
from deployer.config.validation import show_value
from deployer.errors import ConfigurationError, DeployError, Location, raise_all
from deployer.model import App, Settings, Target
from deployer.model.basics import FROM_ENVIRONMENT
from deployer.model.branches import branched

KEYS = (
    *("Name", "AppName", "SubDomain", "Environments", "Groups", "Needs", "Profiles"),
    *("Version", "Tag", "Docker", "Hooks", "Helm"),
)
"""Keys that stand in an app file alone."""

OVERRIDES = ("Slack", "Webhook", "HealthCheck", "Rollout")
"""Keys of group_vars that an app may have too; they are merged over those."""

GROUP_KEYS = frozenset(
    {
        "AwsRegion",
        "AwsEcrPrefix",
        "AwsProfile",
        "AwsConfigFile",
        "DnsDomain",
        "Dns",
        "Cluster",
        "Namespace",
        "Ecr",
        "GitHub",
        "FingerprintKey",
        "PlainKeys",
        "Values",
        "Defaults",
        "Branches",
        "Confirm",
    }
)
"""Keys that stand in group_vars alone."""

_TOO_CLOSE = 0.85
DEFAULTS = "(a default of the app)"
"""What errors call the layer below an app file."""


def check_file(content: MappingNode) -> list[ConfigurationError]:
    """What is wrong with an app file's keys. Unknown keys are the app's own variables, unless they look misspelt."""
    errors = []
    known = (*KEYS, *OVERRIDES)
    for key, entry in content.entries.items():
        if not isinstance(key, str):
            errors.append(
                ConfigurationError(f"the key {key} must be a text", where=entry.location, hint="put it in quotes")
            )
        elif key == "Profiles" and isinstance(entry.value, MappingNode):
            hint = "put them there, and list the names of those that the app chooses: Profiles: [NAME]"
            errors.append(ConfigurationError("profiles belong in group_vars", where=entry.location, hint=hint))
        elif key in GROUP_KEYS:
            errors.append(ConfigurationError(f"{key} belongs in group_vars, not in an app file", where=entry.location))
        elif key not in known and (guesses := near(key, known, closeness=_TOO_CLOSE)):
            errors.append(
                ConfigurationError(
                    f"{key} is not known",
                    where=entry.location,
                    hint=f"did you mean {guesses[0]}? If not, give your variable a less similar name",
                )
            )
    slack = content.entries.get("Slack")
    if slack and isinstance(slack.value, MappingNode):
        errors += [
            ConfigurationError(f"Slack.{key} belongs in group_vars; an app can set Slack.Channel", where=entry.location)
            for key, entry in slack.value.entries.items()
            if key != "Channel"
        ]
    return errors


def identity_alone(content: MappingNode) -> MappingNode:
    """An app file without what only a deployment needs: to look at what runs, or to bring it back, that may be broken.

    Nothing of it may become a setting that an app cannot have.
    """
    left_out = {"Docker", "Helm", "Profiles", "Hooks", "Version", "Tag"} | GROUP_KEYS
    entries = {key: entry for key, entry in content.entries.items() if isinstance(key, str) and key not in left_out}
    slack = entries.get("Slack")
    if slack and isinstance(slack.value, MappingNode):
        channel = {key: entry for key, entry in slack.value.entries.items() if key == "Channel"}
        entries["Slack"] = replace(slack, value=replace(slack.value, entries=channel))
    return replace(content, entries=entries)


def check_group_vars(content: MappingNode) -> list[ConfigurationError]:
    """What is wrong with the top-level keys of a group_vars file."""
    errors = []
    for key, entry in content.entries.items():
        if not isinstance(key, str):
            errors.append(
                ConfigurationError(f"the key {key} must be a text", where=entry.location, hint="put it in quotes")
            )
        elif key == "Docker" and isinstance(entry.value, MappingNode):
            errors += [
                ConfigurationError(f"Docker.{name} belongs in an app file, not in group_vars", where=one.location)
                for name, one in entry.value.entries.items()
                if name not in docker.DEFAULTS
            ]
        elif key == "Values" and not isinstance(entry.value, MappingNode) and not _is_null(entry.value):
            hint = "Values: {myapp: {Replicas: 2}}"
            errors.append(
                ConfigurationError("Values must be a mapping with a key per app", where=entry.location, hint=hint)
            )
        elif key in KEYS and key not in ("Version", "Tag", "Profiles"):
            errors.append(ConfigurationError(f"{key} belongs in an app file, not in group_vars", where=entry.location))
    return errors


def _is_null(node: Node) -> bool:
    return isinstance(node, ScalarNode) and node.value is None


def defaults(target: Target, content: MappingNode) -> MappingNode:
    """What an app file need not say: the layer below it."""
    values = {
        "Name": ScalarNode(target.app, DEFAULTS, literal=True),
        "AppName": ScalarNode("{{ Name }}", DEFAULTS),
    }
    if "Version" in content.entries:
        values["Tag"] = ScalarNode("{{ Version }}", DEFAULTS)
    return MappingNode({key: Entry(Location(DEFAULTS), value) for key, value in values.items()}, DEFAULTS)


def beneath(content: MappingNode, layers: Sequence[MappingNode]) -> list[MappingNode]:
    """The layers as they count for an app: how images are built is nothing to one that has no Docker part."""
    if "Docker" in content.entries:
        return list(layers)
    return [
        replace(layer, entries={key: entry for key, entry in layer.entries.items() if key != "Docker"})
        for layer in layers
    ]


def evaluate(evaluator: Evaluator, target: Target, environments: tuple[str, ...], root: Path) -> App:
    """The app, its manifests apart. Raises every error that it finds."""
    errors: list[DeployError] = []
    texts = {key: _text(evaluator, key, errors) for key in ("Name", "AppName", "SubDomain", "Version", "Tag")}
    spec = place = None
    if "Docker" in evaluator.root.entries:
        place = evaluator.root.entries["Docker"].location
        try:
            spec = docker.evaluate(evaluator)
        except DeployError as error:
            errors += error.leaves()
        if texts["Tag"] is None and not errors:
            errors.append(
                ConfigurationError("Version is missing", where=place, why="an image needs a Version or a Tag")
            )
    playbooks = None
    try:
        playbooks = hooks.evaluate(evaluator, root)
    except DeployError as error:
        errors += error.leaves()
    raise_all(errors)
    directory = root / "apps" / target.app
    return App(
        name=texts["Name"] or target.app,
        app_name=texts["AppName"] or _default_name(target),
        image_name=evaluator.originals.get("AppName", target.app if target.branch else None),
        environments=environments,
        version=texts["Version"],
        tag=texts["Tag"],
        sub_domain=texts["SubDomain"],
        docker=spec,
        docker_place=place,
        hooks=playbooks,
        context_directory=directory if directory.is_dir() else None,
    )


def release_name(evaluator: Evaluator, target: Target) -> str:
    """The name of the app's Helm release alone. Raises what is wrong with it."""
    errors: list[DeployError] = []
    name = _text(evaluator, "AppName", errors)
    raise_all(errors)
    return name or _default_name(target)


def _default_name(target: Target) -> str:
    """What an app is called whose AppName is left out."""
    return branched(target.app, target.branch, formats.MAX_RELEASE_NAME) if target.branch else target.app


def sub_domain(evaluator: Evaluator) -> str | None:
    """The app's SubDomain alone. Raises what is wrong with it."""
    errors: list[DeployError] = []
    found = _text(evaluator, "SubDomain", errors)
    raise_all(errors)
    return found


def overridden(content: MappingNode, settings: Settings) -> dict[str, Any]:
    """The fields of an App that repeat what its file overrides of the settings."""
    fields: dict[str, Any] = {}
    if "Slack" in content.entries:
        fields["slack_channel"] = settings.slack.channel
    if "HealthCheck" in content.entries:
        fields["health_check"] = settings.health_check
    return fields


_REPEATED = {"Tag": "Version", "AppName": "Name"}
"""Keys whose default is another one."""

_SHAPES: dict[str, tuple[Callable[[str], object], str]] = {
    "Name": (lambda text: bool(text.strip()), "a name"),
    "AppName": (
        lambda text: formats.is_label(text, formats.MAX_RELEASE_NAME),
        f"at most {formats.MAX_RELEASE_NAME} lower-case letters, digits and dashes (it names release and image)",
    ),
    "SubDomain": (formats.is_host_name, "a part of a host name"),
    "Version": (lambda text: bool(text.strip()), "a version"),
    "Tag": (
        lambda text: formats.TAG.match(text) and len(text) <= formats.MAX_TAG,
        f"at most {formats.MAX_TAG} letters, digits, dots, dashes and underscores (it is part of the image's tag)",
    ),
}


def _text(evaluator: Evaluator, key: str, errors: list[DeployError]) -> str | None:
    """A key that is a text; whole numbers are taken too, since they read the same."""
    entry = evaluator.root.entries.get(key)
    if entry is None:
        return None
    with evaluator.watching() as secrets:
        try:
            value = evaluator.plain(entry.value, (key,))
        except ConfigurationError as error:
            errors.append(error)
            return None
    if isinstance(value, Omitted):
        return None
    encrypted = sorted(name for name in secrets if not name.startswith(FROM_ENVIRONMENT))
    if encrypted and entry.location.file != DEFAULTS:  # a default repeats what is told of another key
        errors.append(
            ConfigurationError(
                f"{key} holds a secret",
                where=entry.location,
                why=f"{', '.join(encrypted[:3])} would be readable in the names of images, releases or hosts",
                hint=f"what is no secret is named in {PLAIN_KEYS}, in group_vars",
            )
        )
        return None
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    accepts, expected = _SHAPES[key]
    if isinstance(value, str) and accepts(value):
        return value
    hint = "put it in quotes, else 1.10 is read as 1.1" if isinstance(value, float) else None
    where = entry.location
    if where.file == DEFAULTS and (source := evaluator.root.entries.get(_REPEATED.get(key, ""))) is not None:
        where = source.location
        if any(error.where == where for error in errors):
            return None
    errors.append(
        ConfigurationError(
            f"{show_path((key,))} must be {'a text' if hint else expected}",
            where=where,
            why=None if secrets else f"it is {show_value(value)}",
            hint=hint,
        )
    )
    return None
