"""One check of an endpoint, against real servers on loopback."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import subprocess
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from deployer.sandbox.dns import probe as module
from deployer.sandbox.dns.probe import Result, probe
from deployer.sandbox.dns.records import HealthCheck
from tests.unit.sandbox.dns.world import says

Respond = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


def probed(respond: Respond, tls: ssl.SSLContext | None = None, **fields: Any) -> tuple[Result, HealthCheck]:
    async def story() -> tuple[Result, HealthCheck]:
        handlers = []
        reached = asyncio.Event()

        async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            handlers.append(asyncio.current_task())
            reached.set()
            with contextlib.suppress(OSError, EOFError):
                await respond(reader, writer)
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()

        server = await asyncio.start_server(connected, "127.0.0.1", 0, ssl=tls)
        async with server:
            port = server.sockets[0].getsockname()[1]
            check = HealthCheck("id", **{"type": "HTTP", "host": "app.deploy.test", "port": port, **fields})
            result = await probe(check, "127.0.0.1")
            await reached.wait()
            await asyncio.wait([task for task in handlers if task is not None])
            return result, check

    return asyncio.run(story())


def saying(answer: bytes, requests: list[bytes] | None = None) -> Respond:
    async def respond(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        request = await reader.readuntil(b"\r\n\r\n")
        if requests is not None:
            requests.append(request)
        writer.write(answer)
        await writer.drain()

    return respond


async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read()  # until the checker gives up


@says("H1")
@pytest.mark.parametrize(("status", "passed"), [(200, True), (302, True), (399, True), (400, False), (503, False)])
def test_the_status_decides(line: str, status: int, passed: bool) -> None:
    result, _ = probed(saying(f"HTTP/1.1 {status} Whatever\r\n\r\n".encode()))
    assert result.passed is passed
    assert result.status.startswith("Success: " if passed else "Failure: ")
    assert f"HTTP Status Code: {status}. Resolved IP: 127.0.0.1." in result.status


@says("H1")
def test_an_endpoint_that_takes_too_long(line: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert (module._CONNECT, module._RESPOND) == (4, 2)
    monkeypatch.setattr(module, "_RESPOND", 0.05)
    assert "did not respond in time" in probed(silent)[0].status

    async def never(*_: object) -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr(module, "_CONNECT", 0.05)
    monkeypatch.setattr(asyncio, "open_connection", never)
    check = HealthCheck("id", "HTTP", "app.deploy.test")
    assert "Connection timed out" in asyncio.run(probe(check, "127.0.0.1")).status


@says("H3")
def test_tcp_needs_a_connection_only(line: str, monkeypatch: pytest.MonkeyPatch) -> None:
    result, check = probed(silent, type="TCP")
    assert result.passed
    refused = asyncio.run(probe(check, "127.0.0.1"))
    assert not refused.passed
    assert "Connect" in refused.status
    assert module._CONNECT_TCP == 10


def body(content: bytes, head: bytes = b"") -> bytes:
    return b"HTTP/1.1 200 OK\r\n" + (head or b"Content-Length: %d\r\n" % len(content)) + b"\r\n" + content


@says("H2")
@pytest.mark.parametrize(
    ("answer", "passed"),
    [
        (body(b"all is Well here"), True),
        (body(b"all is well here"), False),  # case counts
        (body(b"x" * 5116 + b"Well"), True),
        (body(b"x" * 5117 + b"Well"), False),
        (body(b"Well"[:3]), False),
        (body(b"2\r\nWe\r\n2\r\nll\r\n0\r\n\r\n", b"Transfer-Encoding: chunked\r\n"), True),
        (body(b"Well", b"Connection: close\r\n"), True),  # no length: until the end
        (b"HTTP/1.1 500 No\r\nContent-Length: 4\r\n\r\nWell", False),
    ],
)
def test_the_search_string(line: str, answer: bytes, passed: bool) -> None:
    result, _ = probed(saying(answer), type="HTTP_STR_MATCH", search="Well")
    assert result.passed is passed


@says("H2")
def test_a_body_that_does_not_come(line: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async def half(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nWe")
        await silent(reader, writer)

    assert module._BODY == 2
    monkeypatch.setattr(module, "_BODY", 0.05)
    assert not probed(half, type="HTTP_STR_MATCH", search="Well")[0].passed


@says("H4")
def test_certificates_are_not_validated(line: str, tmp_path: Path) -> None:
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj", "/CN=somebody.else"]
    subprocess.run([*command, "-keyout", key, "-out", certificate], check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    for sni in (True, False):
        result, _ = probed(saying(OK), context, type="HTTPS", sni=sni)
        assert result.passed, result.status
    assert not probed(saying(OK), type="HTTPS")[0].passed


@says("H10")
def test_a_name_without_an_address(line: str) -> None:
    result = asyncio.run(probe(HealthCheck("id", "HTTP", "gone.deploy.test"), None))
    assert result == Result(False, "Failure: DNS resolution failed: gone.deploy.test has no record of type A.")


@says("H11")
def test_the_host_header(line: str) -> None:
    def host(port: int, type_: str, name: str | None = "app.deploy.test") -> bytes:
        request = module._text(HealthCheck("id", type_, name, "127.0.0.1", port, path="x?y=z"), "127.0.0.1")
        assert request.startswith(b"GET /x?y=z HTTP/1.1\r\n")
        return next(line for line in request.split(b"\r\n") if line.startswith(b"Host: "))[6:]

    assert host(80, "HTTP") == host(443, "HTTPS_STR_MATCH") == b"app.deploy.test"
    assert host(8080, "HTTP") == b"app.deploy.test:8080"
    assert host(443, "HTTP") == b"app.deploy.test:443"
    assert host(80, "HTTP", None) == b"127.0.0.1"


def test_no_other_machine_is_asked() -> None:
    result = asyncio.run(probe(HealthCheck("id", "HTTP", address="192.0.2.1"), "192.0.2.1"))
    assert not result.passed
    assert "go to no other machine" in result.status


@pytest.mark.parametrize(
    "answer", [b"", b"nonsense\r\n\r\n", b"HTTP/1.1 200", b"HTTP/1.1 2x0 OK\r\n\r\n", b"x" * 100_000]
)
def test_an_endpoint_that_answers_nonsense(answer: bytes) -> None:
    assert not probed(saying(answer))[0].passed


def test_the_request_arrives() -> None:
    requests: list[bytes] = []
    result, check = probed(saying(OK, requests), path="/health")
    assert result.passed
    assert requests[0].startswith(b"GET /health HTTP/1.1\r\nHost: app.deploy.test:%d\r\n" % check.port)
