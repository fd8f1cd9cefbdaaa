from __future__ import annotations

import contextlib
import json
import logging
import re
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
import slack_sdk.web.client
import slack_sdk.webhook.client  # noqa: F401 - imported beforehand, lest its import count into a timeout

from deployer.adapters.slack import MaskedNotifier, SlackNotifier
from deployer.execute.ports import Announcement
from deployer.masking import Masker
from deployer.model import Secret, SlackSettings

TOKEN = "xoxb-12345-sekret"
STARTED = Announcement("myapp 0.0.2: started", ({"type": "divider"},))
DONE = Announcement("myapp 0.0.2: done", ({"type": "divider"}, {"type": "divider"}))

Answer = Callable[[BaseHTTPRequestHandler, dict[str, Any]], None]


@dataclass
class FakeSlack:
    """Slack's wire protocol on loopback, well behaved until told otherwise."""

    url: str = ""
    asked: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    authorization: set[str | None] = field(default_factory=set)
    answers: list[Answer] = field(default_factory=list)
    end: threading.Event = field(default_factory=threading.Event)

    def settings(self, **more: Any) -> SlackSettings:
        return SlackSettings(**{"token": Secret(TOKEN), "channel": "#team", "api_url": f"{self.url}/api", **more})

    def handle(self, request: BaseHTTPRequestHandler) -> None:
        body = json.loads(request.rfile.read(int(request.headers["Content-Length"])))
        self.asked.append((request.path, body))
        self.authorization.add(request.headers.get("Authorization"))
        answer = self.answers.pop(0) if self.answers else well
        with contextlib.suppress(ConnectionError):
            answer(request, body)


def reply(request: BaseHTTPRequestHandler, text: str, status: int = 200, **headers: str) -> None:
    content = text.encode()
    request.send_response(status)
    for name, value in {"Content-Type": "application/json", "Content-Length": str(len(content)), **headers}.items():
        request.send_header(name.replace("_", "-"), value)
    request.end_headers()
    request.wfile.write(content)


def well(request: BaseHTTPRequestHandler, body: dict[str, Any]) -> None:
    webhook = not request.path.startswith("/api")
    reply(request, "ok" if webhook else json.dumps({"ok": True, "channel": "C1", "ts": "1.5", "message": {}}))


def refuse(code: str, status: int = 200, **headers: str) -> Answer:
    return lambda request, body: reply(request, json.dumps({"ok": False, "error": code}), status, **headers)


def say(text: str, status: int = 200, **headers: str) -> Answer:
    return lambda request, body: reply(request, text, status, **headers)


def hang_up(request: BaseHTTPRequestHandler, body: dict[str, Any]) -> None:
    request.connection.close()


@pytest.fixture
def slack() -> Iterator[FakeSlack]:
    fake = FakeSlack()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            fake.handle(self)

        def log_message(self, *arguments: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        fake.url = f"http://127.0.0.1:{server.server_port}"
        yield fake
        fake.end.set()
        server.shutdown()
        thread.join()


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy"):
        monkeypatch.delenv(name, raising=False)


def test_one_message_is_sent_and_then_updated(slack: FakeSlack) -> None:
    notifier = SlackNotifier(slack.settings())
    assert notifier.announce(STARTED) is None
    assert notifier.announce(DONE) is None
    (first, sent), (second, updated) = slack.asked
    assert (first, second) == ("/api/chat.postMessage", "/api/chat.update")
    assert sent["channel"] == "#team"
    assert sent["text"] == STARTED.text
    assert sent["blocks"] == list(STARTED.blocks)
    assert updated == {"channel": "C1", "ts": "1.5", "text": DONE.text, "blocks": list(DONE.blocks)}
    assert slack.authorization == {f"Bearer {TOKEN}"}


def test_replies_go_into_the_thread_once_each(slack: FakeSlack) -> None:
    notifier = SlackNotifier(slack.settings())
    notifier.announce(STARTED)
    notifier.announce(Announcement("failed", (), ("evidence 1", "evidence 2")))
    notifier.announce(Announcement("failed", (), ("evidence 1", "evidence 2", "rolled back")))
    replies = [body for _, body in slack.asked if "thread_ts" in body]
    assert [body["text"] for body in replies] == ["evidence 1", "evidence 2", "rolled back"]
    assert {(body["channel"], body["thread_ts"]) for body in replies} == {("C1", "1.5")}


def test_the_apps_channel_goes_before_the_stages(slack: FakeSlack) -> None:
    assert SlackNotifier(slack.settings(), "#app").announce(STARTED) is None
    assert slack.asked[0][1]["channel"] == "#app"


def test_a_webhook_sends_each_announcement_as_a_message(slack: FakeSlack) -> None:
    settings = slack.settings(token=None, webhook_url=Secret(f"{slack.url}/services/sekret"))
    notifier = SlackNotifier(settings)
    assert notifier.announce(STARTED) is None
    assert notifier.announce(Announcement("failed", (), ("evidence",))) is None
    assert [body["text"] for _, body in slack.asked] == [STARTED.text, "failed", "evidence"]
    assert slack.authorization == {None}


def test_without_configuration_nothing_happens() -> None:
    assert SlackNotifier(SlackSettings(channel="#team")).announce(STARTED) is None


def test_long_texts_are_cut_to_what_slack_takes(slack: FakeSlack) -> None:
    SlackNotifier(slack.settings()).announce(Announcement("x" * 9000, (), ("y" * 9000,)))
    assert [len(body["text"]) for _, body in slack.asked] == [3900, 3900]


def test_texts_are_masked_before_they_are_cut(slack: FakeSlack) -> None:
    secret = "correct-horse-battery-staple"

    def crossing(limit: int) -> str:
        return "x" * (limit - 8) + secret + "y" * 200

    section = {"type": "section", "text": {"type": "mrkdwn", "text": crossing(2900)}}
    notifier = MaskedNotifier(SlackNotifier(slack.settings()), Masker([secret]).mask)
    notifier.announce(Announcement(crossing(3900), (section, {"type": "divider"}), (f"```{crossing(3893)}```",)))
    (_, message), (_, reply) = slack.asked
    assert "correct" not in repr((message, reply))
    assert [len(message["text"]), len(message["blocks"][0]["text"]["text"])] == [3900, 2900]
    assert message["blocks"][1] == {"type": "divider"}
    assert (len(reply["text"]), reply["text"][-4:]) == (3900, "…```")


def test_no_entity_is_cut_in_two(slack: FakeSlack) -> None:
    SlackNotifier(slack.settings()).announce(Announcement("x" * 3896 + "&amp;" * 9, ()))
    assert slack.asked[0][1]["text"] == "x" * 3896 + "…"


def test_a_message_that_was_deleted_is_sent_anew(slack: FakeSlack) -> None:
    notifier = SlackNotifier(slack.settings())
    notifier.announce(STARTED)
    slack.answers = [refuse("message_not_found")]
    assert notifier.announce(DONE) is None
    assert [path.rpartition(".")[2] for path, _ in slack.asked] == ["postMessage", "update", "postMessage"]


def test_a_layout_that_slack_does_not_take_becomes_plain_text(slack: FakeSlack) -> None:
    slack.answers = [refuse("invalid_blocks")]
    warning = SlackNotifier(slack.settings()).announce(STARTED)
    assert warning == "Slack shows the announcement as plain text: it does not take the layout (invalid_blocks)"
    assert slack.asked[1][1]["text"] == STARTED.text
    assert slack.asked[1][1]["blocks"] == []


def test_a_short_wait_that_slack_asks_for_is_waited(slack: FakeSlack) -> None:
    slack.answers = [refuse("ratelimited", 429, Retry_After="0")]
    assert SlackNotifier(slack.settings()).announce(STARTED) is None
    assert len(slack.asked) == 2


def test_a_long_wait_is_a_warning(slack: FakeSlack) -> None:
    slack.answers = [refuse("ratelimited", 429, Retry_After="30")]
    assert SlackNotifier(slack.settings()).announce(STARTED) == (
        "Slack was not told: it asks us to slow down (ratelimited)"
    )
    assert len(slack.asked) == 1


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (refuse("invalid_auth"), "the token is not valid (invalid_auth)"),
        (refuse("channel_not_found"), "check Slack.Channel (channel_not_found)"),
        (refuse("not_in_channel"), "/invite it (not_in_channel)"),
        (refuse("missing_scope"), "chat:write"),
        (refuse("some_new_code"), "it refused (some_new_code)"),
        (refuse(f"echo {TOKEN}"), "not Slack's (HTTP 200)"),
        (say("<html>sekret</html>", 502), "not Slack's (HTTP 502)"),
        (say("<html>sekret</html>"), "not Slack's (HTTP 200)"),
        (say("[1, 2]"), ""),
        (say("null"), ""),
        (say("", 500), "not Slack's (HTTP 500)"),
        (say("x", 429, Retry_After="soon"), "slow down (HTTP 429)"),
        (hang_up, "it broke the connection off"),
        (lambda request, body: request.wfile.write(b"garbage\r\n\r\n"), "it did not answer in HTTP"),
    ],
)
def test_whatever_slack_answers_is_a_warning_at_most(slack: FakeSlack, answer: Answer, words: str) -> None:
    slack.answers = [answer] * 9
    warning = SlackNotifier(slack.settings()).announce(STARTED)
    assert warning is not None
    assert warning.startswith("Slack was not told: ")
    assert words in warning
    assert "sekret" not in warning
    assert "\n" not in warning


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (say("invalid_token", 403), "the webhook is not valid (invalid_token)"),
        (say("no_service", 404), "the webhook was removed (no_service)"),
        (say("<h1>sekret</h1>", 500), "not Slack's (HTTP 500)"),
        (hang_up, "it broke the connection off"),
    ],
)
def test_whatever_a_webhook_answers_is_a_warning_at_most(slack: FakeSlack, answer: Answer, words: str) -> None:
    slack.answers = [answer] * 9
    settings = SlackSettings(webhook_url=Secret(f"{slack.url}/services/sekret"))
    warning = str(SlackNotifier(settings).announce(STARTED))
    assert words in warning
    assert "sekret" not in warning


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"channel": None}, "Slack.Channel is missing"),
        ({"api_url": "file:///etc/passwd"}, "Slack.ApiUrl in group_vars is no URL"),
        ({"api_url": "http://[sekret"}, "Slack.ApiUrl in group_vars is no URL"),
        ({"api_url": "http://127.0.0.1:9/"}, "it refused the connection"),
        ({"token": Secret("xoxb-sekret\nX: y")}, "Slack was not told: "),
        ({"token": None, "webhook_url": Secret("sekret")}, "Slack.WebhookUrl in group_vars is no URL"),
        ({"token": None, "webhook_url": Secret("http://127.0.0.1:9/sekret")}, "it refused the connection"),
    ],
)
def test_settings_that_cannot_work_are_a_warning(slack: FakeSlack, settings: dict[str, Any], words: str) -> None:
    warning = str(SlackNotifier(slack.settings(**settings)).announce(STARTED))
    assert words in warning
    assert "sekret" not in warning


def test_a_name_that_is_not_in_dns_is_a_warning(slack: FakeSlack, monkeypatch: pytest.MonkeyPatch) -> None:
    def look_up(*arguments: object, **more: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "sekret")

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    notifier = SlackNotifier(slack.settings(api_url="http://slack.example.com/"))
    assert notifier.announce(STARTED) == "Slack was not told: its name is not in DNS"


def trickle(end: threading.Event) -> Answer:
    def answer(request: BaseHTTPRequestHandler, body: dict[str, Any]) -> None:
        request.send_response(200)
        request.end_headers()
        while not end.wait(0.01):
            request.wfile.write(b" ")

    return answer


def silence(end: threading.Event) -> Answer:
    def answer(request: BaseHTTPRequestHandler, body: dict[str, Any]) -> None:
        end.wait()

    return answer


@pytest.mark.parametrize("kind", [silence, trickle])
def test_slack_that_does_not_come_to_an_end_costs_its_allowance_and_no_more(
    slack: FakeSlack, kind: Callable[[threading.Event], Answer]
) -> None:
    slack.answers = [kind(slack.end)] * 9
    notifier = SlackNotifier(slack.settings(), allowance=5.0)
    assert notifier.announce(STARTED) == "Slack was not told: it did not answer within 3 s"
    assert re.search(r"it did not answer within (1\.\d|2) s", str(notifier.announce(DONE)))
    for _ in range(3):
        assert notifier.announce(DONE) == "Slack was not told: it was too slow before"
    assert len(slack.asked) == 2


def test_the_result_is_told_even_when_the_start_could_not_be(slack: FakeSlack) -> None:
    slack.answers = [silence(slack.end)]
    notifier = SlackNotifier(slack.settings(), allowance=8.0)
    assert notifier.announce(STARTED) is not None
    assert notifier.announce(DONE) is None
    assert slack.asked[-1][1]["text"] == DONE.text


def test_a_proxy_is_not_used_for_hosts_that_the_environment_excepts(
    slack: FakeSlack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    assert SlackNotifier(slack.settings()).announce(STARTED) is None
    monkeypatch.setenv("NO_PROXY", "")
    assert "refused the connection" in str(SlackNotifier(slack.settings()).announce(STARTED))


def test_the_sdk_logs_nothing(
    slack: FakeSlack, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    slack.answers = [hang_up, say("<html>", 200), refuse("invalid_auth")]
    for _ in range(4):
        SlackNotifier(slack.settings()).announce(STARTED)
    assert caplog.records == []
    assert capfd.readouterr() == ("", "")


def test_the_sdk_is_imported_only_to_announce() -> None:
    code = (
        "import sys; from deployer.adapters.slack import SlackNotifier; from deployer.model import *;"
        "SlackNotifier(SlackSettings(token=Secret('x'), channel='y')); sys.exit('slack_sdk' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
