"""Builds tools with Go, from small modules of ours that pin every source by its hash.

Each directory below `modules` is a Go module whose go.mod and go.sum name a tool and all that it is made from. It was
made with `go get -tool PACKAGE@VERSION` (kubernetes and traefik: with the replacements that their own go.mod has).
"""

from __future__ import annotations

import os
import shutil
import signal
import tempfile
import threading
import time
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from importlib.resources import as_file, files
from itertools import groupby
from pathlib import Path

from deployer.adapters import process
from deployer.errors import DeployError, InterruptedBySignal, UnreachableError
from deployer.events import OutputLine, PhaseFinished, PhaseStarted, Sink
from deployer.tools import go
from deployer.tools.catalogue import GoBuild, Tool
from deployer.tools.resolve import ask_version, cache_directory, cached_path

_GIBIBYTE = 2**30
_MEMORY_OF_ONE = 4 * _GIBIBYTE
"""What one build may need at its peak (linking the Kubernetes API server takes over 2 GB)."""

_TELL_EVERY = 2.0
"""Seconds between two lines of progress."""


def get(tools: Sequence[Tool], sink: Sink) -> list[DeployError]:
    """Build tools into the cache; the errors of those that could not be. The caller holds the machine's lock.

    Tools of one module are built one after the other, since they share most of what is compiled; modules at the same
    time where cores and memory allow. Go's own cache keeps what was compiled when we are interrupted.
    """
    for leftover in cache_directory().glob(".build-*"):  # ours is the only build: nobody works there any more
        shutil.rmtree(leftover, ignore_errors=True)
    modules = [list(group) for _, group in groupby(sorted(tools, key=_module), key=_module)]
    at_once = max(1, min(len(modules), (os.cpu_count() or 1) // 2, _available_memory() // _MEMORY_OF_ONE))
    errors: list[DeployError] = []
    stopping = threading.Event()

    def build_module(group: list[Tool]) -> None:
        try:
            go.check(_module(group[0]), _go_mod(group[0]))
            for tool in group:
                _build(tool, max(1, (os.cpu_count() or 1) // at_once), sink, stopping)
        except DeployError as error:
            errors.append(error)

    pool = ThreadPoolExecutor(at_once)
    try:
        for _ in pool.map(build_module, modules):
            pass
    except BaseException:
        pool.shutdown(wait=False, cancel_futures=True)
        stopping.set()
        process.stop_all()
        raise
    finally:
        pool.shutdown()
    return errors


def install(tool: Tool, executable: Path) -> Path:
    """Put an executable into the cache, once it has proved to be this tool in this version; where it is then."""
    version = ask_version(tool, executable)
    if version is None or (tool.version is not None and version != tool.version):
        said = f"it calls itself {version}" if version else "it does not tell its version"
        raise DeployError(f"what was built is not {tool.name} {tool.version}", where=str(executable), why=said)
    final = cached_path(tool)
    final.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=cache_directory(), prefix=".build-") as directory:
        new = Path(directory) / final.name
        shutil.copyfile(executable, new)
        new.chmod(0o755)
        with new.open("rb") as file:
            os.fsync(file.fileno())  # else a power cut could leave the final name with an empty file
        new.replace(final)
    return final


def _build(tool: Tool, cores: int, sink: Sink, stopping: threading.Event) -> None:
    source = _source(tool)
    phase = f"build {tool.name} {tool.version}"
    sink.emit(PhaseStarted(phase))
    sink.emit(OutputLine(tool.name, f"built once on this machine, about {source.minutes:g} min on two cores"))
    begun = time.monotonic()
    failed = True
    try:
        with tempfile.TemporaryDirectory(dir=cache_directory(), prefix=".build-") as directory:
            work = Path(directory) / "module"
            with as_file(files("deployer.tools") / "modules" / source.module) as module:
                shutil.copytree(module, work)  # ours may be read-only, and Go wants to lock it
            executable = Path(directory) / tool.name
            argv = ["go", "build", "-v", "-mod=readonly", "-trimpath", f"-p={cores}", "-o", str(executable)]
            with process.Stream(
                [*argv, "-ldflags", f"-s -w {source.ldflags}".rstrip(), source.package],
                cwd=work,
                env=go.environment(),
            ) as running:
                if stopping.is_set():  # looked at after the start, which `stop_all` may have come just before
                    raise InterruptedBySignal(signal.SIGTERM)
                trouble = tuple(_watch(tool, running, sink))
            if running.returncode != 0:
                raise _failure(tool, running.returncode, trouble)
            install(tool, executable)
        failed = False
    except OSError as error:
        raise DeployError(
            f"{tool.name} cannot be built", where=str(error.filename or ""), why=error.strerror
        ) from error
    finally:
        sink.emit(PhaseFinished(phase, time.monotonic() - begun, failed=failed))


def _watch(tool: Tool, running: process.Stream, sink: Sink) -> Iterator[str]:
    """Tell how far the build is; yields its last lines that are not mere progress."""
    compiled = 0
    told = time.monotonic()
    trouble: deque[str] = deque(maxlen=12)
    for line in running:
        text = line.text.strip()
        if text.startswith("go: downloading "):
            progress = text.removeprefix("go: ")
        elif text and " " not in text:
            compiled += 1
            progress = f"{compiled} packages compiled, now {text}"
        else:
            trouble.append(text)
            continue
        if time.monotonic() - told >= _TELL_EVERY:
            told = time.monotonic()
            sink.emit(OutputLine(tool.name, progress))
    yield from trouble


_NETWORK = (
    "dial tcp",
    "no such host",
    "i/o timeout",
    "proxyconnect",
    "tls:",
    "x509:",
    "Bad Gateway",
    "Forbidden",
    "Not Found",
)


def _failure(tool: Tool, status: int | None, trouble: Sequence[str]) -> DeployError:
    what = f"{tool.name} {tool.version} could not be built"
    why = "\n".join(trouble) or f"go build ended with status {status}"
    instead = f"or put {tool.name} {tool.needed} on PATH"
    if any(sign in why for sign in _NETWORK):
        hint = f"let this machine reach Go's module proxy (`go env GOPROXY` names it), {instead}"
        return UnreachableError(what, why=why, hint=hint)
    if "no space left" in why:
        return DeployError(
            what, why="no space is left on the disk", hint="`go env GOCACHE` is what grows; 5 GB are needed"
        )
    if "signal: killed" in why:
        return DeployError(
            what, why="the system killed the build, probably for lack of memory", hint=f"have 4 GB free, {instead}"
        )
    if "SECURITY ERROR" in why or "checksum mismatch" in why:
        return DeployError(
            what, why=why, hint="what was downloaded is not what this tool was pinned to; look at GOPROXY"
        )
    return DeployError(what, why=why, hint=f"mend what Go complains about, {instead}")


def _source(tool: Tool) -> GoBuild:
    assert isinstance(tool.source, GoBuild)  # noqa: S101 - the caller chose by this
    return tool.source


def _module(tool: Tool) -> str:
    return _source(tool).module


def _go_mod(tool: Tool) -> str:
    return (files("deployer.tools") / "modules" / _module(tool) / "go.mod").read_text("utf-8")


def _available_memory() -> int:
    """Bytes that can be had without swapping (proc(5)); where the system does not say, enough for one build."""
    try:
        for line in Path("/proc/meminfo").read_text().splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    except (OSError, ValueError, IndexError):
        pass
    return _MEMORY_OF_ONE
