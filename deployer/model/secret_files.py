"""What is told of secrets files: names, kinds and fingerprints, never values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class SecretKey:
    """One key of a secrets file. `kind`: text, number, boolean, time or null; `encrypted`: its value is ciphertext."""

    file: str
    line: int | None
    key: str
    kind: str
    encrypted: bool


@dataclass(frozen=True, slots=True)
class SecretChange:
    """A key that differs between two states. The fingerprints are keyed, and None where a state has no such key.

    `unknown`: its ciphertext differs, but one of the states could not be opened.
    """

    file: str
    key: str
    change: Literal["added", "removed", "changed", "unknown"]
    before: str | None = None
    after: str | None = None


@dataclass(frozen=True, slots=True)
class RotatedFile:
    """A file whose data key was to be renewed. `done before`: by a run that was interrupted."""

    file: str
    state: Literal["rotated", "done before", "failed"]
    recipients_updated: bool = False
