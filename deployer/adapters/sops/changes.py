"""Changes to an encrypted file, made by sops on a copy of it: data key, recipients and untouched lines stay.

Plaintext goes through pipes. The one exception is `replace`: `sops edit` works on a file, which is kept in memory. The
copies on disk are encrypted.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from deployer.adapters import process
from deployer.adapters.sops import change_faults
from deployer.adapters.sops.decryptor import TIMEOUT, environment
from deployer.errors import ConfigurationError, DeployError, UnreachableError
from deployer.masking.seen import remember

_TYPES = ("--input-type", "yaml", "--output-type", "yaml")
_EDITOR = """sh -c 'cat > "$0" && test -s "$0"'"""
"""Stands in for the editor of `sops edit`: the new text comes on standard input, and only once."""

_UNCHANGED = 200


class SopsFile:
    """The sops program at work on the content of one file, given and returned as bytes; writes no file of the user's.

    `where` names it in errors; profile and config file are those of AWS. Safe to call from threads.
    Raises ConfigurationError when the file is not what it should be, UnreachableError when its key is out of reach.
    """

    def __init__(
        self,
        executable: Callable[[], str | os.PathLike[str]],
        where: str,
        *,
        profile: str | None = None,
        config_file: str | None = None,
        environ: Mapping[str, str] | None = None,
        timeout: float = TIMEOUT,
    ) -> None:
        self._executable = executable
        self._where = where
        self._profile = profile
        self._config_file = config_file
        self._environ = os.environ if environ is None else environ
        self._timeout = timeout

    def text(self, content: bytes) -> str:
        """The plaintext YAML, with its comments and in its order."""
        arguments = ["decrypt", *_TYPES, "--filename-override", "secrets.yml", "/dev/stdin"]
        return self._run(arguments, content).decode("utf-8", "replace")

    def values(self, content: bytes) -> Any:
        """The plaintext values."""
        arguments = [
            "decrypt", "--input-type", "yaml", "--output-type", "json", "--filename-override", "secrets.yml",
            "/dev/stdin",
        ]  # fmt: skip
        output = self._run(arguments, content)
        try:
            found = json.loads(output)
        except (ValueError, RecursionError):  # the message would show a part of the secrets
            raise DeployError("sops gave an answer that is not JSON", where=self._where) from None
        remember(found)
        return found

    def set_value(self, content: bytes, path: Sequence[str | int], value: Any) -> bytes:
        """The content with a value put at a path; mappings on the way are made."""
        remember(value)
        with _Copy(content) as copy:
            self._run(["set", *_TYPES, "--value-stdin", os.fspath(copy.path), _index(path)], json.dumps(value).encode())
            return copy.content()

    def unset_value(self, content: bytes, path: Sequence[str | int]) -> bytes:
        """The content without what is at a path."""
        with _Copy(content) as copy:
            self._run(["unset", *_TYPES, os.fspath(copy.path), _index(path)], b"")
            return copy.content()

    def replace(self, content: bytes, text: str) -> bytes:
        """The content with another plaintext: values that are the same keep their ciphertext."""
        with _Copy(content) as copy, process.MemoryDirectory(self._environ) as memory:
            extra = {"SOPS_EDITOR": _EDITOR, "TMPDIR": os.fspath(memory)}
            self._run(["edit", *_TYPES, os.fspath(copy.path)], text.encode(), extra=extra, accepted=(_UNCHANGED,))
            return copy.content()

    def rotate(self, content: bytes) -> bytes:
        """The content under a new data key, for the same recipients."""
        with _Copy(content) as copy:
            return self._run(["rotate", *_TYPES, os.fspath(copy.path)], b"")

    def update_keys(self, content: bytes, rules: Path, name: str) -> bytes:
        """The content for the recipients that `rules` (.sops.yaml) gives the file `name`, relative to its directory."""
        with _Copy(content, name) as copy:
            own = copy.directory / ".sops.yaml"
            own.write_bytes(rules.read_bytes())
            self._run(["updatekeys", "--yes", "--input-type", "yaml", os.fspath(copy.path)], b"", config=own)
            return copy.content()

    def encrypt(self, text: str, rules: Path, name: str) -> bytes:
        """A new file's content, encrypted as `rules` (.sops.yaml) says for `name`, relative to its directory."""
        override = os.fspath(rules.parent / name)
        arguments = ["encrypt", *_TYPES, "--filename-override", override, "/dev/stdin"]
        return self._run(arguments, text.encode(), config=rules)

    def _run(
        self,
        arguments: Sequence[str],
        stdin: bytes,
        *,
        config: Path | None = None,
        extra: Mapping[str, str] | None = None,
        accepted: Sequence[int] = (),
    ) -> bytes:
        if self._config_file is not None and not Path(self._config_file).is_file():
            hint = "AwsConfigFile in group_vars names it; for the stage local `deploy sandbox up` writes it"
            raise ConfigurationError("the AWS config file does not exist", where=self._config_file, hint=hint)
        try:
            result = process.run(
                [self._executable(), "--config", config or os.devnull, *arguments],
                stdin=stdin,
                env={**environment(self._profile, self._config_file, self._environ), **(extra or {})},
                timeout=self._timeout,
            )
        except process.TimedOut as error:
            hint = "the keys are in KMS: check the network, VPN or proxy"
            raise UnreachableError(error.what, where=self._where, hint=hint) from None
        if not result.ok and result.returncode not in accepted:
            message = result.stderr.decode("utf-8", "replace")
            raise change_faults.explain_change(
                result.returncode, message, file=self._where, profile=self._profile, config_file=self._config_file
            )
        return result.stdout


class _Copy:
    """The encrypted content as a file of its own, for what sops only does in place."""

    def __init__(self, content: bytes, name: str = "secrets.yml") -> None:
        self._content = content
        self._name = name
        self._temporary: tempfile.TemporaryDirectory[str] | None = None

    def __enter__(self) -> _Copy:
        self._temporary = tempfile.TemporaryDirectory(prefix="deploy-")
        self.directory = Path(self._temporary.name)
        self.path = self.directory / self._name
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.path.write_bytes(self._content)
        return self

    def __exit__(self, *_: object) -> None:
        if self._temporary is not None:
            self._temporary.cleanup()

    def content(self) -> bytes:
        """What sops has made of it."""
        return self.path.read_bytes()


def _index(path: Sequence[str | int]) -> str:
    """`["Values"]["myapp"][0]`, as sops names a place in a file: it takes quotes off and knows no escapes."""
    return "".join(f"[{part}]" if isinstance(part, int) else f'["{part}"]' for part in path)
