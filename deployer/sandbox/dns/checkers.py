"""The health checkers: in every region of theirs, each check at its interval; and the load balancers' own health."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from deployer.sandbox.dns.answers import View
from deployer.sandbox.dns.geography import client_region, region_address
from deployer.sandbox.dns.health import Checker, Endpoint, is_healthy, regions_of
from deployer.sandbox.dns.probe import Result, probe
from deployer.sandbox.dns.records import HealthCheck, LoadBalancer, State
from deployer.sandbox.layout import INGRESS_PORT

_BALANCER_INTERVAL = 2.0
_BALANCER_THRESHOLD = 2


class Checkers:
    """Checks what the last `adopt`ed state names. Lives in one event loop.

    The checkers of one region share one check: they would see the same, and a machine that is the whole world is small.
    """

    def __init__(self, port: int = INGRESS_PORT, wait: Callable[[float], Any] = asyncio.sleep) -> None:
        self._state = State()
        self._port = port
        self._wait = wait
        self._endpoints: dict[str, Endpoint] = {}
        self._balancers: dict[str, Checker] = {}
        self._tasks: dict[str, list[asyncio.Task[None]]] = {}
        self._unreported: set[str] = set()

    @property
    def view(self) -> View | None:
        """What the name servers answer from; None before the first state."""
        if not self._state.process:
            return None
        return View(self._state, self._healthy, self._balancer_healthy)

    def adopt(self, state: State) -> None:
        """Check what this state names from now on. What is known of a check is kept until its endpoint changes."""
        before, self._state = self._state, state
        if before.process != state.process:
            self._unreported |= self._endpoints.keys()
        for name in before.checks.keys() | state.checks.keys():
            old, new = before.checks.get(name), state.checks.get(name)
            if old is not None and new is not None and _same_endpoint(old, new):
                continue
            for task in self._tasks.pop(name, []):
                task.cancel()
            if new is None or new.disabled:
                self._endpoints.pop(name, None)
            else:
                self._start(new)
        for balancer in state.load_balancers.values():
            task_name = f"load balancers of {balancer.region}"
            if task_name not in self._tasks:
                self._tasks[task_name] = [asyncio.create_task(self._watch_balancer(balancer.region))]

    def news(self) -> dict[str, list[dict[str, Any]]]:
        """What was observed since the last call: health check → its observations."""
        names, self._unreported = self._unreported, set()
        known = {name: self._state.checks.get(name) for name in names}
        return {
            name: self._endpoints[name].observations(check)
            for name, check in known.items()
            if check is not None and name in self._endpoints
        }

    def report_again(self, names: set[str]) -> None:
        """Give these once more with the next `news`."""
        self._unreported |= names

    async def close(self) -> None:
        """End all checks."""
        tasks = [task for each in self._tasks.values() for task in each]
        self._tasks.clear()
        for task in tasks:
            task.cancel()
        for task in tasks:
            with contextlib.suppress(asyncio.CancelledError):
                await task

    def failed(self) -> BaseException | None:
        """Why a checker ended by itself, which is a defect; None while all is well."""
        done = (task for each in self._tasks.values() for task in each if task.done() and not task.cancelled())
        return next((task.exception() for task in done), None)

    def _start(self, check: HealthCheck) -> None:
        kept = self._endpoints.get(check.id, Endpoint()).checkers
        regions = regions_of(check)
        endpoint = Endpoint({region: kept.get(region, Checker()) for region in regions})
        self._endpoints[check.id] = endpoint
        self._tasks[check.id] = [
            asyncio.create_task(self._check(check, endpoint.checkers[region], check.interval * number / len(regions)))
            for number, region in enumerate(regions)
        ]

    async def _check(self, check: HealthCheck, checker: Checker, delay: float) -> None:
        await self._wait(delay)
        while True:
            result = await self._look(check)
            now = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
            checker.observe(result.passed, check.threshold, result.status, now)
            self._unreported.add(check.id)
            await self._wait(check.interval)

    async def _look(self, check: HealthCheck) -> Result:
        address = check.address
        view = self.view
        if address is None and check.host is not None and view is not None:
            answer = view.answer(check.host, "A", client_region("127.0.0.1"))
            address = next((record.values[0] for record in answer.records if record.type == "A"), None)
        return await probe(check, address)

    async def _watch_balancer(self, region: str) -> None:
        address = region_address(region)
        checker = self._balancers.setdefault(region, Checker())
        check = HealthCheck(region, "TCP", address=address, port=self._port)
        while address is not None:
            checker.observe((await probe(check, address)).passed, _BALANCER_THRESHOLD)
            await self._wait(_BALANCER_INTERVAL)

    def _healthy(self, name: str) -> bool:
        return is_healthy(self._state.checks.get(name), self._endpoints)

    def _balancer_healthy(self, balancer: LoadBalancer) -> bool:
        checker = self._balancers.get(balancer.region)
        return checker is None or checker.healthy


def _same_endpoint(old: HealthCheck, new: HealthCheck) -> bool:
    """Whether nothing changed but what is made of the observations."""
    return replace(old, inverted=new.inverted, version=new.version) == new
