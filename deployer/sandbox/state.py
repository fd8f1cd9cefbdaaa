"""Whether the sandbox is up, at the cost of a few small reads: for commands that only need to know that."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from deployer.sandbox import files, processes, procfs
from deployer.sandbox.layout import SECRETS_FILES, Layout, current

State = Literal["never started", "up", "broken", "down"]
"""`broken`: it was brought up, and something that belongs to it does not run now (a crash, a reboot)."""


@dataclass(frozen=True, slots=True)
class Marker:
    """What was last asked for, and the processes that belong to it once that is reached: name → pid, start time."""

    wanted: Literal["up", "down"]
    boot: str = ""
    processes: Mapping[str, tuple[int, int]] = field(default_factory=dict)


def read_marker(layout: Layout) -> Marker | None:
    """The marker; None when the sandbox was never started. A damaged one says that it is not up any more."""
    try:
        content = json.loads(layout.marker.read_bytes())
        found = {name: (int(pid), int(start)) for name, (pid, start) in content["processes"].items()}
        return Marker("up" if content["wanted"] == "up" else "down", str(content["boot"]), found)
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return Marker("up")


def write_marker(layout: Layout, wanted: Literal["up", "down"], records: Iterable[processes.Record] = ()) -> None:
    """Remember what is asked for; with `records`, also that these processes are all of it."""
    layout.state.mkdir(parents=True, exist_ok=True)
    found = {record.name: (record.pid, record.start_time) for record in records}
    files.write(layout.marker, json.dumps({"wanted": wanted, "boot": procfs.boot_id(), "processes": found}))


ACCESS_FILE = ".sandbox/aws-process"
"""In a deployment repository: the process of the AWS endpoint whose keys its secrets were encrypted with."""


def aws_process(layout: Layout) -> str:
    """Names the process of the AWS endpoint, whose keys end with it; empty when there is none."""
    record = processes.read(layout, "aws")
    return f"{record.identity}\n" if record else ""


def has_access(repository_root: Path, layout: Layout | None = None) -> bool:
    """Whether `up` has written the repository's access to the sandbox as it runs now.

    A new clone lacks it although all runs; another clone's is outdated once the AWS endpoint has been started anew.
    """
    needed = [".sandbox/aws-config", ".sandbox/kubeconfig", *(f"group_vars/{name}" for name in SECRETS_FILES)]
    if not all((repository_root / name).is_file() for name in needed):
        return False
    try:
        return (repository_root / ACCESS_FILE).read_text() == aws_process(layout or current())
    except (OSError, UnicodeDecodeError):
        return False


def state(layout: Layout | None = None) -> State:
    """The sandbox' state, judged by its processes alone; `status` asks each part whether it is well."""
    layout = layout or current()
    marker = read_marker(layout)
    if marker is None:
        return "never started"
    if marker.wanted == "down":
        return "down"
    alive = (procfs.start_time(pid) == started for pid, started in marker.processes.values())
    return "up" if marker.processes and marker.boot == procfs.boot_id() and all(alive) else "broken"
