from __future__ import annotations

import subprocess
import sys

import pytest

ARRIVES_IN_A_CALLBACK = """
import os, signal, time, weakref
from deployer.cli.application import _raise_on_signals

class Thing:
    def __del__(self):
        if destructor:
            arrive()

def arrive(*_):
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(0)

destructor = %r
_raise_on_signals()
thing = Thing()
reference = weakref.ref(thing, lambda _: None if destructor else arrive())
try:
    del thing
    time.sleep(20)
    print("not stopped")
except KeyboardInterrupt as stop:
    print("stopped by", stop.signal_number)
"""


@pytest.mark.parametrize("destructor", [False, True])
def test_a_signal_is_not_lost_where_python_swallows_exceptions(destructor: bool) -> None:
    done = subprocess.run(
        [sys.executable, "-c", ARRIVES_IN_A_CALLBACK % destructor], capture_output=True, text=True, check=False
    )
    assert (done.stdout, done.stderr) == ("stopped by 15\n", "")


ARRIVES_IN_AN_IMPORT = """
import signal, time
from types import SimpleNamespace
from deployer.cli.application import _raise_on_signals

_raise_on_signals()
importing = SimpleNamespace(f_code=SimpleNamespace(co_filename="<frozen importlib._bootstrap>"))
signal.getsignal(signal.SIGTERM)(signal.SIGTERM, importing)
print("goes on")
try:
    time.sleep(20)
    print("not stopped")
except KeyboardInterrupt as stop:
    print("stopped by", stop.signal_number)
"""


def test_a_signal_leaves_no_import_half_done() -> None:
    """The lock of all imports would be held for ever, had it just been taken."""
    done = subprocess.run([sys.executable, "-c", ARRIVES_IN_AN_IMPORT], capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("goes on\nstopped by 15\n", "")


ARRIVES_TWICE = """
import os, signal, time
from deployer.cli import application

application._TWICE = 3
application._raise_on_signals()
stopped = 0
for wait in (0, 0, 4):
    try:
        time.sleep(wait)
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(0)
    except KeyboardInterrupt:
        stopped += 1
print("stopped", stopped)
"""


def test_a_signal_that_timeout_sends_twice_is_one() -> None:
    """`timeout 600 deploy …` signals its child, and its process group; a second signal would end us at once."""
    done = subprocess.run([sys.executable, "-c", ARRIVES_TWICE], capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("stopped 2\n", "")
