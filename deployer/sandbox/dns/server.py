"""A name server on UDP and TCP."""

from __future__ import annotations

import asyncio
import contextlib
import struct
from collections.abc import AsyncIterator, Callable
from typing import cast

from deployer.sandbox.dns.answers import View
from deployer.sandbox.dns.wire import reply

_IDLE = 10.0
"""Seconds that a TCP connection may be silent."""

Look = Callable[[], View | None]
"""What is known now."""


class _Datagrams(asyncio.DatagramProtocol):
    def __init__(self, look: Look) -> None:
        self._look = look
        self._transport: asyncio.DatagramTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        answer = reply(self._look(), data, addr[0], stream=False)
        if answer is not None and self._transport is not None:
            self._transport.sendto(answer, addr)


@contextlib.asynccontextmanager
async def serving(address: str, port: int, look: Look) -> AsyncIterator[int]:
    """Answer there, on UDP and TCP, as long as the block lasts; the port, also where `port` is 0."""

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        source = writer.get_extra_info("peername")[0]
        try:
            while True:
                async with asyncio.timeout(_IDLE):
                    (length,) = struct.unpack("!H", await reader.readexactly(2))
                    answer = reply(look(), await reader.readexactly(length), source, stream=True)
                if answer is None:
                    break
                writer.write(struct.pack("!H", len(answer)) + answer)
                await writer.drain()
        except (OSError, EOFError, TimeoutError):
            pass  # the client has gone, or says nothing
        finally:
            writer.close()

    server = await asyncio.start_server(connected, address, port)
    bound: int = server.sockets[0].getsockname()[1]
    loop = asyncio.get_running_loop()
    transport, _ = await loop.create_datagram_endpoint(lambda: _Datagrams(look), (address, bound))
    try:
        yield bound
    finally:
        transport.close()
        server.close()
