"""The `Hooks` of an app: playbooks that exist and can be read; and the variables that they are given."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from deployer.config.evaluation import Evaluator
from deployer.config.lazy import Omitted
from deployer.config.nodes import MappingNode, Node, locate, show_path
from deployer.config.nodes import Path as KeyPath
from deployer.config.validation import validate
from deployer.errors import ConfigurationError, DeployError, raise_all
from deployer.model import Json
from deployer.model.hooks import Hooks

_PATH: KeyPath = ("Hooks",)
_EVENTS = ("BeforeBuild", "BeforeUpgrade", "AfterUpgrade", "OnFailure")
_LARGEST = 1_000_000
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")

_NOT_FOR_HOOKS = frozenset(
    {"Docker", "Helm", "Hooks", "Defaults", "Profiles", "Groups", "Needs", "Environments"}
    | {"Slack", "Webhook", "GitHub", "FingerprintKey", "Ecr", "Rollout", "HealthCheck", "Dns"}
    | {"Confirm", "Branches", "PlainKeys"}
)
"""Keys that are the tool's own business, with credentials among them."""


def evaluate(evaluator: Evaluator, root: Path) -> Hooks | None:
    """The app's hooks, None where it has none. Raises every error that it finds."""
    entry = evaluator.root.entries.get("Hooks")
    if entry is None:
        return None
    failed: list[ConfigurationError] = []
    secrets: dict[KeyPath, frozenset[str]] = {}
    values = evaluator.plain(entry.value, _PATH, failed, secrets)
    raise_all(failed)
    if isinstance(values, Omitted) or values is None:
        return None
    hooks = validate(Hooks, _spelt_out(values), evaluator.root, _PATH, secrets)
    raise_all(list(_faults(hooks, evaluator.root, root, secrets)))
    return hooks


def _spelt_out(values: Any) -> Any:
    """A single playbook is a list of one."""
    if not isinstance(values, dict):
        return values
    return {key: [one] if isinstance(one, str) and key in _EVENTS else one for key, one in values.items()}


def _faults(hooks: Hooks, tree: Node, root: Path, secrets: dict[KeyPath, frozenset[str]]) -> Iterator[DeployError]:
    if not 0 < hooks.timeout < math.inf:
        yield ConfigurationError("Hooks.Timeout must be greater than 0", where=locate(tree, (*_PATH, "Timeout")))
    for event in _EVENTS:
        for index, playbook in enumerate(hooks.of(event)):  # type: ignore[arg-type]
            path = (*_PATH, event, index)
            where = locate(tree, path)
            if any(used[: len(path)] == path or path[: len(used)] == used for used in secrets):
                yield ConfigurationError(f"{show_path(path)} is a secret", where=where, hint="write it in plain text")
            elif (wrong := _wrong(playbook, root)) is not None:
                yield ConfigurationError(
                    f"the hook playbook {playbook} cannot be run",
                    where=where,
                    why=wrong,
                    hint="Hooks names playbooks by their paths in the repository, such as playbooks/smoke.yml",
                )


def _wrong(playbook: str, root: Path) -> str | None:
    """What is wrong with a playbook, None where nothing shows."""
    if not playbook.strip() or "\0" in playbook:
        return "that is no path"
    if Path(playbook).is_absolute():
        return "it must be a path in the repository"
    try:
        file = (root / playbook).resolve(strict=True)
        if not file.is_relative_to(root.resolve()):
            return "it leads out of the repository"
        if not file.is_file():
            return "it is no file"
        content = file.read_bytes()
    except (OSError, RuntimeError) as error:
        return getattr(error, "strerror", None) or "its links lead in a circle"
    if len(content) > _LARGEST:
        return "it is larger than a playbook can be"
    return _not_a_playbook(content)


def _not_a_playbook(content: bytes) -> str | None:
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return "it is not UTF-8 text"
    if text.startswith("$ANSIBLE_VAULT"):
        return "it is encrypted by Ansible Vault"
    try:
        events = list(yaml.parse(text, Loader=yaml.CSafeLoader))
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        place = f"line {mark.line + 1}: " if mark else ""
        return f"it is not YAML: {place}{getattr(error, 'problem', None) or 'it holds a control character'}"
    if len(events) < 4 or not isinstance(events[2], yaml.SequenceStartEvent):
        return "it is no list of plays"
    return None


def variables(evaluator: Evaluator, application: str) -> Json:
    """What the app's templates can use, evaluated, but for the tool's own settings.

    What is wrong in the app's own variables and values is raised; of what it shares with other apps such a part is
    left out, since the app need not use it.
    """
    errors: list[DeployError] = []
    found: Json = {name: evaluator.builtin(name) for name in evaluator.builtins}
    own = evaluator.root.file
    for key, entry in evaluator.root.entries.items():
        if not isinstance(key, str) or not _NAME.match(key) or key in _NOT_FOR_HOOKS or key in found:
            continue
        if key == "Values" and isinstance(entry.value, MappingNode):
            found[key] = _values(evaluator, entry.value, application, errors)
            continue
        try:
            value = evaluator.plain(entry.value, (key,))
        except DeployError as error:
            if entry.location.file == own:
                errors.append(error)
            continue
        if not isinstance(value, Omitted):
            found[key] = value
    raise_all(errors)
    return found


def _values(evaluator: Evaluator, node: MappingNode, application: str, errors: list[DeployError]) -> Json:
    values: Json = {}
    for name, entry in node.entries.items():
        try:
            value = evaluator.plain(entry.value, ("Values", name))
        except DeployError as error:
            if name == application:
                errors.append(error)
            continue
        if isinstance(name, str) and not isinstance(value, Omitted):
            values[name] = value
    return values
