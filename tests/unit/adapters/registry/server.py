"""An image registry on loopback: blobs and manifests in memory, a login of either kind, and faults as told."""

from __future__ import annotations

import base64
import hashlib
import itertools
import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

OCI_IMAGE = "application/vnd.oci.image.manifest.v1+json"
OCI_INDEX = "application/vnd.oci.image.index.v1+json"


def digest_of(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


class FakeRegistry:
    def __init__(self, port: int) -> None:
        self.host = f"127.0.0.1:{port}"
        self.blobs: dict[tuple[str, str], bytes] = {}
        self.manifests: dict[tuple[str, str], tuple[str, bytes]] = {}
        self.asked: list[tuple[str, str, str | None]] = []
        self.login: str | None = None  # "basic" or "bearer"
        self.password = "secret-1"
        self.tokens: set[str] = set()
        self.numbers = itertools.count()
        self.statuses: list[int] = []
        self.names_digest = True
        self.mounts = True
        self.elsewhere: str | None = None
        self.damaged: set[str] = set()

    def methods(self) -> list[str]:
        found = [f"{method} {urlsplit(path).path.split('/')[-2] or 'token'}" for method, path, _ in self.asked]
        self.asked.clear()
        return found

    def blob(self, repository: str, content: bytes) -> dict[str, Any]:
        self.blobs[repository, digest_of(content)] = content
        return {"digest": digest_of(content), "size": len(content), "mediaType": "application/octet-stream"}

    def image(self, repository: str, tag: str, *layers: bytes) -> str:
        config = self.blob(repository, json.dumps({"tag": tag}).encode())
        document = {"schemaVersion": 2, "config": config, "layers": [self.blob(repository, layer) for layer in layers]}
        return self.put(repository, tag, OCI_IMAGE, json.dumps(document).encode())

    def put(self, repository: str, tag: str, kind: str, content: bytes) -> str:
        for reference in (tag, digest_of(content)):
            self.manifests[repository, reference] = (kind, content)
        return digest_of(content)


@contextmanager
def registry() -> Iterator[FakeRegistry]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def handle_one(self) -> None:
            authorization = self.headers.get("Authorization")
            length = int(self.headers.get("Content-Length") or 0)
            body = self.rfile.read(length)
            state.asked.append((self.command, self.path, authorization))
            url = urlsplit(self.path)
            query = {key: values[0] for key, values in parse_qs(url.query).items()}
            basic = "Basic " + base64.b64encode(f"AWS:{state.password}".encode()).decode()
            if url.path == "/token":
                if authorization != basic:
                    return self.answer(401)
                token = f"token-{next(state.numbers)}-{query['scope']}"
                state.tokens.add(token)
                return self.answer(200, json.dumps({"token": token}).encode())
            if state.login == "basic" and authorization != basic:
                return self.answer(401, WWW_Authenticate='Basic realm="fake"')
            if state.login == "bearer" and (authorization or "").removeprefix("Bearer ") not in state.tokens:
                challenge = f'Bearer realm="http://{state.host}/token",service="fake",scope="{self.scope(url.path)}"'
                return self.answer(401, WWW_Authenticate=challenge)
            if state.statuses:
                error = {"errors": [{"code": "DENIED", "message": "not for you"}]}
                return self.answer(state.statuses.pop(0), json.dumps(error).encode())
            if match := re.fullmatch(r"/v2/(.+)/manifests/([^/]+)", url.path):
                return self.manifest(match[1], match[2], body)
            if match := re.fullmatch(r"/v2/(.+)/blobs/uploads/(\w*)", url.path):
                return self.upload(match[1], match[2], query, body)
            if match := re.fullmatch(r"/v2/(.+)/blobs/(sha256:\w+)", url.path):
                return self.blob(match[1], match[2])
            return self.answer(404)

        do_GET = do_HEAD = do_POST = do_PUT = handle_one  # noqa: N815

        def scope(self, path: str) -> str:
            name = re.split(r"/(manifests|blobs)/", path.removeprefix("/v2/"))[0]
            return f"repository:{name}:{'pull' if self.command in ('GET', 'HEAD') else 'pull,push'}"

        def manifest(self, repository: str, reference: str, body: bytes) -> None:
            if self.command == "PUT":
                digest = state.put(repository, reference, self.headers["Content-Type"], body)
                return self.answer(201, Docker_Content_Digest=digest)
            if (repository, reference) not in state.manifests:
                return self.answer(404)
            kind, content = state.manifests[repository, reference]
            assert kind in self.headers["Accept"]
            named = {"Docker_Content_Digest": digest_of(content)} if state.names_digest else {}
            return self.answer(200, content, Content_Type=kind, **named)

        def upload(self, repository: str, number: str, query: dict[str, str], body: bytes) -> None:
            if self.command == "POST":
                origin = state.blobs.get((query.get("from", ""), query.get("mount", "")))
                if origin is not None and state.mounts:
                    state.blobs[repository, query["mount"]] = origin
                    return self.answer(201)
                return self.answer(202, Location=f"/v2/{repository}/blobs/uploads/1?state=x")
            if digest_of(body) != query["digest"] or query["state"] != "x":
                return self.answer(400)
            state.blobs[repository, query["digest"]] = body
            return self.answer(201)

        def blob(self, repository: str, digest: str) -> None:
            content = state.blobs.get((repository, digest))
            if content is None:
                return self.answer(404)
            if self.command == "GET" and state.elsewhere:
                return self.answer(307, Location=f"http://{state.elsewhere}/v2/{repository}/blobs/{digest}")
            if digest in state.damaged:
                state.damaged.discard(digest)
                content = content[::-1]
            return self.answer(200, content)

        def answer(self, status: int, content: bytes = b"", **headers: str) -> None:
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name.replace("_", "-"), value)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(content)

        def log_message(self, format: str, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as http:
        http.daemon_threads = True
        state = FakeRegistry(http.server_port)
        thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield state
        finally:
            http.shutdown()
            thread.join()
