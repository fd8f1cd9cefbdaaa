"""The Go toolchain that builds tools: whether it can, and the environment it works in."""

from __future__ import annotations

import os
import re

from deployer.adapters import process
from deployer.errors import ConfigurationError
from deployer.tools.catalogue import parse_version

_FIRST_THAT_FETCHES = (1, 21)
"""Since Go 1.21 an older Go fetches the version that a go.mod asks for (https://go.dev/doc/toolchain)."""


def environment() -> dict[str, str]:
    """Ours, without what would make the result depend on this user's other Go work; proxies and caches are kept."""
    dropped = {"GOOS", "GOARCH", "GOEXPERIMENT"}
    kept = {name: value for name, value in os.environ.items() if name not in dropped}
    # Without cgo the result is the same with and without a C compiler.
    return kept | {"GOFLAGS": "-buildvcs=false", "GOWORK": "off", "GO111MODULE": "on", "CGO_ENABLED": "0"}


def version() -> str | None:
    """The version of the Go on PATH (`1.26.0`), None when there is none."""
    try:
        # GOTOOLCHAIN=local: the one that is installed, not one that it would fetch
        result = process.run(["go", "version"], env=environment() | {"GOTOOLCHAIN": "local"}, timeout=30)
    except process.ExecutableMissing:
        return None
    found = re.search(rb"go(\d+\.\d+(?:\.\d+)?)", result.stdout)
    return found[1].decode() if found else None


def needed(go_mod: str) -> str:
    """The least version that a go.mod asks for."""
    found = re.search(r"^go (\d+\.\d+(?:\.\d+)?)", go_mod, re.MULTILINE)
    return found[1] if found else "1.21"


def check(tool: str, go_mod: str) -> None:
    """Raise ConfigurationError when this machine's Go cannot build the module, naming what to install."""
    least = needed(go_mod)
    install = f"install Go {least} or later (https://go.dev/dl/; Debian's package golang-go is often too old)"
    installed = version()
    if installed is None:
        raise ConfigurationError(
            f"{tool} is not on this machine, and building it needs Go, which was not found",
            hint=f"{install}, or put {tool} on PATH; `deploy doctor` lists what fits",
        )
    if parse_version(installed) >= parse_version(least):
        return
    if parse_version(installed) < _FIRST_THAT_FETCHES:
        raise ConfigurationError(f"building {tool} needs Go {least}, and this machine has {installed}", hint=install)
    setting = process.run(["go", "env", "GOTOOLCHAIN"], env=environment(), timeout=30).stdout.decode().strip()
    if setting == "local" or (setting.startswith("go") and "+" not in setting):
        raise ConfigurationError(
            f"building {tool} needs Go {least}, and this machine has {installed}",
            why=f"GOTOOLCHAIN={setting} forbids it to fetch the version that is needed",
            hint=f"set GOTOOLCHAIN=auto, or {install}",
        )
