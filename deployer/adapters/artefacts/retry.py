"""Another attempt after what may pass by itself."""

from __future__ import annotations

from collections.abc import Callable
from threading import Event
from typing import TYPE_CHECKING, TypeVar

from deployer.adapters.artefacts.remote import Transient

if TYPE_CHECKING:
    from tenacity import RetryCallState

T = TypeVar("T")

_LONGEST_PAUSE = 15.0


def with_attempts(work: Callable[[], T], *, stop: Event, pause: float, give_up: Callable[[int], bool]) -> T:
    """The result of `work`, tried again after Transient until `give_up` (told how often it was tried) says so.

    The first wait is up to `pause` seconds, at random, and doubles each time, or is as long as the server asks for.
    `stop` ends the waiting. Raises the last Transient.
    """
    try:
        return work()
    except Transient as error:
        if stop.is_set() or give_up(1):
            raise
        first = error

    from tenacity import Retrying, retry_if_exception_type, wait_random_exponential
    from tenacity.nap import sleep_using_event

    backoff = wait_random_exponential(multiplier=pause, max=_LONGEST_PAUSE)

    def wait(state: RetryCallState) -> float:
        error = state.outcome.exception() if state.outcome else None
        asked = error.after if isinstance(error, Transient) else None
        return max(backoff(state), asked or 0.0)

    stop.wait(max(pause, first.after or 0.0))
    return Retrying(
        retry=retry_if_exception_type(Transient),
        wait=wait,
        stop=lambda state: stop.is_set() or give_up(state.attempt_number + 1),
        sleep=sleep_using_event(stop),
        reraise=True,
    )(work)
