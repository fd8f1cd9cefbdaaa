"""`deploy secrets set` and `unset`: one value, without a look at the others."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from deployer.config import dumping
from deployer.config.nodes import MappingNode, SequenceNode
from deployer.config.secret_files import RULES, SecretFile
from deployer.config.sops_files import content_of, stored_values
from deployer.errors import ConfigurationError, Location, UnreachableError, UsageError
from deployer.pipeline.secrets import storage
from deployer.pipeline.secrets.keys import find, show_key, unknown
from deployer.pipeline.secrets.ports import EncryptedFile

KeyPath = tuple[str | int, ...]


def check_set(root: Path, file: SecretFile, path: KeyPath, *, branch: bool) -> None:
    """Raises what can be said before the value is asked for. `branch`: a whole mapping or list may be replaced."""
    content = storage.read(file)
    if content is None:
        if any(isinstance(part, int) for part in path):
            raise UsageError("there is no such list", where=file.name)
        rules(root, file)
        return
    tree = storage.tree(content, file.name)
    found = find(content_of(tree), path, where=file.name)
    if isinstance(found, (MappingNode, SequenceNode)) and not branch:
        kind = "a mapping" if isinstance(found, MappingNode) else "a list"
        raise UsageError(
            f"{show_key(path)} is {kind}, not a single value",
            where=Location(file.name, found.line),
            hint="name a key in it, or replace it as a whole with --type json",
        )


def set_value(root: Path, file: SecretFile, sops: EncryptedFile, path: KeyPath, value: Callable[[], Any]) -> bool:
    """Put a value in a file, which is made if need be; whether it was made. `value` is asked once, after all checks.

    Raises ConfigurationError when the value would stand in plain text, or would be another one when it is read.
    """
    content = storage.read(file)
    if content is None:
        place = rules(root, file)
        given = value()
        after = sops.encrypt(dumping.quoted(_nested(path, given)), place, relative(file, place))
    else:
        storage.tree(content, file.name)
        given = value()
        after = sops.set_value(content, path, given)
    tree = storage.tree(after, file.name)
    for stored in stored_values(tree):
        if stored.path[: len(path)] == path and not stored.encrypted and stored.node.value not in (None, ""):
            raise ConfigurationError(
                f"{show_key(path)} would stand in the file in plain text",
                where=Location(file.name),
                why="the encryption rule of the file leaves it open",
                hint="give it a name that the rule encrypts; what need not be secret belongs into "
                f"{Path(file.name).parent}/{file.place}.yml",
            )
    if not _is_kept(sops, after, path, given, new=content is None):
        raise ConfigurationError(
            f"SOPS would not keep the value of {show_key(path)} as it is",
            where=Location(file.name),
            hint="the file is as it was; keep such a value as base64 text",
        )
    storage.write(file, content, after)
    return content is None


def unset_value(file: SecretFile, sops: EncryptedFile, path: KeyPath) -> None:
    """Take a key, with all below it, out of a file. Raises UsageError when it is not there."""
    content, tree = storage.existing(file)
    if find(content_of(tree), path, where=file.name) is None:
        raise unknown(tree, path, file.name)
    if len(path) == 1 and len(content_of(tree).entries) == 1:
        raise UsageError(
            "that is the last key of the file", where=file.name, hint="remove the file if it is no longer needed"
        )
    storage.write(file, content, sops.unset_value(content, path))


def rules(root: Path, file: SecretFile) -> Path:
    """The `.sops.yaml` that has a rule for a new file. Raises ConfigurationError with what to write when none has."""
    from deployer.config import document
    from deployer.config.sops_files import creation_rules

    place = storage.rules_for(root)
    pattern = f"{Path(file.name).parent}/secrets_{file.stage}.*\\.yml$"
    hint = f'creation_rules:\n  - path_regex: {pattern}\n    kms: "arn:aws:kms:AWS-REGION:ACCOUNT:alias/NAME"'
    if place is None:
        raise ConfigurationError(
            "there is no .sops.yaml, which says for whom a new file is encrypted", where=str(root / RULES), hint=hint
        )
    found = creation_rules(document.parse(place.read_bytes(), RULES))
    if not any(rule.is_for(relative(file, place)) for rule in found):
        raise ConfigurationError(f"no rule of .sops.yaml is for {file.name}", where=Location(RULES), hint=hint)
    return place


def relative(file: SecretFile, rules_file: Path) -> str:
    """The file as the rules see it: relative to their directory."""
    root = file.path.parent.parent
    inside = root.relative_to(rules_file.parent) if root.is_relative_to(rules_file.parent) else Path()
    return (inside / file.name).as_posix()


def _is_kept(sops: EncryptedFile, after: bytes, path: KeyPath, given: Any, *, new: bool) -> bool:
    try:
        return bool(_at(sops.values(after), path) == given)
    except UnreachableError:
        if new:
            return True  # who may only encrypt can begin a file, and not look into it
        raise


def _nested(path: KeyPath, value: Any) -> Any:
    for part in reversed(path):
        value = {part: value}
    return value


def _at(values: Any, path: KeyPath) -> Any:
    for part in path:
        values = values[part]
    return values
