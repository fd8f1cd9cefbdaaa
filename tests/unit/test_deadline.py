from __future__ import annotations

import threading

import pytest

from deployer.deadline import call_within


def test_the_result_and_the_error_of_the_call_come_through() -> None:
    assert call_within(5, lambda: 42) == 42
    with pytest.raises(KeyError, match="x"):
        call_within(5, lambda: dict[str, int]()["x"])


def test_a_call_that_hangs_is_left_behind() -> None:
    forever = threading.Event()
    with pytest.raises(TimeoutError, match=r"no answer within 0\.01 s"):
        call_within(0.01, forever.wait)
    forever.set()
