"""`deploy secrets edit`: the user's editor on the plaintext, until it is right."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from pathlib import Path as FilePath
from typing import Any

from deployer.config import document
from deployer.config.nodes import MappingNode, Path, scalars
from deployer.config.secret_files import SecretFile
from deployer.config.sops_files import METADATA, stored_values
from deployer.errors import ConfigurationError, ConflictError, DeployError, Location
from deployer.pipeline.secrets import storage
from deployer.pipeline.secrets.changing import relative, rules
from deployer.pipeline.secrets.keys import show_key
from deployer.pipeline.secrets.ports import EncryptedFile

_NEW = """\
# Secrets of {place}. Keys are visible in git, values and comments are not.
"""
_PARTS_OF_TEXT = ("the alias", "the tag")


def edit(
    root: FilePath,
    file: SecretFile,
    sops: EncryptedFile,
    editor: Callable[[str, str], str],
    again: Callable[[DeployError], bool],
) -> bool:
    """Let the user edit a file; whether it was changed.

    `editor` takes and gives a text, with the file's name. `again` shows what is wrong with what was saved, and says
    whether to edit on; if not, the error is raised and nothing is changed. Raises ConflictError when the file was
    changed meanwhile.
    """
    content = storage.read(file)
    place = None
    if content is None:
        place = rules(root, file)
        before = _NEW.format(place=file.place)
    else:
        storage.tree(content, file.name)
        before = sops.text(content)
    text = before
    while True:
        text = editor(text, file.name)
        if text == before:
            return False
        try:
            tree = _checked(text, file.name)
            _changed_meanwhile(file, content)
            if content is None:
                assert place is not None  # noqa: S101 - found above
                after = sops.encrypt(text, place, relative(file, place))
            else:
                after = sops.replace(content, text)
            _is_the_text(sops.values(after), tree, before, file.name)
            if after == content:
                return False
            storage.write(file, content, after)
            return True
        except DeployError as error:
            if isinstance(error, ConflictError) or not again(error):
                raise


def _changed_meanwhile(file: SecretFile, content: bytes | None) -> None:
    if storage.read(file) != content:
        raise ConflictError(
            "the file was changed while it was being edited",
            where=Location(file.name),
            why="nothing of what the other one wrote was overwritten, and nothing of this edit was saved",
            hint="edit it again: it now shows the other's change",
        )


def _checked(text: str, name: str) -> MappingNode:
    """The tree of what was saved. Raises ConfigurationError, which never quotes a value."""
    try:
        tree = document.parse(text, name)
    except ConfigurationError as error:
        if error.what.startswith(_PARTS_OF_TEXT):  # it may be the beginning of a value: `*abc`, `!abc`
            error.what = "a value that begins with '*', '&' or '!' must be quoted"
            error.args = (error.what,)
        raise
    if not tree.entries:
        raise ConfigurationError("the file holds no values", where=Location(name), hint="to have none, remove the file")
    if METADATA in tree.entries:
        raise ConfigurationError(
            "`sops` is SOPS' own part of the file",
            where=tree.entries[METADATA].location,
            hint="leave it out here: it is put back",
        )
    for value in stored_values(tree):
        if value.encrypted:
            raise ConfigurationError(
                f"{show_key(value.path)} is ciphertext",
                where=value.node.location,
                why="what is pasted from an encrypted file cannot be decrypted here",
                hint="write the value itself",
            )
    return tree


def _is_the_text(values: Any, tree: MappingNode, before: str, name: str) -> None:
    """Raises ConfigurationError unless the encrypted file holds the keys that were saved, and new texts as they are.

    SOPS reads YAML 1.2, where more is a number than in YAML 1.1: of a password `1e5` it would keep 100000.
    """
    if not isinstance(values, dict) or {str(key) for key in values} != {str(key) for key in tree.entries}:
        raise ConfigurationError(
            "SOPS did not take the text as it was saved", where=Location(name), why="it has other keys"
        )
    known: dict[Path, Any] = {}
    with contextlib.suppress(ConfigurationError):  # who mends a file may begin with a broken one
        known = {path: node.value for path, node in scalars(document.parse(before, name))}
    for path, node in scalars(tree):
        if isinstance(node.value, str) and known.get(path) != node.value and _differs(values, path, node.value):
            raise ConfigurationError(
                f"SOPS takes {show_key(path)} for a number or a time, and would not keep it as it is written",
                where=node.location,
                hint="put it in quotes",
            )


def _differs(values: Any, path: Path, text: str) -> bool:
    for part in path:
        if isinstance(values, dict) and str(part) in values:
            values = values[str(part)]
        elif isinstance(values, list) and isinstance(part, int) and part < len(values):
            values = values[part]
        else:  # what a merge key (`<<`) brings stands elsewhere
            return False
    return bool(values != text)
