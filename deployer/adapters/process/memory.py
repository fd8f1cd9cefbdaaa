"""A private directory in memory, for the moments in which a program must have plaintext in a file."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from deployer.adapters.process.guardian import start
from deployer.errors import ConfigurationError

_IN_MEMORY = frozenset({"tmpfs", "ramfs"})
_MOUNTS = Path("/proc/self/mountinfo")

# Standard input ends when we do, however that happens. What is told on it is the program that has the files open.
_SCRIPT = """
trap '' HUP INT TERM
program=
while read -r sign pid; do
    case $sign in +) program=$pid ;; -) program= ;; esac
done
if [ -n "$program" ] && kill -s TERM -- "$program"; then
    sleep 1
    kill -s KILL -- "$program"
fi
for attempt in 1 2 3; do rm -rf -- "$1" && exit; sleep 1; done
"""


class MemoryDirectory:
    """A directory that only this user can read, on storage that is memory; gone afterwards, also after kill -9.

    Use it in a `with` block, which gives its path. `watch` tells which program has files in it open: that one is ended
    first where we cannot do so. Raises ConfigurationError where this machine has no such storage.
    """

    def __init__(self, environ: Mapping[str, str] | None = None) -> None:
        self._environ = os.environ if environ is None else environ
        self._path: Path | None = None
        self._pipe: int | None = None

    def __enter__(self) -> Path:
        base = _storage(self._environ)
        self._path = Path(tempfile.mkdtemp(prefix="deploy-", dir=base))  # 0700
        with contextlib.suppress(OSError):  # no shell: it is still removed by us
            _, self._pipe = start(_SCRIPT, "deploy-guardian", os.fspath(self._path))
        return self._path

    def __exit__(self, *_: object) -> None:
        try:
            if self._path is not None:
                shutil.rmtree(self._path, ignore_errors=True)
        finally:
            if self._pipe is not None:
                os.close(self._pipe)
                self._pipe = None

    @contextlib.contextmanager
    def watch(self) -> Iterator[Callable[[int], None]]:
        """Gives what is to be called with the program's process id; it is forgotten at the end of the block."""
        try:
            yield lambda pid: self._tell(f"+ {pid}\n")
        finally:
            self._tell("- 0\n")

    def _tell(self, line: str) -> None:
        if self._pipe is not None:
            with contextlib.suppress(OSError):
                os.write(self._pipe, line.encode())


def _storage(environ: Mapping[str, str]) -> Path:
    """The first usual place that is memory and lets us write."""
    kinds = _kinds()
    for name in ("/dev/shm", environ.get("XDG_RUNTIME_DIR", ""), f"/run/user/{os.getuid()}"):  # noqa: S108
        path = Path(name).resolve() if name else None
        if path is not None and _kind(path, kinds) in _IN_MEMORY and os.access(path, os.W_OK | os.X_OK):
            return path
    raise ConfigurationError(
        "this machine has no storage in memory for plaintext",
        why="neither /dev/shm nor XDG_RUNTIME_DIR is a tmpfs that this user may write to",
        hint="`deploy secrets set` and `unset` change single values without it",
    )


def _kinds() -> dict[str, str]:
    """The file system of each mount point: `… MOUNT-POINT OPTIONS … - KIND SOURCE …` (proc_pid_mountinfo(5))."""
    kinds: dict[str, str] = {}
    with contextlib.suppress(OSError):
        for line in _MOUNTS.read_text(errors="replace").splitlines():
            fields, _, rest = line.partition(" - ")
            if len(parts := fields.split()) > 4 and rest:
                kinds[parts[4].replace("\\040", " ")] = rest.split()[0]  # a later mount hides an earlier one
    return kinds


def _kind(path: Path, kinds: Mapping[str, str]) -> str | None:
    if not path.is_dir():
        return None
    return next((kinds[str(place)] for place in (path, *path.parents) if str(place) in kinds), None)
