"""Gets the tools that this machine lacks, once for all deployments: builds them, or takes them from Debian."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from deployer.errors import ConfigurationError, DeployError, raise_all
from deployer.events import OutputLine, Silence, Sink
from deployer.tools.catalogue import TOOLS, DebianPackage, GoBuild, Tool
from deployer.tools.resolve import cache_directory, candidates, find


def require(name: str, sink: Sink | None = None) -> Path:
    """The executable of a tool, which is built (or unpacked into our cache) when it is missing.

    Installs nothing on the system: raises ConfigurationError naming the package when that is what it takes.
    """
    return ensure([name], sink, install=False)[name]


def ensure(names: Iterable[str], sink: Sink | None = None, *, install: bool = True) -> Mapping[str, Path]:
    """The executables of several tools by name. What is missing is got first, and all that failed is raised together.

    `install` allows system packages to be installed where we are root on a Debian. Takes minutes when something is
    to be built: `sink` hears PhaseStarted, OutputLine and PhaseFinished of each tool. Other processes that want
    tools at the same time wait for this one. What Ctrl-C interrupts goes on where it was the next time.
    """
    sink = sink or Silence()
    wanted = {name: TOOLS[name] for name in names}
    found, missing = _split(wanted)
    if not missing:
        return found
    with only_one_per_machine(sink):
        found, missing = _split(wanted)  # somebody else may have got them while we waited
        errors = _get(missing, sink, install)
    if not errors:
        found, missing = _split(wanted)
        errors = [_unfit(tool) for tool in missing]
    raise_all(errors)
    return found


@contextmanager
def only_one_per_machine(sink: Sink) -> Iterator[None]:
    """Hold the lock of the tools' cache, waiting for it if need be. The system frees it however the holder ends."""
    import filelock

    directory = cache_directory()
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _unwritable(directory, error) from error
    lock = filelock.FileLock(directory / ".lock")
    try:
        try:
            lock.acquire(timeout=0)
        except filelock.Timeout:
            sink.emit(OutputLine("tools", "another process is preparing tools; waiting for it"))
            lock.acquire()
    except OSError as error:
        raise _unwritable(directory, error) from error
    try:
        yield
    finally:
        lock.release()


def _split(wanted: Mapping[str, Tool]) -> tuple[dict[str, Path], list[Tool]]:
    paths = {name: find(name) for name in wanted}
    found = {name: path for name, path in paths.items() if path}
    return found, [tool for name, tool in wanted.items() if name not in found]


def _get(missing: Sequence[Tool], sink: Sink, install: bool) -> list[DeployError]:
    from deployer.tools import apt, build

    errors: list[DeployError] = []
    packages = [tool for tool in missing if isinstance(tool.source, DebianPackage)]
    if packages:
        errors += apt.get(packages, sink, install=install)
    builds = [tool for tool in missing if isinstance(tool.source, GoBuild)]
    if builds:
        errors += build.get(builds, sink)
    return errors


def _unwritable(directory: Path, error: OSError) -> DeployError:
    return ConfigurationError(
        "the cache directory cannot be written",
        where=str(directory),
        why=error.strerror,
        hint="XDG_CACHE_HOME names another place for it",
    )


def _unfit(tool: Tool) -> DeployError:
    """Its package was installed, and yet nothing fits."""
    others = [f"{candidate.path} is {candidate.version or 'of unknown version'}" for candidate in candidates(tool)]
    return ConfigurationError(
        f"{tool.name} was not found in a version that fits",
        why="; ".join(others) or None,
        hint=f"install {tool.name} {tool.needed}".rstrip(),
    )
