"""The control groups of the sandbox's pods: made for the kubelets, emptied and removed when it goes down."""

from __future__ import annotations

import contextlib
import os
import time
from pathlib import Path

from deployer.sandbox.layout import CGROUP
from deployer.sandbox.procfs import end

ROOT = Path("/sys/fs/cgroup")


def is_unified() -> bool:
    """Whether this machine has cgroup v2 only."""
    return (ROOT / "cgroup.controllers").exists()


def hierarchies() -> list[Path]:
    """The mount points of all hierarchies: one with cgroup v2, one per controller with v1."""
    if is_unified():
        return [ROOT]
    found = set()
    for line in Path("/proc/self/mounts").read_text().splitlines():
        _, mount_point, kind, *_ = line.split()
        if kind in ("cgroup", "cgroup2"):
            found.add(Path(mount_point))
    return sorted(found)


def controllers() -> set[str]:
    """The controllers that this machine has."""
    if is_unified():
        return set((ROOT / "cgroup.controllers").read_text().split())
    lines = Path("/proc/cgroups").read_text().splitlines()[1:]
    enabled = {name for name, _, _, on in map(str.split, lines) if on == "1"}
    return enabled & {part for path in hierarchies() for part in path.name.split(",")}


def ensure(name: str) -> None:
    """Make the group `name` (such as `sandbox/london`) in every hierarchy, usable by a kubelet as its root."""
    for hierarchy in hierarchies():
        group = hierarchy
        for part in Path(name).parts:
            if is_unified():
                _delegate(group)
            parent, group = group, group / part
            group.mkdir(exist_ok=True)
            _inherit_cpuset(parent, group)


def _inherit_cpuset(parent: Path, group: Path) -> None:
    """With cgroup v1 a new cpuset is empty, and nothing can run in it."""
    for file in ("cpuset.cpus", "cpuset.mems"):
        if not is_unified() and (group / file).exists() and not (group / file).read_text().strip():
            (group / file).write_text((parent / file).read_text())


def _delegate(group: Path) -> None:
    """With cgroup v2 a group's children have only the controllers that it hands on."""
    wanted = (group / "cgroup.controllers").read_text().split()
    for controller in wanted:
        with contextlib.suppress(OSError):
            (group / "cgroup.subtree_control").write_text(f"+{controller}")


def exists(name: str = CGROUP) -> bool:
    """Whether any hierarchy has the group."""
    return any((hierarchy / name).is_dir() for hierarchy in hierarchies())


def members(name: str) -> set[int]:
    """The processes in the group and all below it."""
    pids: set[int] = set()
    for hierarchy in hierarchies():
        for directory, _, _ in os.walk(hierarchy / name):
            with contextlib.suppress(OSError):
                pids.update(map(int, (Path(directory) / "cgroup.procs").read_text().split()))
    pids.discard(0)
    return pids


def kill(name: str) -> int:
    """End every process in the group at once; how many there were."""
    ended = 0
    while pids := members(name):  # a process that forks may slip through the first time
        end(sorted(pids), grace=0)
        ended += len(pids)
    return ended


def remove(name: str = CGROUP) -> None:
    """Remove the group and all below it. The kernel may hold one for a moment after its last process ended."""
    for hierarchy in hierarchies():
        for directory, _, _ in os.walk(hierarchy / name, topdown=False):
            for _ in range(50):
                try:
                    Path(directory).rmdir()
                except FileNotFoundError:
                    break
                except OSError:
                    time.sleep(0.02)
                else:
                    break
