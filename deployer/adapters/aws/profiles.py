"""Which AWS profile a stage uses, read from the files that the AWS SDKs read."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path

from deployer.errors import ConfigurationError

_SECTION = re.compile(r"\s*\[\s*(?:(profile|sso-session|services)\s+)?(['\"]?)(.+?)\2\s*\]")


def choose_profile(
    explicit: str | None, stage: str, config_file: str | None = None, environ: Mapping[str, str] = os.environ
) -> str | None:
    """`AwsProfile` where group_vars give one; else the stage's name where a profile of that name exists; else None.

    None is the SDKs' ordinary chain: environment, web identity (IRSA), instance or container role. This reads two small
    files and imports no SDK, since the profile is needed before anything can be decrypted.
    """
    return explicit or (stage if stage in profiles(config_file, environ) else None)


def profiles(config_file: str | None = None, environ: Mapping[str, str] = os.environ) -> frozenset[str]:
    """The names of all profiles: those of `AwsConfigFile` (else of the SDKs' config file) and of the credentials."""
    names: set[str] = set()
    for kind, name in _sections(config_file or environ.get("AWS_CONFIG_FILE") or "~/.aws/config"):
        if kind == "profile" or (kind is None and name == "default"):
            names.add(name)
    for kind, name in _sections(environ.get("AWS_SHARED_CREDENTIALS_FILE") or "~/.aws/credentials"):
        if kind is None:
            names.add(name)
    return frozenset(names)


def check_config_file(config_file: str | None) -> None:
    """Raise ConfigurationError when `AwsConfigFile` names a file that is not there (the SDKs would ignore that)."""
    if config_file is not None and not Path(config_file).expanduser().is_file():
        raise ConfigurationError(
            "the AWS config file does not exist",
            where=config_file,
            hint="AwsConfigFile in group_vars names it; for the stage local `deploy sandbox up` writes it",
        )


def _sections(file: str) -> list[tuple[str | None, str]]:
    try:
        text = Path(file).expanduser().read_text("utf-8", "replace")
    except (OSError, RuntimeError, ValueError):  # no such file, no home directory, a NUL in the name
        return []
    return [(match[1], match[3]) for match in map(_SECTION.match, text.splitlines()) if match]
