"""The virtual environment of the AWS endpoint, made once per lock file in the user's cache directory."""

from __future__ import annotations

import hashlib
import os
import shutil
import sys
import time
from pathlib import Path

from deployer.adapters import process
from deployer.errors import ConfigurationError, DeployError, UnreachableError
from deployer.events import PhaseFinished, PhaseStarted, Sink

_LOCK_FILE = Path(__file__).with_name("requirements.txt")
_LAST_LINES = 8


def ensure(sink: Sink) -> Path:
    """The interpreter that has moto as the lock file pins it; made first when it is missing (about a minute)."""
    import platformdirs

    identity = hashlib.sha256(_LOCK_FILE.read_bytes() + sys.version.encode()).hexdigest()[:20]
    parent = (Path(platformdirs.user_cache_dir("deployer")) / "venv").resolve()
    directory = parent / f"sandbox-{identity}"
    python = directory / "bin" / "python"
    complete = directory / ".complete"
    if complete.exists() and python.exists():
        return python
    import filelock

    parent.mkdir(parents=True, exist_ok=True)
    with filelock.FileLock(parent / ".sandbox.lock"):
        if not (complete.exists() and python.exists()):
            begun = time.monotonic()
            phase = "prepare the AWS endpoint (once)"
            sink.emit(PhaseStarted(phase))
            try:
                _make(directory)
                complete.touch()
            except BaseException:
                sink.emit(PhaseFinished(phase, time.monotonic() - begun, failed=True))
                raise
            sink.emit(PhaseFinished(phase, time.monotonic() - begun))
    return python


def _make(directory: Path) -> None:
    """A virtual environment cannot be moved: it is made in its place, and counts once it is marked as complete."""
    shutil.rmtree(directory, ignore_errors=True)
    base = os.path.realpath(sys.executable)
    made = process.run([base, "-m", "venv", directory], timeout=120)
    if not made.ok:
        raise ConfigurationError(
            "no virtual environment can be made for the sandbox's AWS endpoint",
            where=str(directory),
            why=_end_of(made),
            hint="on Debian and Ubuntu, as root: apt-get install python3-venv",
        )
    command: list[str | Path] = [
        directory / "bin" / "python",
        "-m",
        "pip",
        "install",
        "--quiet",
        "--no-input",
        "--require-hashes",
    ]
    installed = process.run(
        [*command, "--no-deps", "--disable-pip-version-check", "--requirement", _LOCK_FILE],
        env={**os.environ, "PIP_USER": "0", "PIP_TARGET": ""},
        timeout=1200,
    )
    if not installed.ok:
        raise _pip_failure(installed)


def _pip_failure(result: process.Result) -> DeployError:
    text = _end_of(result)
    if "DO NOT MATCH THE HASHES" in text:
        return ConfigurationError(
            "a package of the sandbox's AWS endpoint is not what the lock file says", where=str(_LOCK_FILE), why=text
        )
    return UnreachableError(
        "the packages of the sandbox's AWS endpoint could not be fetched",
        why=text,
        hint="can this machine reach its package index? `pip config list` shows what pip uses; then try again",
    )


def _end_of(result: process.Result) -> str:
    lines = (result.stderr or result.stdout).decode(errors="replace").strip().splitlines()
    return "\n".join(lines[-_LAST_LINES:])
