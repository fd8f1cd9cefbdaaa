"""`deploy secrets diff`: which keys changed between two states of the repository, by keyed fingerprint."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from deployer.config.layers import DIRECTORY, SECRETS_PREFIX, SUFFIXES
from deployer.config.nodes import Path
from deployer.config.secret_files import SecretFile
from deployer.config.sops_files import stored_values
from deployer.errors import DeployError
from deployer.model.secret_files import SecretChange
from deployer.pipeline.secrets import storage
from deployer.pipeline.secrets.keys import show_key
from deployer.pipeline.secrets.ports import EncryptedFile, History, OpenFile
from deployer.plan.fingerprint import fingerprint

_FINGERPRINT_KEY = "FingerprintKey"


@dataclass
class Difference:
    """What changed, and what could not be looked at."""

    changes: list[SecretChange] = field(default_factory=list)
    errors: list[DeployError] = field(default_factory=list)


class Comparison:
    """The secrets files of a commit, against those of another one or of the work tree (`until` None)."""

    def __init__(self, history: History, since: str, until: str | None, open_file: OpenFile) -> None:
        self._history = history
        self._since = history.resolve(since)
        self._until = history.resolve(until) if until is not None else None
        self._open = open_file
        self._keys: dict[str, bytes] = {}

    def names(self) -> list[str]:
        """The secrets files of the commits."""
        commits = [self._since, *([self._until] if self._until else [])]
        found = {name for commit in commits for name in self._history.files(commit, DIRECTORY)}
        prefix = f"{DIRECTORY}/{SECRETS_PREFIX}"
        return sorted(name for name in found if name.startswith(prefix) and name.endswith(SUFFIXES))

    def compare(self, files: Iterable[SecretFile]) -> Difference:
        """The keys that differ, file by file. A file that cannot be opened is told with its error."""
        result = Difference()
        for file in files:
            before = self._history.content(self._since, file.name)
            after = self._history.content(self._until, file.name) if self._until else storage.read(file)
            if before == after:
                continue
            try:
                result.changes += self._file(file, before, after)
            except DeployError as error:
                result.errors.append(error)
                result.changes += _by_ciphertext(file.name, before, after)
        return result

    def _file(self, file: SecretFile, before: bytes | None, after: bytes | None) -> list[SecretChange]:
        sops = self._open(file)
        old, new = _values(sops, before, file.name), _values(sops, after, file.name)
        key = self._key(file, new, old)
        changes = []
        for path in dict.fromkeys([*old, *new]):
            if path in old and path in new and _same(old[path], new[path]):
                continue
            marks = [fingerprint(key, side[path]) if path in side and key else None for side in (old, new)]
            change: Any = "added" if path not in old else "removed" if path not in new else "changed"
            changes.append(SecretChange(file.name, show_key(path), change, marks[0], marks[1]))
        return changes

    def _key(self, file: SecretFile, *states: Mapping[Path, Any]) -> bytes:
        """The stage's `FingerprintKey`, from the file itself or from the stage's own; empty when there is none."""
        for values in states:
            if isinstance(found := values.get((_FINGERPRINT_KEY,)), str) and found:
                return found.encode()
        if file.region is None:
            return b""
        if file.stage not in self._keys:
            self._keys[file.stage] = self._stage_key(file)
        return self._keys[file.stage]

    def _stage_key(self, file: SecretFile) -> bytes:
        for suffix in SUFFIXES:
            name = f"{DIRECTORY}/{SECRETS_PREFIX}{file.stage}{suffix}"
            content = self._history.content(self._until or self._since, name)
            if content is None:
                continue
            try:
                shared = SecretFile(name, file.path.parent / f"{SECRETS_PREFIX}{file.stage}{suffix}", file.stage, None)
                return self._key(shared, _values(self._open(shared), content, name))
            except DeployError:  # it is told of that file itself
                return b""
        return b""


def _values(sops: EncryptedFile, content: bytes | None, name: str) -> dict[Path, Any]:
    """Every value of a state by its path; nothing for a state that has no such file."""
    if content is None:
        return {}
    storage.tree(content, name)
    return dict(_leaves(sops.values(content), ()))


def _leaves(node: Any, path: Path) -> Iterator[tuple[Path, Any]]:
    match node:
        case dict() if node:
            for key, value in node.items():
                yield from _leaves(value, (*path, key))
        case list() if node:
            for index, value in enumerate(node):
                yield from _leaves(value, (*path, index))
        case _:
            yield path, node


def _same(one: Any, other: Any) -> bool:
    return type(one) is type(other) and bool(one == other)


def _by_ciphertext(name: str, before: bytes | None, after: bytes | None) -> list[SecretChange]:
    """What shows without the key: SOPS keeps the ciphertext of a value that stays the same."""
    sides: list[dict[str, Any]] = []
    for content in (before, after):
        try:
            tree = storage.tree(content, name) if content is not None else None
        except DeployError:
            return []
        sides.append({show_key(value.path): value.node.value for value in stored_values(tree)} if tree else {})
    old, new = sides
    changes: list[SecretChange] = []
    for key in dict.fromkeys([*old, *new]):
        if key not in old:
            changes.append(SecretChange(name, key, "added"))
        elif key not in new:
            changes.append(SecretChange(name, key, "removed"))
        elif old[key] != new[key]:
            changes.append(SecretChange(name, key, "unknown"))
    return changes
