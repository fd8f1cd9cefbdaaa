"""A stand-in for an API server on loopback: answers as a test says and remembers what it was asked."""

from __future__ import annotations

import json
import ssl
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from deployer.adapters.kubernetes import KubernetesCluster


@dataclass(frozen=True)
class Request:
    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass(frozen=True)
class Answer:
    status: int = 200
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)
    close: bool = False
    """Break the connection off instead of answering."""


class ApiServer:
    def __init__(self, answer: Callable[[Request], Answer], context: ssl.SSLContext | None) -> None:
        self.requests: list[Request] = []
        self.answer = answer
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def handle_any(self) -> None:
                url = urlsplit(self.path)
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                query = dict(parse_qsl(url.query))
                request = Request(self.command, url.path, query, dict(self.headers.items()), body)
                outer.requests.append(request)
                answer = outer.answer(request)
                if answer.close:
                    self.close_connection = True
                    return
                content = answer.body if isinstance(answer.body, bytes) else json.dumps(answer.body).encode()
                self.send_response_only(answer.status)
                if "Date" not in answer.headers:
                    self.send_header("Date", self.date_time_string())
                for name, value in answer.headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = handle_any  # noqa: N815

            def log_message(self, format: str, *arguments: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        if context:
            self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        scheme = "https" if context else "http"
        self.url = f"{scheme}://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01})
        self._thread.start()

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@contextmanager
def serving(answer: Callable[[Request], Answer], context: ssl.SSLContext | None = None) -> Iterator[ApiServer]:
    server = ApiServer(answer, context)
    try:
        yield server
    finally:
        server.stop()


def kubeconfig(
    url: str, user: Mapping[str, Any] | None = None, *, cluster: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    return {
        "current-context": "main",
        "clusters": [{"name": "c", "cluster": {"server": url, **(cluster or {})}}],
        "users": [{"name": "u", "user": dict(user or {"token": "token-1"})}],
        "contexts": [{"name": "main", "context": {"cluster": "c", "user": "u"}}],
    }


@contextmanager
def cluster(
    answer: Callable[[Request], Answer], user: Mapping[str, Any] | None = None, **options: Any
) -> Iterator[tuple[KubernetesCluster, ApiServer]]:
    """The adapter, and the server that it talks to."""
    with serving(answer) as server:
        made = KubernetesCluster(kubeconfig(server.url, user), namespace="here", **options)
        try:
            yield made, server
        finally:
            made.close()


def status(code: int, reason: str, message: str, **details: Any) -> Answer:
    body = {"kind": "Status", "reason": reason, "message": message, "details": details, "code": code}
    return Answer(code, body)
