"""Finds a tool: a fitting version on PATH, else the one in our cache."""

from __future__ import annotations

import json
import os
import struct
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from deployer.errors import DeployError
from deployer.tools.catalogue import TOOLS, DebianPackage, Tool

_SYSTEM_DIRECTORIES = ("/usr/local/sbin", "/usr/sbin", "/sbin", "/usr/local/bin", "/usr/bin", "/bin")
"""Searched after PATH, which leaves out the sbin directories for most users (and after `su`)."""

_ASKING = 10.0
"""Seconds that a program has to tell its version."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """An executable that might be the tool. `version` is None when it did not say; `fits`: it may be used."""

    path: Path
    version: str | None
    fits: bool
    origin: Literal["path", "cache"] = "path"


def cache_directory() -> Path:
    """Where built and unpacked tools are kept: `tools/` in the user's cache directory."""
    from platformdirs import user_cache_path

    # Resolved: a daemon of the sandbox that is started by another name of its program counts as another one.
    return (user_cache_path("deployer", appauthor=False) / "tools").resolve()


def cached_path(tool: Tool) -> Path:
    """Where the cache has, or would have, this tool in the version of the catalogue."""
    version = "debian" if isinstance(tool.source, DebianPackage) else tool.version or "any"
    return cache_directory() / tool.name / version / tool.names[0]


def find(name: str) -> Path | None:
    """The executable of a tool of the catalogue, None when this machine does not have it (in a fitting version)."""
    found = next((candidate for candidate in candidates(TOOLS[name]) if candidate.fits), None)
    return found.path if found else None


def candidates(tool: Tool) -> Iterator[Candidate]:
    """What might be the tool, best first, those that do not fit included.

    Each program on PATH is asked for its version once; the answer is remembered until the file changes.
    """
    for path in _on_path(tool):
        version = _version_of(tool, path)
        fits = version is not None and tool.fits(version) and (not tool.static or is_static(path))
        yield Candidate(path, version, fits)
    cached = cached_path(tool)
    if os.access(cached, os.X_OK):
        yield Candidate(cached, tool.version, fits=True, origin="cache")


def ask_version(tool: Tool, path: Path) -> str | None:
    """Start the program to learn its version; None when it does not start or does not say."""
    from deployer.adapters import process

    # No home: version commands of some tools read, or even write, the user's configuration there.
    environment = {"PATH": os.environ.get("PATH", ""), "HOME": tempfile.gettempdir(), "LC_ALL": "C"}
    with suppress(DeployError):
        result = process.run([path, *tool.ask], env=environment, timeout=_ASKING)
        return tool.version_in((result.stdout + b"\n" + result.stderr).decode("utf-8", "replace"))
    return None


def is_static(path: Path) -> bool:
    """Whether an ELF executable (64 bit) needs no dynamic linker: it has no PT_INTERP program header (elf(5))."""
    try:
        with path.open("rb") as file:
            head = file.read(64)
            if head[:5] != b"\x7fELF\x02":
                return False
            order = "<" if head[5] == 1 else ">"
            (offset,) = struct.unpack_from(f"{order}Q", head, 32)
            size, count = struct.unpack_from(f"{order}HH", head, 54)
            file.seek(offset)
            table = file.read(size * count)
            return all(struct.unpack_from(f"{order}I", table, index * size)[0] != 3 for index in range(count))
    except (OSError, struct.error):
        return False


def _on_path(tool: Tool) -> Iterator[Path]:
    places = [*os.get_exec_path(), *_SYSTEM_DIRECTORIES] if tool.on_path else []
    seen = set()
    home = os.environ.get("HOME", "/nowhere")
    for directory in (*places, *(named.replace("~", home) for named in tool.directories)):
        for name in tool.names:
            path = Path(directory) / name
            if path.is_absolute() and path.is_file() and os.access(path, os.X_OK):
                real = path.resolve()
                if real not in seen:
                    yield path
                seen.add(real)


def _version_of(tool: Tool, path: Path) -> str | None:
    try:
        status = path.stat()
        with path.open("rb") as file:
            script = file.read(2) == b"#!"
    except OSError:
        return None
    if script:  # a version manager's shim: what it starts may change while it does not
        return ask_version(tool, path)
    answers = cache_directory() / "versions.json"
    known = _read_json(answers)
    key = f"{tool.name} {path}"
    identity = [status.st_mtime_ns, status.st_size, status.st_ino]
    match known.get(key):
        case {"identity": recorded, "version": str(version)} if recorded == identity:
            return version
    found = ask_version(tool, path)
    if found is not None:
        _write_json(answers, {**_read_json(answers), key: {"identity": identity, "version": found}})
    return found


def _read_json(file: Path) -> dict[str, Any]:
    with suppress(OSError, ValueError):
        content = json.loads(file.read_bytes())
        if isinstance(content, dict):
            return content
    return {}


def _write_json(file: Path, content: Mapping[str, Any]) -> None:
    """Replace the file at once. When two do this at the same time, an answer gets lost and is asked for again."""
    with suppress(OSError):
        file.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile("w", dir=file.parent, prefix=".versions-", delete=False) as new:
            json.dump(content, new)
        Path(new.name).replace(file)
