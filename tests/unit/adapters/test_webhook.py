from __future__ import annotations

import hashlib
import hmac
import json
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from deployer.adapters.slack import MaskedNotifier
from deployer.adapters.webhook import WebhookNotifier
from deployer.execute.ports import Announcement
from deployer.model import Secret, WebhookSettings

PASSWORD = "correct-horse-battery"
DONE = Announcement("done", report={"action": "rollback", "deployment": "20261121-1", "ok": True, "why": PASSWORD})


class Receiver:
    """Answers with each of `answers` in turn, the last one again and again."""

    def __init__(self) -> None:
        self.url = ""
        self.answers = [200]
        self.told: list[tuple[dict[str, str], bytes]] = []
        self.let_go = threading.Event()
        self.let_go.set()

    def settings(self, secret: str | None = None, path: str = "/hook/token-123") -> WebhookSettings:
        return WebhookSettings(Secret(self.url + path), Secret(secret) if secret else None)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    receiver = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            receiver.let_go.wait(20)
            receiver.told.append(({name.lower(): value for name, value in self.headers.items()}, body))
            self.send_response(receiver.answers.pop(0) if len(receiver.answers) > 1 else receiver.answers[0])
            self.send_header("Content-Length", "0")
            self.send_header("Location", "/elsewhere")
            self.end_headers()

        def log_message(self, *_: object) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
    receiver.url = f"http://127.0.0.1:{server.server_port}"
    yield receiver
    receiver.let_go.set()
    server.shutdown()
    server.server_close()


def test_the_report_is_posted_and_signed(receiver: Receiver) -> None:
    assert WebhookNotifier(receiver.settings("s3cret")).announce(DONE) is None
    ((headers, body),) = receiver.told
    assert json.loads(body) == DONE.report
    assert headers["x-deploy-event"] == "rollback"
    assert headers["x-deploy-delivery"] == "20261121-1"
    assert headers["content-type"] == "application/json"
    expected = hmac.new(b"s3cret", body, hashlib.sha256).hexdigest()
    assert headers["x-deploy-signature-256"] == f"sha256={expected}"


def test_without_a_secret_there_is_no_signature(receiver: Receiver) -> None:
    assert WebhookNotifier(receiver.settings()).announce(DONE) is None
    assert "x-deploy-signature-256" not in receiver.told[0][0]


def test_what_has_only_begun_is_not_posted(receiver: Receiver) -> None:
    assert WebhookNotifier(receiver.settings()).announce(Announcement("begun")) is None
    assert WebhookNotifier(WebhookSettings()).announce(DONE) is None
    assert receiver.told == []


def test_the_report_is_masked(receiver: Receiver) -> None:
    notifier = MaskedNotifier(WebhookNotifier(receiver.settings()), lambda text: text.replace(PASSWORD, "***"))
    assert notifier.announce(DONE) is None
    assert json.loads(receiver.told[0][1])["why"] == "***"


def test_a_failure_that_passes_is_tried_again(receiver: Receiver) -> None:
    receiver.answers = [503, 200]
    assert WebhookNotifier(receiver.settings()).announce(DONE) is None
    assert [headers["x-deploy-delivery"] for headers, _ in receiver.told] == ["20261121-1"] * 2


@pytest.mark.parametrize("status", [302, 401, 404])
def test_a_refusal_is_a_warning_that_does_not_show_the_url(receiver: Receiver, status: int) -> None:
    receiver.answers = [status]
    warning = WebhookNotifier(receiver.settings()).announce(DONE)
    assert warning == f"the webhook was not told: it answered HTTP {status}"
    assert len(receiver.told) == 1


def test_a_receiver_that_is_too_slow_is_left_behind(receiver: Receiver) -> None:
    receiver.let_go.clear()
    begun = time.monotonic()
    warning = WebhookNotifier(receiver.settings(), allowance=0.5).announce(DONE) or ""
    assert "did not answer" in warning
    assert time.monotonic() - begun < 5


@pytest.mark.parametrize("url", ["ftp://x/", "token-123", "http://", "http://[", "http://127.0.0.1:9/token-123"])
def test_a_url_that_cannot_work_is_a_warning(url: str) -> None:
    warning = WebhookNotifier(WebhookSettings(Secret(url)), allowance=0.2).announce(DONE) or ""
    assert warning.startswith("the webhook was not told: ")
    assert "token-123" not in warning


def test_settings_show_no_secret() -> None:
    settings: Any = WebhookSettings(Secret("https://x/token-123"), Secret("s3cret"))
    assert "token-123" not in repr(settings)
    assert "s3cret" not in repr(settings)
