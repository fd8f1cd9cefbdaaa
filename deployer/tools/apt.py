"""Gets tools from Debian packages: installed where we may, or only unpacked into our cache."""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from collections import deque
from collections.abc import Sequence
from pathlib import Path

from deployer.adapters import process
from deployer.errors import ConfigurationError, DeployError, UnreachableError
from deployer.events import OutputLine, PhaseFinished, PhaseStarted, Sink
from deployer.tools.catalogue import DebianPackage, Tool
from deployer.tools.resolve import ask_version, cache_directory, cached_path, is_static

_APT = ("apt-get", "--yes", "--quiet", "--no-install-recommends", "-o", "DPkg::Lock::Timeout=300")
_STALE_LISTS = ("Unable to locate package", "no installation candidate", "404 ", "Can't find a source")


def get(tools: Sequence[Tool], sink: Sink, *, install: bool) -> list[DeployError]:
    """Install or unpack the packages of these tools; the errors of those that could not be.

    The caller holds the machine's lock. `install` False: only unpack.
    """
    to_install = [tool for tool in tools if not _package(tool).unpack]
    errors: list[DeployError] = []
    if to_install:
        names = sorted({_package(tool).package for tool in to_install})
        try:
            _install(names, [tool.name for tool in to_install], sink, allowed=install)
        except DeployError as error:
            errors.append(error)
    for tool in tools:
        if _package(tool).unpack:
            try:
                _unpack(tool, sink)
            except DeployError as error:
                errors.append(error)
            except OSError as error:
                errors.append(DeployError(f"{tool.name} cannot be unpacked", where=error.filename, why=error.strerror))
    return errors


def _install(packages: Sequence[str], tools: Sequence[str], sink: Sink, *, allowed: bool) -> None:
    command = f"apt-get install {' '.join(packages)}"
    missing = f"missing on this machine: {', '.join(tools)}"
    if shutil.which("apt-get") is None:
        raise ConfigurationError(missing, hint=f"install them by your system's packages; on Debian: {command}")
    if not allowed or os.geteuid() != 0:
        raise ConfigurationError(missing, hint=f"as root: {command}")
    _apt(["install", *packages], f"install {' '.join(packages)}", sink)


def _unpack(tool: Tool, sink: Sink) -> None:
    """Put the directory of the package that holds the tool into our cache (plugins need their companions)."""
    package = _package(tool).package
    if shutil.which("apt-get") is None or shutil.which("dpkg-deb") is None:
        hint = f"install it by your system's packages; Debian's is called {package}"
        raise ConfigurationError(f"missing on this machine: {tool.name}", hint=hint)
    cache_directory().mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=cache_directory(), prefix=".build-") as directory:
        # apt's own user may not enter our directory, about which apt would warn
        _apt(["download", package, "-o", "APT::Sandbox::User=root"], f"download {package}", sink, cwd=Path(directory))
        archive = next(Path(directory).glob("*.deb"))
        content = Path(directory) / "content"
        unpacked = process.run(["dpkg-deb", "--extract", archive, content], timeout=300)
        if not unpacked.ok:
            why = unpacked.stderr.decode("utf-8", "replace").strip()
            raise DeployError(f"the package {package} cannot be unpacked", why=why)
        executable = _executable(content, tool.names[0])
        if executable is None:
            raise DeployError(f"the package {package} has no {tool.names[0]}")
        version = ask_version(tool, executable)
        if version is None or not tool.fits(version) or (tool.static and not is_static(executable)):
            raise ConfigurationError(
                f"{tool.name} of this system's package {package} does not fit",
                why=f"it is {version or 'of unknown version'}",
                hint=f"put {tool.name} {tool.needed} on PATH".rstrip(),
            )
        final = cached_path(tool).parent
        if executable.parent.name in ("bin", "sbin"):
            for other in executable.parent.iterdir():
                if other != executable:
                    other.unlink()
        shutil.rmtree(final, ignore_errors=True)
        final.parent.mkdir(parents=True, exist_ok=True)
        executable.parent.replace(final)


def _executable(content: Path, name: str) -> Path | None:
    """The program in an unpacked package. Below etc/ a script that starts it as a service may have the same name."""
    for path in sorted(content.rglob(name)):
        if "etc" not in path.relative_to(content).parts and path.is_file() and os.access(path, os.X_OK):
            return path
    return None


def _apt(arguments: Sequence[str], phase: str, sink: Sink, cwd: Path | None = None) -> None:
    """Run apt-get, and once more with fresh package lists when these prove to be missing or stale."""
    sink.emit(PhaseStarted(phase))
    begun = time.monotonic()
    failed = True
    try:
        last = _run(arguments, sink, cwd)
        if last is not None and any(sign in line for line in last for sign in _STALE_LISTS) and os.geteuid() == 0:
            last = _run(["update"], sink, cwd) or _run(arguments, sink, cwd)
        if last is not None:
            raise UnreachableError(
                f"could not {phase}",
                why="\n".join(line for line in last if line.startswith(("E:", "W:"))) or "\n".join(last),
                hint="try `apt-get update` as root, and look at the machine's package sources",
            )
        failed = False
    finally:
        sink.emit(PhaseFinished(phase, time.monotonic() - begun, failed=failed))


def _run(arguments: Sequence[str], sink: Sink, cwd: Path | None) -> tuple[str, ...] | None:
    """None when it succeeded, else its last lines."""
    environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive", "LC_ALL": "C"}
    last: deque[str] = deque(maxlen=12)
    with process.Stream([*_APT, *arguments], env=environment, cwd=cwd) as running:
        for line in running:
            last.append(line.text)
            sink.emit(OutputLine("apt-get", line.text))
    return None if running.returncode == 0 else tuple(last)


def _package(tool: Tool) -> DebianPackage:
    assert isinstance(tool.source, DebianPackage)  # noqa: S101 - the caller chose by this
    return tool.source
