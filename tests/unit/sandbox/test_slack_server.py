"""The stand-in for Slack, asked by Slack's own client."""

from __future__ import annotations

import http.client
import json
import threading
from collections.abc import Iterator

import pytest
from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError
from slack_sdk.webhook import WebhookClient

from deployer.sandbox import slack_server


@pytest.fixture
def address() -> Iterator[str]:
    server = slack_server.serve("127.0.0.1", 0)
    thread = threading.Thread(target=server.serve_forever, args=[0.01])
    thread.start()
    yield f"127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def client(address: str) -> WebClient:
    return WebClient(token="xoxb-test", base_url=f"http://{address}/api/")


def get(address: str, path: str, method: str = "GET", body: bytes | None = None, **headers: str) -> tuple[int, str]:
    connection = http.client.HTTPConnection(address, timeout=5)
    connection.request(method, path, body, headers)
    response = connection.getresponse()
    text = response.read().decode()
    connection.close()
    return response.status, text


def test_a_message_is_kept_updated_and_answered_in_a_thread(client: WebClient, address: str) -> None:
    posted = client.chat_postMessage(channel="#deployments", text="started")
    ts = posted["ts"]
    client.chat_update(channel=posted["channel"], ts=ts, text="done")
    client.chat_postMessage(channel=posted["channel"], thread_ts=ts, text="log")
    other = client.chat_postMessage(channel="#other", text="elsewhere")
    assert other["ts"] != ts
    first, reply, _ = json.loads(get(address, "/messages")[1])
    assert (first["text"], first["history"]) == ("done", [{"text": "started"}])
    assert reply["thread_ts"] == ts
    replies = client.conversations_replies(channel=posted["channel"], ts=ts)["messages"]
    assert [message["text"] for message in replies] == ["done", "log"]
    history = client.conversations_history(channel=other["channel"])["messages"]
    assert [message["text"] for message in history] == ["elsewhere"]


def test_blocks_arrive_as_they_were_sent(client: WebClient, address: str) -> None:
    blocks = [{"type": "section", "text": {"type": "mrkdwn", "text": "*london* <b>&"}}]
    client.chat_postMessage(channel="#a", text="plain", blocks=blocks)
    assert json.loads(get(address, "/messages")[1])[0]["blocks"] == blocks
    page = get(address, "/")[1]
    assert "*london* &lt;b&gt;&amp;" in page


@pytest.mark.parametrize(
    ("method", "arguments", "error"),
    [
        ("chat.postMessage", {"text": "no channel"}, "channel_not_found"),
        ("chat.postMessage", {"channel": "#a"}, "no_text"),
        ("chat.update", {"channel": "#a", "ts": "1.0", "text": "x"}, "message_not_found"),
        ("files.upload", {}, "unknown_method"),
    ],
)
def test_errors_are_slacks(client: WebClient, method: str, arguments: dict[str, str], error: str) -> None:
    with pytest.raises(SlackApiError) as caught:
        client.api_call(method, json=arguments)
    assert caught.value.response["error"] == error


def test_a_token_is_needed_and_never_kept(address: str) -> None:
    with pytest.raises(SlackApiError) as caught:
        WebClient(token="wrong", base_url=f"http://{address}/api/").auth_test()
    assert caught.value.response["error"] == "not_authed"
    WebClient(token="xoxb-secret", base_url=f"http://{address}/api/").chat_postMessage(channel="#a", text="x")
    body = b"token=xoxb-secret&channel=%23a&text=x"
    get(address, "/api/chat.postMessage", "POST", body, **{"Content-Type": "application/x-www-form-urlencoded"})
    status, messages = get(address, "/messages")
    assert status == 200
    assert len(json.loads(messages)) == 2
    assert "xoxb" not in messages


def test_a_webhook(address: str) -> None:
    answer = WebhookClient(f"http://{address}/services/T0/B0/x").send(text="hello")
    assert (answer.status_code, answer.body) == (200, "ok")
    assert json.loads(get(address, "/messages")[1])[0]["via"] == "webhook"


@pytest.mark.parametrize("body", [b"{", b"[1]", b"\xff", b"null"])
def test_what_cannot_be_read_is_refused(address: str, body: bytes) -> None:
    status, answer = get(address, "/api/chat.postMessage", "POST", body, **{"Content-Type": "application/json"})
    assert status == 400
    assert json.loads(answer)["error"] == "invalid_arguments"
    assert json.loads(get(address, "/messages")[1]) == []


def test_an_endless_body_is_not_read(address: str) -> None:
    status, _ = get(address, "/services/x", "POST", b"", **{"Content-Length": str(2**40)})
    assert status == 400


def test_forgets_on_request_and_answers_other_paths(client: WebClient, address: str) -> None:
    client.chat_postMessage(channel="#a", text="x")
    get(address, "/messages", "DELETE")
    assert json.loads(get(address, "/messages")[1]) == []
    assert "No message yet" in get(address, "/")[1]
    assert get(address, "/healthz")[0] == 200
    assert get(address, "/favicon.ico")[0] == 404


def test_keeps_only_the_last_messages() -> None:
    workspace = slack_server.Workspace()
    for number in range(1005):
        workspace.post({"channel": "#a", "text": str(number)}, "test")
    kept = workspace.messages()
    assert (len(kept), kept[0]["text"]) == (1000, "5")


@pytest.mark.parametrize(("name", "expected"), [("#general", "CGENERAL"), ("CGENERAL", "CGENERAL"), ("#Cats", "CCATS")])
def test_a_channel_has_one_id(name: str, expected: str) -> None:
    assert slack_server.channel_id(name) == expected
