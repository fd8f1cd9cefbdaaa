"""What the tool itself reads from group_vars, evaluated and checked."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from deployer.config import formats
from deployer.config.evaluation import Evaluator
from deployer.config.layers import place_of_file
from deployer.config.lazy import Omitted
from deployer.config.nodes import Path as KeyPath
from deployer.config.nodes import locate, node_at, show_path
from deployer.config.suggestions import did_you_mean
from deployer.config.validation import show_value, validate
from deployer.errors import ConfigurationError, DeployError, Location, raise_all
from deployer.model import Secret, Settings, pascal_case
from deployer.model.branches import LIFETIME, is_lifetime

_KEYS = {pascal_case(field.name): field.name for field in dataclasses.fields(Settings)}

ChooseProfile = Callable[[str | None, str, str | None], str | None]
"""The AWS profile to use, from `AwsProfile` (or None), the stage's name and the path of `AwsConfigFile` (or None)."""


@dataclass(frozen=True, slots=True)
class AwsAccess:
    """What is needed to decrypt, so it comes from the plain layers alone. `config_file` is an absolute path."""

    profile: str | None
    config_file: str | None
    region: str | None


_POSITIVE = (lambda value: 0 < value < math.inf, "greater than 0")
_NOT_NEGATIVE = (lambda value: 0 <= value < math.inf, "0 or greater")

_CHECKS: dict[KeyPath, tuple[Callable[[Any], object], str]] = {
    ("AwsRegion",): (formats.AWS_REGION.match, "an AWS region such as eu-west-2"),
    ("AwsEcrPrefix",): (formats.REGISTRY_PREFIX.match, "a registry's host, and maybe a path, without https://"),
    ("DnsDomain",): (formats.is_host_name, "a domain name"),
    ("Namespace",): (formats.is_label, "a name of a Kubernetes namespace"),
    ("Slack", "ApiUrl"): (formats.HTTP_URL.match, "an http(s) URL"),
    ("Slack", "WebhookUrl"): (lambda value: formats.HTTP_URL.match(value.reveal()), "an http(s) URL"),
    ("Webhook", "Url"): (lambda value: formats.HTTP_URL.match(value.reveal()), "an http(s) URL"),
    ("Webhook", "Secret"): (lambda value: value.reveal(), "a text that is not empty"),
    ("GitHub", "ApiUrl"): (formats.HTTP_URL.match, "an http(s) URL"),
    ("HealthCheck", "Path"): (formats.URL_PATH.match, "a path that begins with /"),
    ("HealthCheck", "Port"): (formats.is_port, "a port from 1 to 65535"),
    ("HealthCheck", "FailureThreshold"): (lambda value: 1 <= value <= 10, "from 1 to 10"),
    ("HealthCheck", "Timeout"): _POSITIVE,
    ("HealthCheck", "Stable"): _NOT_NEGATIVE,
    ("HealthCheck", "ConnectTo"): (formats.is_host_and_port, "HOST:PORT"),
    ("Rollout", "Timeout"): _POSITIVE,
    ("Rollout", "UnschedulableGrace"): _NOT_NEGATIVE,
    ("Rollout", "RestartAllowance"): _NOT_NEGATIVE,
    ("Rollout", "Stable"): _NOT_NEGATIVE,
    ("Rollout", "Bake"): _NOT_NEGATIVE,
    ("Rollout", "MinHealthyRegions"): _NOT_NEGATIVE,
    ("Rollout", "DrainGrace"): _NOT_NEGATIVE,
    ("Branches", "Expires"): (is_lifetime, f"a time: {LIFETIME}"),
    ("Dns", "NameServers"): (
        lambda value: all(formats.is_host_name(one) or formats.is_host_and_port(one) for one in value),
        "a list of HOST or HOST:PORT",
    ),
}


def settings(evaluator: Evaluator, root: Path, home: str) -> Settings:
    """The settings of one target; paths of files made absolute. Raises every error that it finds.

    `home` is the file of group_vars (`prod.london`) that errors name for keys which are missing.
    """
    errors: list[DeployError] = list(_misspelt(evaluator))
    failed: list[ConfigurationError] = []
    secrets: dict[KeyPath, frozenset[str]] = {}
    values = {}
    for key in _KEYS:
        entry = evaluator.root.entries.get(key)
        if entry is None:
            continue
        before = len(failed)
        values[key] = evaluator.plain(entry.value, (key,), failed, secrets)
        if len(failed) > before or isinstance(values[key], Omitted):
            del values[key]
    errors += failed
    if "AwsRegion" not in values and not any(error.chain and error.chain[0].endswith(" AwsRegion") for error in failed):
        errors.append(_no_region(evaluator, place_of_file(root, home)))
        values["AwsRegion"] = ""
    values.setdefault("AwsRegion", "")
    try:
        result = validate(Settings, values, evaluator.root, (), secrets)
    except DeployError as error:
        raise_all([*errors, *error.leaves()])
        raise
    raise_all([*errors, *_check(result, values, evaluator, secrets)])
    return replace(
        result,
        aws_config_file=_absolute(root, result.aws_config_file),
        cluster=replace(result.cluster, kubeconfig=_absolute(root, result.cluster.kubeconfig)),
    )


def aws_access(evaluator: Evaluator, root: Path, stage: str, choose_profile: ChooseProfile | None) -> AwsAccess:
    """The AWS profile with which a stage's secrets are decrypted, from an evaluator of its plain layers.

    `choose_profile` says which it is without an `AwsProfile`: the stage's name, or None for the ordinary chain.
    """
    found: dict[str, str | None] = {}
    errors: list[DeployError] = []
    for key in ("AwsProfile", "AwsConfigFile", "AwsRegion"):
        entry = evaluator.root.entries.get(key)
        found[key] = None
        if entry is None:
            continue
        try:
            value = evaluator.plain(entry.value, (key,))
        except ConfigurationError as error:
            error.hint = error.hint or f"{key} is needed to decrypt the secrets, so it can only use plain layers"
            errors.append(error)
            continue
        if value is None or isinstance(value, str):
            found[key] = value or None
        else:
            errors.append(
                ConfigurationError(f"{key} must be a text", where=entry.location, why=f"it is {show_value(value)}")
            )
    raise_all(errors)
    config_file = _absolute(root, found["AwsConfigFile"])
    profile = found["AwsProfile"]
    if choose_profile is not None:
        profile = choose_profile(profile, stage, config_file)
    return AwsAccess(profile, config_file, found["AwsRegion"])


def _misspelt(evaluator: Evaluator) -> list[ConfigurationError]:
    """Keys that differ from one of ours in upper and lower case alone: as variables they would have no effect."""
    known = {key.lower(): key for key in _KEYS}
    return [
        ConfigurationError(f"{key} is not known", where=entry.location, hint=f"did you mean {known[key.lower()]}?")
        for key, entry in evaluator.root.entries.items()
        if isinstance(key, str) and key not in _KEYS and key.lower() in known
    ]


def _no_region(evaluator: Evaluator, home: Location) -> ConfigurationError:
    hint = did_you_mean("AwsRegion", (key for key in evaluator.root.entries if key not in _KEYS))
    return ConfigurationError(
        "AwsRegion is missing", where=home, why=evaluator.scope or None, hint=hint or 'AwsRegion: "eu-west-2"'
    )


def _check(
    result: Settings, values: Any, evaluator: Evaluator, secrets: dict[KeyPath, frozenset[str]]
) -> list[ConfigurationError]:
    errors = []
    for path, (accepts, expected) in _CHECKS.items():
        value: Any = result
        for part in path:
            value = getattr(value, formats.snake_case(part), None)
        if value is None or (path == ("AwsRegion",) and not value) or accepts(value):
            continue
        secret = isinstance(value, Secret) or path in secrets or getattr(node_at(evaluator.root, path), "secret", False)
        errors.append(
            ConfigurationError(
                f"{show_path(path)} must be {expected}",
                where=locate(evaluator.root, path),
                why=None if secret else f"it is {show_value(value)}",
            )
        )
    return errors


def _absolute(root: Path, name: str | None) -> str | None:
    return str(root / Path(name).expanduser()) if name else None
