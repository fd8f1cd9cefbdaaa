"""What the work on secrets files needs from outside."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol

from deployer.config.secret_files import SecretFile


class EncryptedFile(Protocol):
    """The tool that encrypts, at work on the content of one file: bytes in, bytes out, nothing is written.

    All raise ConfigurationError when the content is not what it should be, UnreachableError without its key.
    """

    def text(self, content: bytes) -> str:
        """The plaintext with comments, in its order."""
        ...

    def values(self, content: bytes) -> Any:
        """The plaintext values."""
        ...

    def set_value(self, content: bytes, path: Sequence[str | int], value: Any) -> bytes:
        """With a value put at a path; everything else keeps its ciphertext."""
        ...

    def unset_value(self, content: bytes, path: Sequence[str | int]) -> bytes:
        """Without what is at a path."""
        ...

    def replace(self, content: bytes, text: str) -> bytes:
        """With another plaintext; values that are the same keep their ciphertext."""
        ...

    def rotate(self, content: bytes) -> bytes:
        """Under a new data key."""
        ...

    def update_keys(self, content: bytes, rules: Path, name: str) -> bytes:
        """For the recipients that the rules have for this file."""
        ...

    def encrypt(self, text: str, rules: Path, name: str) -> bytes:
        """A new file's content, as the rules say."""
        ...


OpenFile = Callable[[SecretFile], EncryptedFile]


class History(Protocol):
    """The repository's past."""

    def resolve(self, revision: str) -> str:
        """The commit that a revision names. Raises UsageError for an unknown one, or outside git."""
        ...

    def files(self, commit: str, directory: str) -> Sequence[str]:
        """The files of a directory in a commit, by their paths below the repository."""
        ...

    def content(self, commit: str, name: str) -> bytes | None:
        """A file's content in a commit; None when it is not there."""
        ...


class Index(Protocol):
    """What the next commit will hold."""

    def staged(self) -> Sequence[str]:
        """The files that it adds or changes, by their paths below the repository."""
        ...

    def staged_content(self, name: str) -> bytes:
        """A file's content in it."""
        ...
