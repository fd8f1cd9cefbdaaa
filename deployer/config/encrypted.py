"""Gives a decrypted SOPS file its positions and marks what was encrypted.

SOPS decrypts into plain values; the encrypted file has the same keys, with line numbers and `ENC[…]` for each value
that was encrypted (which ones is up to `encrypted_regex` and its like in .sops.yaml).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from typing import Any

from deployer.config.nodes import Entry, MappingNode, Node, Path, ScalarNode, SequenceNode, scalars, show_path
from deployer.errors import ConfigurationError
from deployer.model import Secret

METADATA = "sops"
"""The key that SOPS adds."""
_CIPHERTEXT = "ENC["

OPEN_KEYS = frozenset({"Replicas", "VERSION"})
"""Keys that are no secret anywhere below `Values`, though encrypted: the tool shows them in plans and reports."""

OPEN_BLOCKS = frozenset(
    {"AwsEcrPrefix", "AwsRegion", "DnsDomain", "Namespace", "Cluster", "HealthCheck", "Rollout", "Ecr"}
)
"""Top-level keys that are no secret, though encrypted."""


PROTECTED = frozenset({"FingerprintKey", "Slack", "GitHub", "Webhook"})
"""Top-level keys below which `PlainKeys` changes nothing: the tool never needs their secrets in the open."""


def is_encrypted(document: MappingNode) -> bool:
    """Whether SOPS made this file: it has SOPS' metadata with a message authentication code."""
    entry = document.entries.get(METADATA)
    return entry is not None and isinstance(entry.value, MappingNode) and "mac" in entry.value.entries


def with_positions(
    encrypted: MappingNode, values: Any, *, open_too: bool = False, plain: Collection[str] = ()
) -> MappingNode:
    """The tree of decrypted values, each at the place where the encrypted file has it.

    With `open_too`, what is open although encrypted (`Replicas`, `DnsDomain`, …) counts as secret, too. `plain` are
    names of further keys that are open, with everything below them (`PlainKeys` in group_vars).
    Raises ConfigurationError when the values are not those of this file: a value missing, empty or still encrypted
    must never be deployed.
    """
    if not isinstance(values, dict):
        raise ConfigurationError("SOPS gave no mapping for this file", where=encrypted.location)
    visible = {key: entry for key, entry in encrypted.entries.items() if key != METADATA}

    def is_secret(path: Path) -> bool:
        return open_too or not _is_open(path, plain)

    tree = _node(MappingNode(visible, encrypted.file, 1, 1), values, (), is_secret)
    assert isinstance(tree, MappingNode)  # noqa: S101 - a dict becomes a MappingNode
    return tree


def secrets_in(documents: Iterable[MappingNode]) -> Iterator[Secret]:
    """What was encrypted in decrypted documents, as text."""
    for document in documents:
        for _, node in scalars(document):
            if node.secret and node.value is not None:
                yield Secret(str(node.value).lower() if isinstance(node.value, bool) else str(node.value))


def _node(source: Node | None, value: Any, path: Path, is_secret: Callable[[Path], bool], file: str = "") -> Node:
    file = source.file if source else file
    line, column = (source.line, source.column) if source else (None, None)
    if isinstance(source, MappingNode) != isinstance(value, dict) or isinstance(source, SequenceNode) != isinstance(
        value, list
    ):
        raise _mismatch(source, path)
    if isinstance(value, dict):
        entries = source.entries if isinstance(source, MappingNode) else {}
        by_text = {str(key): entry for key, entry in entries.items()}
        if by_text.keys() != {str(key) for key in value}:
            raise _mismatch(source, path)
        return MappingNode(
            {
                key: Entry(
                    by_text[str(key)].location,
                    _node(by_text[str(key)].value, item, (*path, key), is_secret, file),
                )
                for key, item in value.items()
            },
            file,
            line,
            column,
        )
    if isinstance(value, list):
        items = source.items if isinstance(source, SequenceNode) else ()
        if len(items) != len(value):
            raise _mismatch(source, path)
        return SequenceNode(
            tuple(_node(items[index], item, (*path, index), is_secret, file) for index, item in enumerate(value)),
            file,
            line,
            column,
        )
    was_encrypted = isinstance(source, ScalarNode) and _is_ciphertext(source.value)
    if _is_ciphertext(value) or (was_encrypted and value in (None, "")):
        raise ConfigurationError(
            f"SOPS left {show_path(path)} encrypted or empty",
            where=source.location if source else None,
            hint="run `deploy doctor`; the file may have been made by a broken merge",
        )
    return ScalarNode(value, file, line, column, secret=was_encrypted and is_secret(path))


def _is_ciphertext(value: Any) -> bool:
    return isinstance(value, str) and value.startswith(_CIPHERTEXT)


def _is_open(path: Path, plain: Collection[str]) -> bool:
    if path[0] not in PROTECTED and any(part in plain for part in path):
        return True
    return path[0] in OPEN_BLOCKS or path[:2] == ("Slack", "Channel") or (path[0] == "Values" and path[-1] in OPEN_KEYS)


def _mismatch(source: Node | None, path: Path) -> ConfigurationError:
    return ConfigurationError(
        f"what SOPS decrypted does not match the file at {show_path(path) or 'its top level'}",
        where=source.location if source else None,
    )
