"""A stand-in for Slack: takes what a bot or a webhook sends, and shows it. Run as a program of its own.

    python slack_server.py ADDRESS PORT

It keeps the last messages in memory. `/` shows them as a page, `/messages` as JSON; `DELETE /messages` forgets them.
The methods are those of Slack's Web API (https://docs.slack.dev/reference/methods) that a deployment calls.
"""

from __future__ import annotations

import html
import itertools
import json
import re
import sys
import threading
import time
from collections.abc import Callable
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

_KEPT = 1000
_LONGEST_BODY = 1024 * 1024

Json = dict[str, Any]


class Workspace:
    """The messages, oldest first. Each is what was sent, plus `ts`, `via`, `received` and the `history` of updates."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._messages: dict[str, Json] = {}
        self._counter = itertools.count(1)

    def post(self, content: Json, via: str) -> Json:
        """Keep a new message. `ts`, its identity, is a time with a serial number behind the point."""
        with self._lock:
            ts = f"{int(time.time())}.{next(self._counter):06d}"
            self._messages[ts] = {**content, "ts": ts, "via": via, "received": time.time(), "history": []}
            while len(self._messages) > _KEPT:
                del self._messages[next(iter(self._messages))]
            return self._messages[ts]

    def update(self, ts: str, content: Json) -> Json | None:
        """Change a message, remembering what it was; None when there is none."""
        with self._lock:
            message = self._messages.get(ts)
            if message is None:
                return None
            before = {key: message[key] for key in ("text", "blocks", "attachments") if key in message}
            message["history"].append(before)
            message.update(content, ts=ts)
            return message

    def messages(self, channel: str | None = None, thread: str | None = None) -> list[Json]:
        """All messages, or those of a channel, or those of a thread."""
        with self._lock:
            found = list(self._messages.values())
        if channel:
            found = [message for message in found if channel_id(message.get("channel", "")) == channel_id(channel)]
        if thread:
            found = [message for message in found if thread in (message["ts"], message.get("thread_ts"))]
        return found

    def clear(self) -> None:
        """Forget all messages."""
        with self._lock:
            self._messages.clear()


def channel_id(channel: str) -> str:
    """Slack answers with an id, whatever name it was given: `#general` → `CGENERAL`."""
    if re.fullmatch(r"C[A-Z0-9]+", channel):
        return channel
    return "C" + "".join(filter(str.isalnum, channel)).upper()


def call(workspace: Workspace, method: str, arguments: Json, *, authenticated: bool) -> Json:
    """What Slack's Web API answers to a method."""
    if not authenticated:
        return {"ok": False, "error": "not_authed"}
    methods: dict[str, Callable[[Workspace, Json], Json]] = {
        "auth.test": lambda *_: {"ok": True, "team": "sandbox", "user": "deployer", "bot_id": "B1", "user_id": "U1"},
        "chat.postMessage": _post,
        "chat.update": _update,
        "conversations.list": _channels,
        "conversations.info": lambda _, a: {"ok": True, "channel": _channel(a.get("channel", ""))},
        "conversations.join": lambda _, a: {"ok": True, "channel": _channel(a.get("channel", ""))},
        "conversations.history": lambda w, a: {"ok": True, "messages": w.messages(a.get("channel"))[::-1]},
        "conversations.replies": lambda w, a: {"ok": True, "messages": w.messages(a.get("channel"), a.get("ts"))},
    }
    if method not in methods:
        return {"ok": False, "error": "unknown_method"}
    return methods[method](workspace, arguments)


def _post(workspace: Workspace, arguments: Json) -> Json:
    if not arguments.get("channel"):
        return {"ok": False, "error": "channel_not_found"}
    if not (arguments.get("text") or arguments.get("blocks") or arguments.get("attachments")):
        return {"ok": False, "error": "no_text"}
    message = workspace.post(arguments, "chat.postMessage")
    return {"ok": True, "channel": channel_id(arguments["channel"]), "ts": message["ts"], "message": message}


def _update(workspace: Workspace, arguments: Json) -> Json:
    content: Json = {key: arguments[key] for key in ("text", "blocks", "attachments") if key in arguments}
    message = workspace.update(str(arguments.get("ts", "")), content)
    if message is None:
        return {"ok": False, "error": "message_not_found"}
    return {"ok": True, "channel": channel_id(message["channel"]), "ts": message["ts"], "text": message.get("text", "")}


def _channels(workspace: Workspace, _: Json) -> Json:
    names = {str(message["channel"]) for message in workspace.messages() if "channel" in message}
    return {"ok": True, "channels": [_channel(name) for name in sorted(names)], "response_metadata": {}}


def _channel(name: str) -> Json:
    return {"id": channel_id(name), "name": name.removeprefix("#"), "is_channel": True, "is_member": True}


def page(messages: list[Json]) -> str:
    """The messages as an HTML page, newest first; replies are shown below what they answer."""
    roots = [message for message in messages if not message.get("thread_ts")]
    parts = []
    for message in reversed(roots):
        replies = [reply for reply in messages if reply.get("thread_ts") == message["ts"]]
        parts.append(_article(message) + "".join(_article(reply, "reply") for reply in replies))
    content = "\n".join(parts) or "<p>No message yet.</p>"
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Slack of the sandbox</title><style>
body {{ font: 15px/1.45 system-ui, sans-serif; max-width: 52rem; margin: 2rem auto; padding: 0 1rem; color: #1d1c1d }}
article {{ border: 1px solid #ddd; border-radius: 8px; padding: .6rem 1rem; margin: .8rem 0 }}
.reply {{ margin-left: 2rem }} header {{ color: #616061; font-size: 13px }}
pre {{ white-space: pre-wrap; margin: .3rem 0 }}
</style></head><body><h1>Slack of the sandbox</h1>
{content}
</body></html>"""


def _article(message: Json, kind: str = "message") -> str:
    when = time.strftime("%H:%M:%S", time.localtime(message["received"]))
    updates = f", updated {len(message['history'])} times" if message["history"] else ""
    head = f"{message.get('channel', 'webhook')} at {when}{updates}"
    content = f"<header>{html.escape(head)}</header><pre>{html.escape(plain_text(message))}</pre>"
    return f'<article class="{kind}">{content}</article>'


def plain_text(message: Json) -> str:
    """The texts of a message's blocks, else its text."""
    lines = list(_texts(message.get("blocks"))) or [str(message.get("text", ""))]
    return "\n".join(lines)


def _texts(blocks: Any) -> Any:
    if isinstance(blocks, dict):
        if isinstance(blocks.get("text"), str):
            yield blocks["text"]
        else:
            for key in ("text", "fields", "elements"):
                yield from _texts(blocks.get(key))
    elif isinstance(blocks, list):
        for block in blocks:
            yield from _texts(block)


class Handler(BaseHTTPRequestHandler):
    """One request. `server.workspace` has the messages."""

    protocol_version = "HTTP/1.1"
    timeout = 30

    def do_GET(self) -> None:
        """Show what was received, or answer a method of the API."""
        path = urlsplit(self.path).path
        if path == "/":
            self._answer(page(self._workspace.messages()).encode(), "text/html; charset=utf-8")
        elif path == "/messages":
            self._json(self._workspace.messages())
        elif path == "/healthz":
            self._answer(b"ok\n")
        elif path.startswith("/api/"):
            self._call(path, dict(parse_qsl(urlsplit(self.path).query)))
        else:
            self._answer(b"not found\n", status=HTTPStatus.NOT_FOUND)

    def do_POST(self) -> None:
        """Take a call of the API, or what is sent to a webhook."""
        path = urlsplit(self.path).path
        try:
            arguments = self._arguments()
        except ValueError as error:
            self.close_connection = True
            self._json({"ok": False, "error": "invalid_arguments", "detail": str(error)}, HTTPStatus.BAD_REQUEST)
            return
        if path.startswith("/api/"):
            self._call(path, arguments)
        elif path.startswith("/services/"):
            self._workspace.post(arguments, "webhook")
            self._answer(b"ok")
        else:
            self._answer(b"not found\n", status=HTTPStatus.NOT_FOUND)

    def do_DELETE(self) -> None:
        """Forget all messages."""
        self._workspace.clear()
        self._json({"ok": True})

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing: what is worth seeing is on the page."""

    @property
    def _workspace(self) -> Workspace:
        workspace: Workspace = self.server.workspace  # type: ignore[attr-defined]
        return workspace

    def _call(self, path: str, arguments: Json) -> None:
        token = self.headers.get("Authorization", "").removeprefix("Bearer ") or str(arguments.pop("token", ""))
        arguments.pop("token", None)
        self._json(call(self._workspace, path.removeprefix("/api/"), arguments, authenticated=token.startswith("xox")))

    def _arguments(self) -> Json:
        length = int(self.headers.get("Content-Length") or 0)
        if not 0 <= length <= _LONGEST_BODY:
            raise ValueError("the body is too long")
        body = self.rfile.read(length).decode()
        if self.headers.get_content_type() == "application/json":
            content = json.loads(body or "{}")
        else:
            content = dict(parse_qsl(body))
            content = {key: _parsed(key, value) for key, value in content.items()}
        if not isinstance(content, dict):
            raise ValueError("an object was expected")
        return content

    def _json(self, content: Any, status: HTTPStatus = HTTPStatus.OK) -> None:
        self._answer(json.dumps(content).encode(), "application/json; charset=utf-8", status)

    def _answer(self, body: bytes, kind: str = "text/plain", status: HTTPStatus = HTTPStatus.OK) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def _parsed(key: str, value: str) -> Any:
    """In a form, lists of blocks come as JSON texts."""
    return json.loads(value) if key in ("blocks", "attachments", "metadata") else value


def serve(address: str, port: int) -> ThreadingHTTPServer:
    """A server that is bound, and answers once `serve_forever` is called."""
    server = ThreadingHTTPServer((address, port), Handler)
    server.daemon_threads = True
    server.workspace = Workspace()  # type: ignore[attr-defined]
    return server


if __name__ == "__main__":
    serve(sys.argv[1], int(sys.argv[2])).serve_forever()
