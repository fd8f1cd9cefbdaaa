"""A hard limit on how long a call may take, whatever it waits for."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class _Call(Generic[T]):
    def __init__(self, work: Callable[[], T]) -> None:
        self._work = work
        self.result: T
        self.error: BaseException | None = None

    def run(self) -> None:
        try:
            self.result = self._work()
        except BaseException as error:  # noqa: BLE001 - raised again by the caller
            self.error = error


def call_within(seconds: float, work: Callable[[], T]) -> T:
    """The result of `work`, or its exception; TimeoutError when it takes longer than `seconds`.

    A call that is too slow is left behind in a daemon thread, which neither keeps the process alive nor is waited for:
    socket timeouts do not suffice, since a server may send a byte now and then, and looking up a name has none.
    """
    call = _Call(work)
    thread = threading.Thread(target=call.run, daemon=True)
    thread.start()
    thread.join(max(0.0, seconds))
    if thread.is_alive():
        raise TimeoutError(f"no answer within {seconds:g} s")
    if call.error is not None:
        raise call.error
    return call.result
