"""A web server on loopback that misbehaves as told, and remembers what it was asked."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class Resource:
    """`breaks`: after how many bytes the connection is cut, one entry per request; `statuses`: answered first."""

    content: bytes = b""
    etag: str | None = '"1"'
    date: str | None = None
    headers: dict[str, str] = field(default_factory=dict)
    location: str | None = None
    ranges: bool = True
    chunked: bool = False
    head: int = 200
    breaks: list[int] = field(default_factory=list)
    statuses: list[int] = field(default_factory=list)


@dataclass(frozen=True)
class Asked:
    method: str
    path: str
    headers: dict[str, str]


class Server:
    def __init__(self, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}"
        self.resources: dict[str, Resource] = {}
        self.asked: list[Asked] = []

    def put(self, path: str, content: bytes = b"", **behaviour: object) -> Resource:
        resource = self.resources[path] = Resource(content)
        for name, value in behaviour.items():
            setattr(resource, name, value)
        return resource

    def methods(self) -> list[str]:
        """The methods asked since the last call."""
        found = [asked.method for asked in self.asked]
        self.asked.clear()
        return found


@contextmanager
def serving() -> Iterator[Server]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            path = self.path.partition("?")[0]
            server.asked.append(Asked(self.command, self.path, {k.lower(): v for k, v in self.headers.items()}))
            resource = server.resources.get(path)
            if resource is None:
                return self.answer(404)
            if resource.statuses:
                return self.answer(resource.statuses.pop(0), resource.headers)
            if resource.location:
                return self.answer(302, {"Location": resource.location})
            if self.command == "HEAD" and resource.head != 200:
                return self.answer(resource.head)
            return self.content(resource)

        do_HEAD = do_GET  # noqa: N815

        def content(self, resource: Resource) -> None:
            headers = dict(resource.headers)
            if resource.etag:
                headers["ETag"] = resource.etag
            if resource.date:
                headers["Last-Modified"] = resource.date
            if resource.etag and self.headers.get("If-None-Match") == resource.etag:
                return self.answer(304, headers)
            if "If-Match" in self.headers and self.headers["If-Match"] != resource.etag:
                return self.answer(412)
            body, status = resource.content, 200
            wanted = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
            condition = self.headers.get("If-Range")
            if wanted and resource.ranges and condition in (None, resource.etag, resource.date):
                start = int(wanted[1])
                if start >= len(body):
                    return self.answer(416)
                headers["Content-Range"] = f"bytes {start}-{len(body) - 1}/{len(body)}"
                body, status = body[start:], 206
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header(
                *(("Transfer-Encoding", "chunked") if resource.chunked else ("Content-Length", str(len(body))))
            )
            self.end_headers()
            if self.command == "HEAD":
                return None
            if resource.breaks:
                self.wfile.write(body[: resource.breaks.pop(0)])
                self.close_connection = True
            elif resource.chunked:
                self.wfile.write(b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body))
            else:
                self.wfile.write(body)
            return None

        def answer(self, status: int, headers: dict[str, str] | None = None) -> None:
            self.send_response(status)
            for name, value in (headers or {}).items():
                self.send_header(name, value)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as http:
        http.daemon_threads = True
        server = Server(http.server_port)
        thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server
        finally:
            http.shutdown()
            thread.join()
