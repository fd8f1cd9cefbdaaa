"""What is told of secrets files, as text and JSON: names, kinds and fingerprints."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from deployer.errors import DeployError
from deployer.model.secret_files import RotatedFile, SecretChange, SecretKey
from deployer.report.document import error_document
from deployer.report.words import printable

_SIGNS = {"added": "+", "removed": "-", "changed": "~", "unknown": "?"}


def key_lines(keys: Sequence[SecretKey]) -> Iterator[str]:
    """The keys, under the name of their file."""
    width = max((len(printable(key.key)) for key in keys), default=0)
    file = None
    for key in keys:
        if key.file != file:
            file = key.file
            yield printable(file)
        state = key.kind if key.encrypted or key.kind == "null" else f"{key.kind}, not encrypted"
        yield f"  {printable(key.key).ljust(width)}  {state}"


def keys_document(keys: Sequence[SecretKey]) -> dict[str, Any]:
    """The keys, file by file (docs/json.md)."""
    files: dict[str, list[dict[str, Any]]] = {}
    for key in keys:
        files.setdefault(key.file, []).append(
            {"key": key.key, "type": key.kind, "encrypted": key.encrypted, "line": key.line}
        )
    return {"files": [{"file": file, "keys": found} for file, found in files.items()]}


def change_lines(changes: Sequence[SecretChange]) -> Iterator[str]:
    """The changes, under the name of their file: `~ DATABASE_URL  changed  3f2a… → 77ab…`."""
    width = max((len(printable(change.key)) for change in changes), default=0)
    file = None
    for change in changes:
        if change.file != file:
            file = change.file
            yield printable(file)
        marks = " → ".join(mark for mark in (change.before, change.after) if mark)
        word = "changed or encrypted anew" if change.change == "unknown" else change.change
        yield f"  {_SIGNS[change.change]} {printable(change.key).ljust(width)}  {word}{f'  {marks}' if marks else ''}"


def changes_document(changes: Sequence[SecretChange], errors: Sequence[DeployError]) -> dict[str, Any]:
    """The changes, and the files that could not be opened (docs/json.md)."""
    return {
        "ok": not errors,
        "changes": [
            {
                "file": change.file,
                "key": change.key,
                "change": change.change,
                "before": change.before,
                "after": change.after,
            }
            for change in changes
        ],
        "errors": [found for error in errors for found in error_document(error)["errors"]],
    }


def rotated_line(done: RotatedFile, count: int, total: int) -> str:
    """`group_vars/secrets_prod.yml: rotated (2 of 7)`."""
    state = "rotated before the interruption" if done.state == "done before" else done.state
    updated = ", recipients updated" if done.recipients_updated else ""
    return f"{printable(done.file)}: {state}{updated} ({count} of {total})"


def rotated_document(done: Sequence[RotatedFile], errors: Sequence[DeployError]) -> dict[str, Any]:
    """What became of each file (docs/json.md)."""
    return {
        "ok": not errors,
        "files": [
            {"file": one.file, "state": one.state, "recipientsUpdated": one.recipients_updated}
            for one in sorted(done, key=lambda one: one.file)
        ],
        "errors": [found for error in errors for found in error_document(error)["errors"]],
    }
