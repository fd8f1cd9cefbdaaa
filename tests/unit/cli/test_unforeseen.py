"""What nobody has foreseen reaches standard error without a secret in it."""

from __future__ import annotations

import subprocess
import sys

import pytest

SECRET = "correct-horse-battery"
PROLOGUE = f"""
import gc, logging, sys, threading, warnings
from deployer.cli import application, unforeseen
from deployer.masking.seen import remember
remember({{"a": [{SECRET!r}, 12, True, None]}})
def fail(*_, **__):
    try:
        raise KeyError({SECRET!r})
    except KeyError as error:
        raise RuntimeError("it said {SECRET}") from error
class Lost:
    def __del__(self):
        fail()
unforeseen.tell_masked(debug="--debug" in sys.argv)
unforeseen.mask_logging()
"""
SCENES = {
    "a thread": "thread = threading.Thread(target=fail); thread.start(); thread.join()",
    "a destructor": "Lost(); gc.collect()",
    "a warning": f"warnings.simplefilter('always'); warnings.warn('it said {SECRET}')",
    "a library's log": f"logging.getLogger('urllib3').warning('it said %s', {SECRET!r})",
    "a defect": "application.application = fail; sys.exit(application.run(sys.argv[1:]))",
}


def said(scene: str, *arguments: str) -> str:
    command = [sys.executable, "-c", PROLOGUE + SCENES[scene], *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.stdout == ""
    return done.stderr


@pytest.mark.parametrize("scene", SCENES)
def test_with_debug_all_is_told_and_masked(scene: str) -> None:
    told = said(scene, "--debug")
    assert "it said ***" in told
    assert SECRET not in told


@pytest.mark.parametrize("scene", ["a thread", "a destructor", "a defect"])
def test_without_debug_no_traceback_is_told(scene: str) -> None:
    told = said(scene)
    assert "RuntimeError" in told
    assert "Traceback" not in told
    assert "it said" not in told
