"""A TCP proxy in front of one service, which can be made to fail in the ways in which networks and services fail."""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Literal

HOST = "127.0.32.1"
"""A loopback address of its own: no outgoing connection can take a port that has to be opened again."""

Mode = Literal["pass", "refuse", "reset", "stall", "slow", "answer"]

_PIECE = 65536
_SLOW_PIECE = 2048
_SLOW_PAUSE = 0.3
_RESET = struct.pack("ii", 1, 0)


class Proxy:
    """Forwards connections to `upstream` (`host:port`), as long as its mode is "pass".

    refuse   nobody listens; open connections break
    reset    connections are accepted and break
    stall    connections stay open, and nothing more goes through in either direction
    slow     a few kilobytes a second
    answer   every request of HTTP is answered with `content`, an answer as it goes over the wire
    """

    def __init__(self, upstream: str, content: bytes = b"") -> None:
        host, _, port = upstream.rpartition(":")
        self._upstream = (host, int(port))
        self._content = content
        self._mode: Mode = "pass"
        self._changed = threading.Condition()
        self._open: set[socket.socket] = set()
        self._listener: socket.socket | None = None
        self._address = (HOST, 0)
        self.connections = 0
        self._listen()

    @property
    def address(self) -> str:
        return f"{self._address[0]}:{self._address[1]}"

    @contextmanager
    def failing(self, mode: Mode) -> Iterator[None]:
        """Fail in this way for the length of the block."""
        self.set(mode)
        try:
            yield
        finally:
            self.set("pass")

    def set(self, mode: Mode) -> None:
        with self._changed:
            self._mode = mode
            self._changed.notify_all()
        if mode == "refuse":
            self._close_listener()
        else:
            self._listen()
        if mode in ("refuse", "reset", "answer"):
            self._break_connections()

    def close(self) -> None:
        self.set("refuse")

    def _listen(self) -> None:
        if self._listener is None:
            self._listener = socket.create_server(self._address, backlog=128)
            self._address = self._listener.getsockname()
            threading.Thread(target=self._accept, args=(self._listener,), daemon=True).start()

    def _close_listener(self) -> None:
        listener, self._listener = self._listener, None
        if listener is not None:
            with suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)
            listener.close()

    def _break_connections(self) -> None:
        with self._changed:
            broken, self._open = self._open, set()
        for each in broken:
            _break(each)

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        match self._mode:
            case "refuse" | "reset":
                _break(client)
                return
            case "answer":
                self._answer(client)
                return
        try:
            server = socket.create_connection(self._upstream, timeout=10)
        except OSError:
            _break(client)
            return
        server.settimeout(None)
        for each in (client, server):
            each.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with self._changed:
            self._open |= {client, server}
        back = threading.Thread(target=self._pump, args=(server, client), daemon=True)
        back.start()
        self._pump(client, server)
        back.join()
        with self._changed:
            self._open -= {client, server}
        for each in (client, server):
            each.close()

    def _pump(self, source: socket.socket, sink: socket.socket) -> None:
        """One direction, to its end; the other one may still have something to say then."""
        try:
            while piece := source.recv(_SLOW_PIECE if self._mode == "slow" else _PIECE):
                with self._changed:
                    if self._mode == "slow":
                        self._changed.wait_for(lambda: self._mode != "slow", _SLOW_PAUSE)
                    self._changed.wait_for(lambda: self._mode != "stall")
                sink.sendall(piece)
            sink.shutdown(socket.SHUT_WR)
        except OSError:
            _break(source)
            _break(sink)

    def _answer(self, client: socket.socket) -> None:
        with suppress(OSError), client:
            client.settimeout(10)
            head = b""
            while b"\r\n\r\n" not in head and (piece := client.recv(_PIECE)):
                head += piece
            names, _, body = head.partition(b"\r\n\r\n")
            left = _length(names) - len(body)
            while left > 0 and (piece := client.recv(_PIECE)):
                left -= len(piece)
            client.sendall(self._content)


def _break(connection: socket.socket) -> None:
    """End it by a reset, and wake whoever waits for it."""
    with suppress(OSError):
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        connection.shutdown(socket.SHUT_RDWR)
    with suppress(OSError):
        connection.close()


def _length(head: bytes) -> int:
    for line in head.split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            return int(value)
    return 0


def http_answer(status: str, content_type: str, body: str) -> bytes:
    head = f"HTTP/1.1 {status}\r\nContent-Type: {content_type}\r\nContent-Length: {len(body)}\r\nConnection: close\r\n"
    return f"{head}x-amzn-RequestId: 00000000\r\n\r\n{body}".encode()


KMS_DENIES = http_answer(
    "400 Bad Request",
    "application/x-amz-json-1.1",
    '{"__type":"AccessDeniedException","Message":"User: arn:aws:iam::123456789012:user/somebody is not authorized to '
    'perform: kms:Decrypt on the resource because no identity-based policy allows the kms:Decrypt action"}',
)
S3_DENIES = http_answer(
    "403 Forbidden",
    "application/xml",
    '<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>AccessDenied</Code><Message>Access Denied</Message>'
    "<RequestId>00000000</RequestId><HostId>0</HostId></Error>",
)
"""The answers of AWS to who may not: https://docs.aws.amazon.com/kms/latest/APIReference/CommonErrors.html and
https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html"""
