"""What an encrypted file tells without being decrypted: its keys, what is encrypted, and for whom."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from deployer.config.encrypted import is_encrypted
from deployer.config.nodes import Entry, MappingNode, Node, Path, ScalarNode, SequenceNode, scalars

METADATA = "sops"
CIPHERTEXT = re.compile(r"ENC\[AES256_GCM,data:.*,type:(str|int|float|bool|bytes|time|comment)\]\Z", re.DOTALL)
_TYPES = {"str": "text", "int": "number", "float": "number", "bool": "boolean", "bytes": "text", "time": "time"}


@dataclass(frozen=True, slots=True)
class StoredValue:
    """One value of an encrypted file. `encrypted`: it is ciphertext. `kind`: text, number, boolean, time, null."""

    path: Path
    kind: str
    encrypted: bool
    node: ScalarNode


def content_of(document: MappingNode) -> MappingNode:
    """The file without SOPS' own part."""
    entries = {key: entry for key, entry in document.entries.items() if key != METADATA}
    return MappingNode(entries, document.file, document.line, document.column)


def stored_values(document: MappingNode) -> Iterator[StoredValue]:
    """Every value of an encrypted file, in its order."""
    for path, node in scalars(content_of(document)):
        found = CIPHERTEXT.match(node.value) if isinstance(node.value, str) else None
        yield StoredValue(path, _TYPES.get(found[1], "text") if found else _kind(node.value), found is not None, node)


def _kind(value: object) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "boolean"
    return "number" if isinstance(value, (int, float)) else "text"


def plain_values(document: MappingNode) -> Iterator[StoredValue]:
    """The values that SOPS would have encrypted, by the file's own metadata, and that stand in plain text.

    Empty texts and nulls are never encrypted. For a file that SOPS did not make that is every value.
    """
    rule = _encryption_rule(document)
    for value in stored_values(document):
        if not value.encrypted and value.node.value not in (None, "") and rule.is_for(value.path):
            yield value


@dataclass(frozen=True, slots=True)
class _EncryptionRule:
    """Which keys are encrypted (`Tree.Encrypt` of SOPS): a key on the way decides, from the top down."""

    unencrypted_suffix: str = ""
    encrypted_suffix: str = ""
    unencrypted_regex: str = ""
    encrypted_regex: str = ""
    by_comment: bool = False

    def is_for(self, path: Path) -> bool:
        if self.by_comment:  # comments decide, and those are not kept here
            return False
        names = [str(part) for part in path if not isinstance(part, int)]
        if self.encrypted_suffix:
            return any(name.endswith(self.encrypted_suffix) for name in names)
        if self.encrypted_regex:
            return any(_matches(self.encrypted_regex, name) for name in names)
        if self.unencrypted_suffix and any(name.endswith(self.unencrypted_suffix) for name in names):
            return False
        return not (self.unencrypted_regex and any(_matches(self.unencrypted_regex, name) for name in names))


def _matches(pattern: str, name: str) -> bool:
    try:
        return re.search(pattern, name) is not None
    except re.error:  # Go knows some that Python does not
        return False


def _encryption_rule(document: MappingNode) -> _EncryptionRule:
    metadata = _metadata(document)
    texts = {
        name: _text(metadata, name)
        for name in ("unencrypted_suffix", "encrypted_suffix", "unencrypted_regex", "encrypted_regex")
    }
    comments = ("unencrypted_comment_regex", "encrypted_comment_regex")
    return _EncryptionRule(**texts, by_comment=any(_text(metadata, name) for name in comments))


def _metadata(document: MappingNode) -> MappingNode:
    entry = document.entries.get(METADATA)
    return entry.value if entry and isinstance(entry.value, MappingNode) else MappingNode({}, document.file)


def _text(node: MappingNode, name: str) -> str:
    entry = node.entries.get(name)
    return str(entry.value.value) if entry and isinstance(entry.value, ScalarNode) and entry.value.value else ""


def recipients(document: MappingNode) -> dict[str, Entry | Node]:
    """The keys that open an encrypted file, as `kms ARN`, `age RECIPIENT`, …, each with its place."""
    found: dict[str, Entry | Node] = {}
    metadata = _metadata(document)
    groups = metadata.entries.get("key_groups")
    for group in (metadata, *_items(groups.value if groups else None)):
        if isinstance(group, MappingNode):
            found |= dict(keys_of_group(group))
    return found


def keys_of_group(group: MappingNode) -> Iterator[tuple[str, Entry | Node]]:
    """The keys that a group of them lists, in the words of a file's metadata or of `.sops.yaml`."""
    for name, entry in group.entries.items():
        for item in _items(entry.value):
            if (key := _key(str(name), item)) is not None:
                yield key, item


def _items(node: Node | None) -> Sequence[Node]:
    match node:
        case SequenceNode():
            return node.items
        case ScalarNode() if isinstance(node.value, str):  # a comma list, as .sops.yaml has it
            parts = (part.strip() for part in node.value.split(","))
            return [ScalarNode(part, node.file, node.line, node.column) for part in parts if part]
    return ()


def _key(kind: str, item: Node) -> str | None:
    if isinstance(item, ScalarNode):
        value = str(item.value)
        match kind:
            case "kms" | "age" | "gcp_kms":
                return f"{kind} {value.partition('+')[0] if kind == 'kms' else value}"
            case "pgp":
                return f"pgp {value.replace(' ', '').upper()}"
            case "azure_keyvault" | "azure_kv":
                return f"azure_keyvault {'/'.join(value.split('/')[:5])}"
            case "hc_vault_transit_uri" | "hc_vault" | "vault":
                return f"hc_vault {value}"
        return None
    if not isinstance(item, MappingNode):
        return None
    match kind:
        case "kms":
            return f"kms {_text(item, 'arn').partition('+')[0]}"
        case "age":
            return f"age {_text(item, 'recipient')}"
        case "pgp":
            return f"pgp {_text(item, 'fp').upper()}"
        case "gcp_kms":
            return f"gcp_kms {_text(item, 'resource_id')}"
        case "azure_kv" | "azure_keyvault":
            vault = _text(item, "vault_url") or _text(item, "vaultUrl")
            return f"azure_keyvault {vault.rstrip('/')}/keys/{_text(item, 'name') or _text(item, 'key')}"
        case "hc_vault":
            address, engine = _text(item, "vault_address").rstrip("/"), _text(item, "engine_path")
            return f"hc_vault {address}/v1/{engine}/keys/{_text(item, 'key_name')}"
    return None


@dataclass(frozen=True, slots=True)
class CreationRule:
    """A rule of `.sops.yaml`: for which files it is, and the keys that it gives them."""

    pattern: str
    keys: frozenset[str]
    node: MappingNode

    def is_for(self, name: str) -> bool:
        """Whether it is for a file, named relative to the directory of `.sops.yaml`."""
        return not self.pattern or _matches(self.pattern, name)


def creation_rules(rules: MappingNode) -> list[CreationRule]:
    """The rules of `.sops.yaml`, in its order; the first that is for a file decides."""
    entry = rules.entries.get("creation_rules")
    found = []
    for item in entry.value.items if entry and isinstance(entry.value, SequenceNode) else ():
        if not isinstance(item, MappingNode):
            continue
        groups = item.entries.get("key_groups")
        keys = {key for group in (item, *_items(groups.value if groups else None)) if isinstance(group, MappingNode)
                for key, _ in keys_of_group(group)}  # fmt: skip
        found.append(CreationRule(_text(item, "path_regex"), frozenset(keys), item))
    return found


__all__ = [
    "CIPHERTEXT",
    "METADATA",
    "CreationRule",
    "StoredValue",
    "content_of",
    "creation_rules",
    "is_encrypted",
    "keys_of_group",
    "plain_values",
    "recipients",
    "stored_values",
]
