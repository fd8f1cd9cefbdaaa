"""The two programs of the simulation.

aws ADDRESS PORT             moto, with Route 53's rules at its border
dns ADDRESS PORT ENDPOINT    name server and health checkers for the AWS endpoint there
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
import sys


async def _dns(address: str, port: int, endpoint: str) -> None:
    from deployer.sandbox.dns import feed
    from deployer.sandbox.dns.checkers import Checkers
    from deployer.sandbox.dns.server import serving

    checkers = Checkers()
    this = asyncio.current_task()
    if this is not None:
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, this.cancel)
    with contextlib.suppress(asyncio.CancelledError):
        async with serving(address, port, lambda: checkers.view), asyncio.TaskGroup() as work:
            work.create_task(feed.follow(endpoint, checkers))
            work.create_task(feed.report(endpoint, checkers))
    await checkers.close()


def main(arguments: list[str]) -> int:
    """Run one of the programs until it is ended."""
    match arguments:
        case ["aws", address, port]:
            from deployer.sandbox.dns import border

            signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
            border.serve(address, int(port))
        case ["dns", address, port, endpoint]:
            asyncio.run(_dns(address, int(port), endpoint))
        case _:
            print(__doc__, file=sys.stderr)  # noqa: T201
            return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
