"""Ends the programs that we started when we cannot do so ourselves: after kill -9, or when the interpreter crashed."""

from __future__ import annotations

import contextlib
import os

# Learns of process groups on standard input, which ends when we do. What is left then gets SIGTERM, so that helm can
# write down that it was stopped, and half a minute later SIGKILL.
_SCRIPT = """
trap '' HUP INT TERM
groups=
while read -r sign group; do
    case $sign in
        +) groups="$groups $group" ;;
        -) kept=
           for each in $groups; do [ "$each" = "$group" ] || kept="$kept $each"; done
           groups=$kept ;;
    esac
done
for each in $groups; do kill -s TERM -- "-$each"; done
seconds=30
while [ -n "$groups" ]; do
    kept=
    for each in $groups; do kill -s 0 -- "-$each" && kept="$kept $each"; done
    groups=$kept
    [ -z "$groups" ] || { [ $((seconds -= 1)) -gt 0 ] && sleep 1; } || break
done
for each in $groups; do kill -s KILL -- "-$each"; done
"""


class Guardian:
    """A shell in a process group of its own, started when there is first something to watch over.

    Not safe to use from threads without a lock. Where it cannot be started, programs do without it.
    """

    def __init__(self) -> None:
        self.pid: int | None = None
        self._pipe: int | None = None

    def watch(self, group: int) -> None:
        """Take care of a process group, named by its leader's process id."""
        if self._pipe is None:
            with contextlib.suppress(OSError):
                self.pid, self._pipe = start(_SCRIPT, "deploy-guardian")
        self._tell(f"+ {group}\n")

    def release(self, group: int) -> None:
        """Forget a group that has ended: its number may soon be somebody else's."""
        self._tell(f"- {group}\n")

    def close(self) -> None:
        """End it, and what it still watches over: what our own end does by itself."""
        if self._pipe is not None:
            os.close(self._pipe)
            self._pipe = None

    def _tell(self, line: str) -> None:
        if self._pipe is not None:
            with contextlib.suppress(OSError):
                os.write(self._pipe, line.encode())


def start(script: str, *arguments: str) -> tuple[int, int]:
    """Start a shell that outlives us: its process id, and the writing end of its standard input, which no other
    program inherits. `arguments` are the script's, `$0` first. Raises OSError.
    """
    reading, writing = os.pipe()
    try:
        nowhere = [(os.POSIX_SPAWN_OPEN, number, os.devnull, os.O_WRONLY, 0) for number in (1, 2)]
        pid = os.posix_spawn(
            "/bin/sh",
            ["sh", "-c", script, *arguments],
            {"PATH": os.defpath},
            file_actions=[(os.POSIX_SPAWN_DUP2, reading, 0), *nowhere],
            setpgroup=0,
        )
    except OSError:
        os.close(writing)
        raise
    finally:
        os.close(reading)
    return pid, writing
