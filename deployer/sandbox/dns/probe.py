"""One check of an endpoint, within the times that Route 53 allows."""

from __future__ import annotations

import asyncio
import http.client
import io
import ipaddress
import ssl
from dataclasses import dataclass
from typing import Any, cast

from deployer.sandbox.dns.records import HealthCheck

_CONNECT = 4.0
_CONNECT_TCP = 10.0
_RESPOND = 2.0
_BODY = 2.0
_SEARCHED = 5120
_LONGEST = 64 * 1024
_AGENT = "sandbox-route53-health-check"


@dataclass(frozen=True, slots=True)
class Result:
    """`status` begins with `Success:` or `Failure:`, as a StatusReport of GetHealthCheckStatus does."""

    passed: bool
    status: str


def failure(why: str) -> Result:
    """A check that failed."""
    return Result(False, f"Failure: {why}")


async def probe(check: HealthCheck, address: str | None) -> Result:
    """Check the endpoint at `address`; None: its name has no address."""
    if address is None:
        return failure(f"DNS resolution failed: {check.host} has no record of type A.")
    if not ipaddress.ip_address(address).is_loopback:
        return failure(f"The sandbox's health checkers go to no other machine. Resolved IP: {address}.")
    try:
        async with asyncio.timeout(_CONNECT_TCP if check.type == "TCP" else _CONNECT):
            reader, writer = await asyncio.open_connection(address, check.port)
    except TimeoutError:
        return failure(f"Connection timed out. Resolved IP: {address}.")
    except OSError as error:
        return failure(f"{error.strerror or error}. Resolved IP: {address}.")
    try:
        if check.type == "TCP":
            return Result(True, f"Success: TCP connection established. Resolved IP: {address}.")
        return await _request(check, address, reader, writer)
    except TimeoutError:
        return failure(f"The endpoint did not respond in time. Resolved IP: {address}.")
    except (OSError, EOFError, http.client.HTTPException, asyncio.LimitOverrunError) as error:
        return failure(f"{error or type(error).__name__}. Resolved IP: {address}.")
    finally:
        writer.close()


async def _request(
    check: HealthCheck, address: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> Result:
    async with asyncio.timeout(_RESPOND):
        if check.type.startswith("HTTPS"):
            await writer.start_tls(_trusting(), server_hostname=check.host if check.sni and check.host else "")
        writer.write(_text(check, address))
        await writer.drain()
        head = await reader.readuntil(b"\r\n\r\n")
    status = _response(head).status
    said = f"HTTP Status Code: {status}. Resolved IP: {address}."
    if not 200 <= status < 400:
        return failure(said)
    if check.search is None:
        return Result(True, f"Success: {said} OK")
    body = await _body(head, reader)
    if check.search.encode() in body:
        return Result(True, f"Success: {said} OK")
    return failure(f"{said} The search string is not in the first {_SEARCHED} bytes of the response body.")


def _text(check: HealthCheck, address: str) -> bytes:
    host = check.host or address
    if (check.port, check.type.startswith("HTTPS")) not in ((80, False), (443, True)):
        host = f"{host}:{check.port}"
    path = check.path if check.path.startswith("/") else f"/{check.path}"
    lines = [f"GET {path} HTTP/1.1", f"Host: {host}", f"User-Agent: {_AGENT}", "Accept: */*", "Connection: close"]
    return "".join(f"{line}\r\n" for line in [*lines, ""]).encode("latin-1", "replace")


async def _body(head: bytes, reader: asyncio.StreamReader) -> bytes:
    """The first bytes of the body, its transfer coding taken off; what has come when the time is over."""
    raw = bytearray()
    length = _response(head).length
    enough = _LONGEST if length is None else min(length, _SEARCHED)
    try:
        async with asyncio.timeout(_BODY):
            while len(raw) < enough and (more := await reader.read(_LONGEST)):
                raw += more
    except TimeoutError:
        pass
    try:
        return _response(head + bytes(raw)).read(_SEARCHED)
    except http.client.IncompleteRead as error:
        return error.partial[:_SEARCHED]


def _response(raw: bytes) -> http.client.HTTPResponse:
    """Its status and headers are read; its body is what follows them."""

    class Received:
        def makefile(self, mode: str) -> io.BytesIO:
            return io.BytesIO(raw)

    response = http.client.HTTPResponse(cast(Any, Received()), method="GET")
    response.begin()
    return response


def _trusting() -> ssl.SSLContext:
    """Route 53 does not validate certificates."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context
