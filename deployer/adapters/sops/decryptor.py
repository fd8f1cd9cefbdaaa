"""Decryption with the sops program: its environment, its answer, and what must be true of both."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from deployer.adapters import process
from deployer.adapters.sops import faults
from deployer.errors import ConfigurationError, DeployError, UnreachableError
from deployer.masking.seen import remember

TIMEOUT = 90.0
"""Seconds for one file: enough for a KMS region that does not answer and a second one that does."""

_METADATA = re.compile(r"^sops:", re.MULTILINE)
_METADATA_OF_JSON = re.compile(r'"sops"\s*:')
_CONFLICT = re.compile(r"^<{7} |^>{7} ", re.MULTILINE)
_CONTENT = re.compile(r"^[^#%\s-]", re.MULTILINE)
_NEXT_DOCUMENT = re.compile(r"^---(?:\s|$)", re.MULTILINE)
_CIPHERTEXT = "ENC[AES256_GCM,"

_CREDENTIALS = (
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "AWS_ROLE_ARN",
)


class Sops:
    """The sops program as a decryptor. Safe to call from threads; one process per file, nothing is written to disk."""

    def __init__(
        self,
        executable: Callable[[], str | os.PathLike[str]],
        *,
        environ: Mapping[str, str] | None = None,
        timeout: float = TIMEOUT,
    ) -> None:
        """`executable` finds sops; it is called when a file is decrypted, and raises what is to be said without it."""
        self._executable = executable
        self._environ = os.environ if environ is None else environ
        self._timeout = timeout

    def decrypt(self, file: Path, *, profile: str | None, config_file: str | None = None) -> dict[str, Any]:
        """The typed content of an encrypted YAML file, decrypted with an AWS profile (of `config_file`).

        Numbers keep their digits, as far as SOPS kept them when it encrypted: beyond 64 bits it stores a float.
        Raises ConfigurationError when the file is not what it should be, UnreachableError when its key is out of reach.
        """
        _check(file, _read(file))
        if config_file is not None and not Path(config_file).is_file():  # the SDK would say that the profile is missing
            hint = "AwsConfigFile in group_vars names it; for the stage local `deploy sandbox up` writes it"
            raise ConfigurationError("the AWS config file does not exist", where=config_file, hint=hint)
        # Decryption needs no .sops.yaml, and a broken one in the working directory would stop it.
        arguments = [
            "--config",
            os.devnull,
            "decrypt",
            "--input-type",
            "yaml",
            "--output-type",
            "json",
            os.fspath(file.absolute()),
        ]
        try:
            result = process.run(
                [self._executable(), *arguments],
                env=environment(profile, config_file, self._environ),
                timeout=self._timeout,
            )
        except process.TimedOut as error:
            hint = "the keys are in KMS: check the network, VPN or proxy"
            raise UnreachableError(error.what, where=str(file), hint=hint) from None
        if not result.ok:
            message = result.stderr.decode("utf-8", "replace")
            raise faults.explain(result.returncode, message, file=str(file), profile=profile, config_file=config_file)
        return _content(file, result.stdout)


def environment(profile: str | None, config_file: str | None, environ: Mapping[str, str]) -> dict[str, str]:
    """What sops gets as its environment: ours, and the profile.

    The Go SDK prefers access keys in the environment to AWS_PROFILE; a profile that was asked for goes before them, as
    it does for our own requests.
    """
    result = {"AWS_MAX_ATTEMPTS": "2", **environ}
    if profile is not None:
        for name in _CREDENTIALS:
            result.pop(name, None)
        result["AWS_PROFILE"] = profile
    if config_file is not None:
        result["AWS_CONFIG_FILE"] = config_file
    return result


def _read(file: Path) -> str:
    where = str(file)
    try:
        if file.exists() and not file.is_file():
            raise ConfigurationError("the secrets file is not a file", where=where)
        return file.read_bytes().decode("utf-8-sig")
    except FileNotFoundError:
        hint = "`sops FILE` makes it"
        raise ConfigurationError("the secrets file does not exist", where=where, hint=hint) from None
    except UnicodeDecodeError as error:
        why = f"it is not UTF-8 at byte {error.start}"
        raise ConfigurationError("the secrets file is not a SOPS file", where=where, why=why) from None
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or "its name cannot be used"
        raise ConfigurationError("the secrets file cannot be read", where=where, why=why) from None


def _check(file: Path, text: str) -> None:
    """What can be said without starting a process."""
    where = str(file)
    if not text.strip():
        hint = "restore it from git, or remove it when the stage has no secrets"
        raise ConfigurationError("the secrets file is empty", where=where, hint=hint)
    if conflict := _CONFLICT.search(text):
        line = text.count("\n", 0, conflict.start()) + 1
        hint = "take one side, then `sops FILE` for the rest: SOPS files cannot be merged by hand"
        raise ConfigurationError(
            "the secrets file has an unresolved merge conflict", where=f"{where}:{line}", hint=hint
        )
    if not (_METADATA_OF_JSON if text.lstrip().startswith("{") else _METADATA).search(text):
        raise ConfigurationError(
            "the secrets file is not a SOPS file",
            where=where,
            why="it has no `sops` key: its values stand in plain text",
            hint=f"`sops encrypt --in-place {file}`; if it was ever committed, change its secrets",
        )
    content = _CONTENT.search(text)
    if content and (following := _NEXT_DOCUMENT.search(text, content.start())):
        line = text.count("\n", 0, following.start()) + 1
        why = "of several YAML documents SOPS gives only the first"
        raise ConfigurationError("the secrets file has more than one document", where=f"{where}:{line}", why=why)


def _content(file: Path, output: bytes) -> dict[str, Any]:
    where = str(file)
    try:
        content = json.loads(output)
    except (ValueError, RecursionError):  # the message would show a part of the secrets
        raise DeployError("sops gave an answer that is not JSON", where=where) from None
    if not isinstance(content, dict):
        raise ConfigurationError("the secrets file is not a mapping", where=where)
    remember(content)
    if not content:
        raise ConfigurationError("the secrets file holds no values", where=where)
    if (key := next(_encrypted(content), None)) is not None:
        why = f"{key} was encrypted twice, or pasted from another file"
        hint = "set it again with `sops FILE`"
        raise ConfigurationError("a value is still encrypted after decryption", where=where, why=why, hint=hint)
    return content


def _encrypted(node: Any, path: str = "") -> Iterator[str]:
    """The paths of all leaves, and the keys, that are still ciphertext."""
    match node:
        case str() if node.startswith(_CIPHERTEXT):
            yield path
        case dict():
            for key, value in node.items():
                yield from _encrypted(value, f"{path}.{key}" if path else str(key))
        case list():
            for index, value in enumerate(node):
                yield from _encrypted(value, f"{path}[{index}]")
