from __future__ import annotations

import io
import json
import tarfile
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from deployer.adapters.docker.classic import build_with_engine
from deployer.adapters.docker.output import Output
from deployer.events import Silence
from deployer.execute.image_ports import BuildRequest
from deployer.masking import Masker

from .test_builder import IMAGE, PushTarget


@pytest.fixture
def contexts(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[bytes]]:
    """The contexts that an engine is given to build."""
    given: list[bytes] = []

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self._answer({"ApiVersion": "1.43"})

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"] or 0))
            if "/build?" in self.path:
                given.append(body)
            self._answer({"stream": "done\n"})

        def _answer(self, document: object) -> None:
            content = json.dumps(document).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None: ...

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        monkeypatch.setenv("DOCKER_HOST", f"tcp://127.0.0.1:{server.server_port}")
        yield given
        server.shutdown()


def test_the_engine_is_given_all_that_is_in_the_context(tmp_path: Path, contexts: list[bytes]) -> None:
    """What docker-py would make of the ignore file is not asked: it reads upper case like lower case."""
    files = {"Dockerfile": "FROM scratch", ".dockerignore": "readme.md\n*/x.log\n!**/x.log\n", "README.md": "x"}
    for name, text in {**files, "a/x.log": "y"}.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    build_with_engine(BuildRequest(tmp_path, IMAGE), PushTarget(), Output(Silence(), Masker()))
    (context,) = contexts
    with tarfile.open(fileobj=io.BytesIO(context)) as tar:
        found = {member.name: tar.extractfile(member) for member in tar if member.isfile()}
        assert {name: file.read().decode() for name, file in found.items() if file} == {**files, "a/x.log": "y"}
