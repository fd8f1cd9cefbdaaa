"""Holds the locks of the releases whose DNS is written without a deployment."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from threading import Event

from deployer.errors import HeldError
from deployer.execute.dns.site import Site
from deployer.execute.everywhere import ask_each, refuse
from deployer.execute.ports import HeldLock
from deployer.model import Holder


@contextmanager
def locked(sites: Sequence[Site], holder: Holder, stop: Event) -> Iterator[Callable[[], None]]:
    """Keep deployments and removals away from these targets; gives what is to be called before each change.

    `stop` is set when a lock is lost, and the call raises HeldError then. Raises HeldError where somebody else is at
    work, UnreachableError where that cannot be found out; nobody is waited for.
    """
    lost: list[Site] = []

    def take(site: Site) -> HeldLock:
        def lose() -> None:
            lost.append(site)
            stop.set()

        return site.ports.locks.acquire(
            site.app.app_name,
            site.settings.namespace,
            holder,
            wait=0,
            waiting=lambda _: None,
            lost=lose,
            stop=stop,
        )

    def confirm() -> None:
        if lost:
            raise HeldError(
                f"the lock of {lost[0].app.app_name} was lost",
                where=lost[0].target.environment,
                hint="nothing more is changed; the same command goes on with what is left",
            )

    with ExitStack() as stack:
        answers = ask_each([(site.target, partial(take, site)) for site in sites])
        for lock in answers.given:
            stack.callback(lock.release)
        refuse([site.target for site in sites], answers.failures)
        yield confirm
