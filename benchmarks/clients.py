"""Clients that ask an app steadily, each led by DNS: the sandbox's simulation of Route 53."""

from __future__ import annotations

import http.client
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.measuring import Failed
from deployer.sandbox.layout import DNS_PORT, INGRESS_PORT, REGIONS, SHARED_ADDRESS

_PATIENCE = 5.0
_BY_ADDRESS = {region.address: region.name for region in REGIONS}
_BY_NAME = {region.name: region for region in REGIONS}


@dataclass(frozen=True, slots=True)
class Sent:
    """A request of a client near a region, sent at `at` (monotonic seconds) to where DNS led it."""

    at: float
    near: str
    to: str
    cached: bool
    well: bool


class Clients:
    """Use it as a context manager; `sent` grows meanwhile.

    Near each region there are `caching` clients that keep an answer for as long as its TTL says, their caches ending
    one after the other, and one that asks DNS before each request. Each sends a request every `every` seconds.
    """

    def __init__(self, host: str, path: str, regions: Sequence[str], *, caching: int, every: float) -> None:
        self.sent: list[Sent] = []
        self._host = host
        self._path = path
        self._every = every
        self._end = threading.Event()
        self._trouble: BaseException | None = None
        self._threads = [
            threading.Thread(target=self._run, args=(region, number / caching if number else None), daemon=True)
            for region in regions
            for number in range(caching + 1)
        ]

    def __enter__(self) -> Clients:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._end.set()
        for thread in self._threads:
            thread.join()

    def check(self) -> None:
        """Raise Failed when DNS did not answer a client: then nothing was measured."""
        if self._trouble is not None:
            raise Failed(f"the name server did not answer: {self._trouble}")

    def lost(self, since: float = 0.0) -> list[Sent]:
        """The requests that were not answered well."""
        return [one for one in self.sent if not one.well and one.at >= since]

    def _run(self, near: str, share: float | None) -> None:
        """`share`: of the TTL, for which the first answer is kept; None for a client without a cache."""
        address, expires, following = "", 0.0, time.monotonic()
        while not self._end.wait(max(0.0, following - time.monotonic())):
            now = time.monotonic()
            following = max(following + self._every, now)  # who waited long does not make up for it
            if now >= expires:
                try:
                    address, ttl = resolve(self._host, near)
                except (OSError, ValueError, LookupError) as error:
                    self._trouble = error
                    return
                if share is not None:
                    expires, share = now + ttl * share, 1.0
            self.sent.append(Sent(now, near, _BY_ADDRESS[address], share is not None, self._ask(address)))

    def _ask(self, address: str) -> bool:
        connection = http.client.HTTPConnection(address, INGRESS_PORT, timeout=_PATIENCE)
        try:
            connection.request("GET", self._path, headers={"Host": self._host})
            response = connection.getresponse()
            response.read()
            return response.status == 200
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()


def resolve(host: str, near: str) -> tuple[str, int]:
    """The address that a client near a region is given, and for how many seconds it may keep it.

    Raises OSError or ValueError when the name server does not answer well, LookupError when it gives no address.
    """
    import dns.exception
    import dns.message
    import dns.query

    try:
        query = dns.message.make_query(host, "A")
        answer = dns.query.udp(
            query, SHARED_ADDRESS, port=DNS_PORT, source=_BY_NAME[near].address, timeout=_PATIENCE
        ).answer
    except dns.exception.DNSException as error:
        raise ValueError(f"{type(error).__name__} {error}") from error
    for records in answer:
        for record in records:
            if (address := record.to_text()) in _BY_ADDRESS:
                return address, records.ttl
    raise LookupError(f"no address for {host}")
