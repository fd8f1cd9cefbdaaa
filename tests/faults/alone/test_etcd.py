"""The clusters' database stands still for a while in each phase that needs it: every deployment gets over that.

It stands still for every other test, too, so that these do not run beside any.
"""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from signal import SIGCONT, SIGSTOP

import pytest

from deployer.sandbox import processes
from deployer.sandbox.layout import current
from tests.faults.checks import converges, no_secret
from tests.faults.project import FaultyProject
from tests.sandbox.processes import Watch
from tests.sandbox.surroundings import unique

SECONDS = 4.0
GATE_OF = {"release": "hook", "rollout": "pods", "outside check": "outside"}
SAID_IN = {
    "compare": "compare …",
    "release": "] Job/",
    "rollout": "] Deployment/",
    "outside check": "] outside check …",
}


@contextmanager
def paused_etcd() -> Iterator[None]:
    """Whatever becomes of us meanwhile, it goes on soon."""
    record = processes.read(current(), "etcd")
    assert processes.is_alive(record)
    assert record is not None
    safety = subprocess.Popen(["sh", "-c", f"sleep {3 * SECONDS:.0f}; kill -CONT {record.pid}"], start_new_session=True)
    try:
        os.kill(record.pid, SIGSTOP)
        yield
    finally:
        os.kill(record.pid, SIGCONT)
        safety.terminate()
        safety.wait()


@pytest.mark.parametrize("phase", SAID_IN)
def test_etcd_that_stands_still(victim: FaultyProject, phase: str) -> None:
    victim.values["GREETING"] = unique("greeting")
    victim.write()
    gate = GATE_OF.get(phase)
    with victim.closed(gate) if gate else nullcontext():
        running = victim.start("local", "london", victim.name, "--json", "-v")
        with Watch(running.process.pid, pause=0.1) as watch:
            running.wait_for(SAID_IN[phase])
            with paused_etcd():
                time.sleep(SECONDS)
    done = running.done().expect(0)
    assert done.target["outcome"] == "deployed"
    no_secret(victim, watch, done, converges(victim, "unchanged"))
