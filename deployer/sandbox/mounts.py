"""The file systems that containerd, the kubelets and Docker mount: what kind they can be, and how to be rid of them."""

from __future__ import annotations

import ctypes
import os
import re
import shutil
from pathlib import Path

from deployer.errors import DeploymentFailed

_DETACH = 2  # MNT_DETACH of umount2(2): out of sight at once, freed when nobody uses it any more


def below(*directories: Path) -> list[tuple[Path, str]]:
    """Mount point and type of everything mounted below the directories, in the order in which it was mounted."""
    return [(point, kind) for point, kind in _all() if any(d in point.parents for d in directories)]


def unmount_below(*directories: Path) -> int:
    """Unmount everything mounted below the directories; how many mounts there were."""
    library = ctypes.CDLL(None, use_errno=True)
    found = below(*directories)
    for point, _ in reversed(found):
        if library.umount2(os.fsencode(point), _DETACH):
            raise DeploymentFailed(f"cannot unmount {point}", why=os.strerror(ctypes.get_errno()))
    return len(found)


def remove_tree(directory: Path) -> None:
    """Remove a directory of the sandbox. Refuses while something is mounted in it, since that may be anybody's."""
    if still := below(directory):
        raise DeploymentFailed(f"{directory} is not removed", why=f"{still[0][0]} is still mounted")
    if directory.exists():
        shutil.rmtree(directory)


def snapshotter(directory: Path) -> str:
    """How containerd may keep image layers in this directory: an overlay cannot lie upon another."""
    around = [(point, kind) for point, kind in _all() if point == directory or point in directory.parents]
    deepest = max(around, key=lambda mount: len(mount[0].parts), default=(directory, ""))
    return "native" if deepest[1] == "overlay" else "overlayfs"


def _all() -> list[tuple[Path, str]]:
    rows = (line.split(b" ") for line in Path("/proc/self/mounts").read_bytes().splitlines())
    return [(Path(os.fsdecode(_unescaped(point))), kind.decode()) for _, point, kind, *_ in rows]


def _unescaped(text: bytes) -> bytes:
    """Blanks and such are written as three octal digits: proc_pid_mounts(5)."""
    return re.sub(rb"\\([0-7]{3})", lambda found: bytes([int(found[1], 8)]), text)
