"""Disks that are full, where each phase needs some room: the deployment says so, and the next one converges."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.faults.checks import converges, end, no_secret, told_well
from tests.faults.project import FaultyProject
from tests.sandbox.processes import Watch
from tests.sandbox.surroundings import Put, unique
from tests.sandbox.tool import Done

PAGE = 40_000
"""Bytes of a page that does not shrink: larger than the room that is left."""


@contextmanager
def disk(directory: Path, kilobytes: int) -> Iterator[Path]:
    """A disk of its own with so much room, gone afterwards: not mounted twice, not mounted any more."""
    directory.mkdir()
    mounted = Path("/proc/self/mounts").read_text().count(f" {directory} ")
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={kilobytes}k", "tmpfs", directory], check=True)
    try:
        yield directory
    finally:
        subprocess.run(["umount", directory], check=True)  # fails while anything still has a file open there
        assert Path("/proc/self/mounts").read_text().count(f" {directory} ") == mounted
        directory.rmdir()


def fill(directory: Path, leave: int) -> None:
    """Leave so many bytes, about."""
    free = os.statvfs(directory)
    size = free.f_bavail * free.f_frsize - leave
    with (directory / "filled").open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, size)


def strike(project: FaultyProject, *, environment: dict[str, str]) -> Done:
    project.write()
    running = project.start("local", "london", project.name, "--json", "-v", env=environment)
    with Watch(running.process.pid, pause=0.1) as watch:
        done = end(running, watch, 60)
    told_well(done)
    no_secret(project, watch, done)
    return done


def own_cache(project: FaultyProject, place: Path) -> dict[str, str]:
    """Have everything in a cache on this disk but the tools."""
    (place / "deployer").mkdir()
    for shared in ("tools", "venv", "sandbox"):
        (place / "deployer" / shared).symlink_to((project.cache / "deployer" / shared).resolve())
    return {"XDG_CACHE_HOME": str(place)}


@pytest.mark.parametrize("phase", ["artefacts", "build image"])
def test_a_cache_without_room(builder: FaultyProject, put: Put, phase: str) -> None:
    builder.values["GREETING"] = unique("greeting")
    builder.with_build(put(f"{unique()}.tgz", {"page": os.urandom(PAGE // 2).hex()}))
    if phase == "build image":  # the context is the artefact, which is linked, and this file
        builder.app["Docker"]["Files"]["more"] = "x" * PAGE
    before = builder.cluster.snapshot()
    with disk(builder.directory / "disk", 1024) as place:
        environment = own_cache(builder, place)
        if phase == "build image":
            builder.run("local", "london", builder.name, "--plan", env=environment)
        fill(place, PAGE // 4)
        done = strike(builder, environment=environment)
        (place / "filled").unlink()
        assert not list(place.glob("deployer/artefacts/contexts/*")), "a part of a Docker context is left"
    assert done.code == 1, done.output
    assert "space" in done.stderr, done.output
    assert builder.cluster.snapshot() == before
    no_secret(builder, None, converges(builder))


@pytest.mark.parametrize("room", [0, 4096])
def test_temporary_files_without_room(victim: FaultyProject, room: int) -> None:
    """Helm goes on without what it would keep there; what cannot go on says why."""
    victim.values["GREETING"] = unique("greeting")
    with disk(victim.directory / "disk", 64) as place:
        fill(place, room)
        done = strike(victim, environment={"TMPDIR": str(place)})
        assert [file.name for file in place.iterdir()] == ["filled"], "temporary files are left"
    assert done.code in (0, 1), done.output
    if done.code:
        assert "space" in done.stderr, done.output
    no_secret(victim, None, converges(victim, "unchanged" if done.code == 0 else "deployed"))
