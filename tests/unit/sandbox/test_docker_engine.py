"""Whose Docker engine images are built with."""

from __future__ import annotations

import json
import socketserver
import tempfile
import threading
from collections.abc import Iterator
from dataclasses import asdict
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest

from deployer.sandbox import processes
from deployer.sandbox.docker_engine import engine_health, ensure_engine, uses_foreign_engine
from deployer.sandbox.layout import Layout
from deployer.sandbox.processes import Machine, Record


class _Ping(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200 if self.path == "/_ping" else 404)
        self.end_headers()

    def address_string(self) -> str:
        return "unix"

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def layout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Layout]:
    with tempfile.TemporaryDirectory(dir="/tmp") as short:  # a socket's path may have 107 bytes
        monkeypatch.setattr(Layout, "docker_socket", property(lambda self: Path(short) / "docker.sock"))
        made = Layout(tmp_path / "state", tmp_path / "run")
        made.processes.mkdir(parents=True)
        yield made


@pytest.fixture
def foreign_engine(layout: Layout) -> Iterator[None]:
    with socketserver.ThreadingUnixStreamServer(str(layout.docker_socket), _Ping) as server:
        thread = threading.Thread(target=server.serve_forever, args=[0.01])
        thread.start()
        yield
        server.shutdown()
        thread.join()


def test_no_engine(layout: Layout) -> None:
    assert "does not answer" in str(engine_health(layout))
    assert not uses_foreign_engine(layout)


@pytest.mark.usefixtures("foreign_engine")
def test_the_machines_own_engine_is_used_and_one_of_ours_that_ended_is_forgotten(layout: Layout) -> None:
    ended = Record("docker", 2**22 - 1, 1, "an earlier boot", "")
    (layout.processes / "docker.json").write_text(json.dumps(asdict(ended)))
    assert uses_foreign_engine(layout)
    assert not ensure_engine(Machine(layout, {}))
    assert processes.names(layout) == []
