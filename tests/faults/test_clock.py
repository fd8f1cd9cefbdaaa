"""Machines whose clocks are wrong: locks go by the API server's, so none is stolen and none stays for ever."""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from signal import SIGKILL

import pytest

from tests.faults.checks import converges, lease, no_secret, told_well
from tests.faults.clock import shifted
from tests.faults.project import FaultyProject
from tests.sandbox.surroundings import CHECKOUT, unique
from tests.sandbox.tool import Running

RIGHT = 0.0
AHEAD, BEHIND = 7200.0, -7200.0
ANOTHER_MACHINE = 'echo "$0" > /proc/sys/kernel/hostname && exec "$@"'


def start(project: FaultyProject, shift: float, *options: str) -> Running:
    """Start a deployment on a machine of its own name, whose processes cannot be seen to live from any other."""
    environment = project.environment | shifted(project.directory, shift, str(CHECKOUT))
    command = [sys.executable, "-m", "deployer", "local", "london", project.name, "--json", "-v", *options]
    process = subprocess.Popen(
        ["unshare", "--uts", "sh", "-c", ANOTHER_MACHINE, f"machine{shift:+.0f}", *command],
        cwd=project.root,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    return Running(process)


@contextmanager
def holder(project: FaultyProject, shift: float) -> Iterator[Running]:
    """A deployment on a machine with this clock, which holds the lock until the block ends."""
    project.values["GREETING"] = unique("greeting")
    project.write()
    with project.closed("pods"):
        running = start(project, shift)
        running.wait_for("] Deployment/")
        yield running


def refused(project: FaultyProject, shift: float, by: float) -> None:
    """A deployment on a machine with this clock is refused, and told whose lock it is."""
    done = start(project, shift).done()
    assert done.code == 4, done.output
    told_well(done)
    assert f"machine{by:+.0f}" in done.stderr


@pytest.mark.parametrize("shift", [AHEAD, BEHIND])
def test_a_live_lock_is_not_stolen_by_a_wrong_clock(victim: FaultyProject, shift: float) -> None:
    with holder(victim, RIGHT) as running:
        refused(victim, shift, by=RIGHT)
    done = running.done().expect(0)
    assert done.target["outcome"] == "deployed"
    no_secret(victim, None, done, converges(victim, "unchanged"))


@pytest.mark.parametrize("shift", [AHEAD, BEHIND])
def test_a_lock_that_a_wrong_clock_left_expires(victim: FaultyProject, shift: float) -> None:
    with holder(victim, shift) as running:
        refused(victim, RIGHT, by=shift)
        held = lease(victim)
        assert held is not None
        age = (datetime.now(UTC) - datetime.fromisoformat(held["spec"]["renewTime"])).total_seconds()
        assert abs(age) < 30, f"the lock was renewed {age:.0f} s ago, by the wrong clock"
        running.signal(SIGKILL)
        assert running.done().code == -SIGKILL
        for left in victim.temporary.iterdir():  # nobody can tidy up after that
            shutil.rmtree(left)
    killed = time.monotonic()
    done = start(victim, RIGHT, "--lock-wait", "2m").done(120).expect(0)
    assert time.monotonic() - killed < 90
    assert done.target["outcome"] == "deployed"
    assert "took over the lock" in done.stderr, done.output
    no_secret(victim, None, done, converges(victim, "unchanged"))


@pytest.mark.parametrize("shift", [AHEAD, BEHIND])
def test_a_wrong_clock_does_not_keep_from_deploying(victim: FaultyProject, shift: float) -> None:
    victim.values["GREETING"] = unique("greeting")
    victim.write()
    done = start(victim, shift).done().expect(0)
    assert done.target["outcome"] == "deployed"
    converges(victim, "unchanged")
