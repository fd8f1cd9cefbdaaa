"""Why sops did not change or make a file. As with decryption, its own words are never passed on."""

from __future__ import annotations

import re

from deployer.adapters.sops.faults import UNKNOWN, about, cause_of, explain, unreadable
from deployer.errors import ConfigurationError, DeployError


def explain_change(
    returncode: int, message: str, *, file: str, profile: str | None = None, config_file: str | None = None
) -> DeployError:
    """The error for an exit status and standard error of a command that changes or makes a file."""
    if returncode in (128, 51, 25, 100) or returncode < 0:
        return explain(returncode, message, file=file, profile=profile, config_file=config_file)
    if "no matching creation rules" in message or "config file not found" in message:
        return ConfigurationError(
            "no rule of .sops.yaml is for this file",
            where=file,
            hint="add a creation rule with its path_regex and keys",
        )
    if "error loading config" in message:
        return ConfigurationError("sops cannot use .sops.yaml", where=file, why="it is not what sops expects")
    if (
        re.search(r"data key|master key|encrypt", message, re.IGNORECASE)
        and cause_of(flat := _flat(message)) != UNKNOWN
    ):
        cause = cause_of(flat)
        with_profile = f" (profile {profile}{f' of {config_file}' if config_file else ''})" if profile else ""
        return cause.kind(
            cause.what.replace("kms:Decrypt", "kms:Encrypt"),
            where=f"{file}{with_profile}",
            why="a new data key could not be encrypted",
            hint=about(cause.hint(profile), file).replace("kms:Decrypt", "kms:Encrypt"),
        )
    if returncode == 1 and any(word in message for word in ("yaml:", "unmarshal", "metadata", "already defined")):
        return unreadable(returncode, message, file)
    return ConfigurationError(
        "sops could not make the change",
        where=file,
        why=f"exit status {returncode}",
        hint=about("the file is as it was; `sops edit FILE` with the same AWS_PROFILE shows sops' own words", file),
    )


def _flat(message: str) -> str:
    return " ".join(message.replace("|", " ").split())
