"""Runs the tool on a machine whose clock is wrong, as far as the tool's own process can tell."""

from __future__ import annotations

import os
from pathlib import Path

_SHIM = """
import datetime, os, time

_shift = float(os.environ["CLOCK_SHIFT"])
_time, _time_ns, _gettime, _real = time.time, time.time_ns, time.clock_gettime, datetime.datetime


class _Kind(type):
    def __instancecheck__(cls, thing):
        return isinstance(thing, _real)

    def __subclasscheck__(cls, kind):
        return issubclass(kind, _real)


class _Shifted(_real, metaclass=_Kind):
    @classmethod
    def now(cls, tz=None):
        return _real.fromtimestamp(time.time(), tz)

    @classmethod
    def utcnow(cls):
        return _real.fromtimestamp(time.time(), datetime.timezone.utc).replace(tzinfo=None)


time.time = lambda: _time() + _shift
time.time_ns = lambda: _time_ns() + int(_shift * 1e9)
time.clock_gettime = lambda clock: _gettime(clock) + (_shift if clock == time.CLOCK_REALTIME else 0)
datetime.datetime = _Shifted
"""


def shifted(directory: Path, seconds: float, python_path: str) -> dict[str, str]:
    """The environment in which every Python believes that it is so many seconds later."""
    place = directory / "clock"
    place.mkdir(exist_ok=True)
    (place / "sitecustomize.py").write_text(_SHIM)
    return {"PYTHONPATH": os.pathsep.join((str(place), python_path)), "CLOCK_SHIFT": str(seconds)}
