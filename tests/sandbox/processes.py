"""Every process of the machine, looked at again and again while the tool runs."""

from __future__ import annotations

import threading
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Seen:
    """A process that was seen. Pid and start time name it for ever."""

    pid: int
    started: str
    command: str

    @property
    def alive(self) -> bool:
        return _start_time(self.pid) == self.started


def _stat(pid: int | str) -> list[str]:
    """The fields of /proc/PID/stat from the third on (proc(5)); empty for a process that has gone, or is a zombie."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except (OSError, ValueError):
        return []
    fields = text.rpartition(")")[2].split()
    return [] if fields[0] == "Z" else fields


def _start_time(pid: int | str) -> str | None:
    fields = _stat(pid)
    return fields[19] if fields else None


class Watch:
    """Looks at all processes again and again while the block runs.

    `family` are the descendants of a process, also those that outlive it; `commands` are the arguments of every
    process of the machine, `environments` the variables of the family.
    """

    def __init__(self, pid: int, *, pause: float = 0.005) -> None:
        self.family: dict[int, Seen] = {}
        self.commands: set[bytes] = set()
        self.environments: set[bytes] = set()
        self.looks = 0
        self._pause = pause
        self._over = threading.Event()
        self._note(pid)
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Watch:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join(10)

    @property
    def orphans(self) -> list[Seen]:
        """Members of the family that are still there."""
        return [seen for seen in list(self.family.values()) if seen.alive]

    def _run(self) -> None:
        while not self._over.wait(self._pause):
            self._look()
            self.looks += 1

    def _look(self) -> None:
        pids = sorted(int(path.name) for path in Path("/proc").iterdir() if path.name.isdigit())
        for pid in pids:
            fields = _stat(pid)
            if fields and int(fields[1]) in self.family and pid not in self.family:
                self._note(pid)
            with suppress(OSError):
                self.commands.add(Path(f"/proc/{pid}/cmdline").read_bytes())
            if pid in self.family:
                with suppress(OSError):
                    self.environments.add(Path(f"/proc/{pid}/environ").read_bytes())

    def _note(self, pid: int) -> None:
        with suppress(OSError):
            command = Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode("utf-8", "replace")
            self.family[pid] = Seen(pid, _start_time(pid) or "", command)
