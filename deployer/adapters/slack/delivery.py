"""The two ways to Slack: a bot's token, and an incoming webhook."""

from __future__ import annotations

import logging
import re
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol, TypeVar, cast
from urllib.parse import urlsplit

from deployer.adapters.slack.faults import NotConfigured, Refused
from deployer.model import Json, Secret

# The SDK logs errors with URLs, which for a webhook are secret; what it has to say comes as exceptions too.
_SILENT = logging.Logger("slack", level=logging.CRITICAL + 1)

_GONE = {"message_not_found", "cant_update_message", "edit_window_closed"}
T = TypeVar("T")

_CODE = re.compile(r"[a-z][a-z0-9_-]{1,60}")


class Delivery(Protocol):
    """Raises Refused, TimeoutError, or what urllib raises. `deadline` is a time of `time.monotonic`."""

    def send(self, text: str, blocks: Sequence[Json], deadline: float) -> None:
        """Send the message, or update it."""
        ...

    def reply(self, text: str, deadline: float) -> None:
        """Add a text below the message."""
        ...


class Bot:
    """chat.postMessage, then chat.update of the same message."""

    def __init__(self, token: Secret, channel: str | None, api_url: str) -> None:
        self._token = token
        self._channel = channel
        self._api_url = api_url
        self._message: tuple[str, str] | None = None  # the channel's id and the message's time stamp

    def send(self, text: str, blocks: Sequence[Json], deadline: float) -> None:
        """Post the message; update it when it was posted before, and post it again when somebody removed it."""
        if self._message is not None:
            channel, stamp = self._message
            try:
                self._call("chat.update", deadline, channel=channel, ts=stamp, text=text, blocks=list(blocks))
                return
            except Refused as refused:
                if refused.code not in _GONE:
                    raise
        if not self._channel:
            raise NotConfigured("Slack.Channel is missing in group_vars")
        unfurl = {"unfurl_links": False, "unfurl_media": False}
        answer = self._call(
            "chat.postMessage", deadline, channel=self._channel, text=text, blocks=list(blocks), **unfurl
        )
        if answer.get("channel") and answer.get("ts"):
            self._message = (str(answer["channel"]), str(answer["ts"]))

    def reply(self, text: str, deadline: float) -> None:
        """Post in the message's thread."""
        if self._message is not None:
            channel, stamp = self._message
            self._call("chat.postMessage", deadline, channel=channel, thread_ts=stamp, text=text)

    def _call(self, method: str, deadline: float, **arguments: Any) -> Mapping[str, Any]:
        from slack_sdk.errors import SlackApiError
        from slack_sdk.web.client import WebClient

        _check_url("Slack.ApiUrl", self._api_url)

        def ask(timeout: float) -> Mapping[str, Any]:
            client = WebClient(
                self._token.reveal(),
                base_url=self._api_url,
                timeout=cast(int, timeout),  # urllib takes fractions
                logger=_SILENT,
                retry_handlers=[],
            )
            client.proxy = _proxy(self._api_url, client.proxy)
            try:
                answer = client.api_call(method, json=arguments)
            except SlackApiError as error:
                raise _refused(error.response) from None  # the error shows the request's body
            data: Mapping[str, Any] = answer.data if isinstance(answer.data, dict) else {}
            return data

        return _patiently(ask, deadline)


class Webhook:
    """An incoming webhook, which takes a message and gives nothing to update it by."""

    def __init__(self, url: Secret) -> None:
        self._url = url

    def send(self, text: str, blocks: Sequence[Json], deadline: float) -> None:
        """Send a message."""
        from slack_sdk.webhook.client import WebhookClient

        url = self._url.reveal()
        _check_url("Slack.WebhookUrl", url)

        def ask(timeout: float) -> None:
            client = WebhookClient(
                url,
                timeout=cast(int, timeout),  # urllib takes fractions
                logger=_SILENT,
                retry_handlers=[],
            )
            client.proxy = _proxy(url, client.proxy)
            answer = client.send(text=text, blocks=list(blocks) or None)
            if not 200 <= answer.status_code < 300:
                code = answer.body.strip()
                known = code if _CODE.fullmatch(code) else ""
                raise Refused(known, answer.status_code, _seconds(answer.headers))

        _patiently(ask, deadline)

    def reply(self, text: str, deadline: float) -> None:
        """Send one more message."""
        self.send(text, (), deadline)


def _patiently(ask: Callable[[float], T], deadline: float) -> T:
    """Ask, and ask again after the time that Slack asks to wait, as long as that is before the deadline."""
    while True:
        left = deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError
        try:
            return ask(left)
        except Refused as refused:
            if refused.retry_after is None or refused.retry_after >= deadline - time.monotonic():
                raise
            threading.Event().wait(refused.retry_after)


def _refused(response: Any) -> Refused:
    code = str(response.get("error") or "")
    return Refused(code if _CODE.fullmatch(code) else "", int(response.status_code), _seconds(response.headers))


def _seconds(headers: Mapping[str, Any]) -> float | None:
    value: Any = {name.lower(): value for name, value in headers.items()}.get("retry-after")
    try:
        return max(0.0, float(value[0] if isinstance(value, list) else value))
    except (TypeError, ValueError, IndexError):
        return None


def _check_url(key: str, url: str) -> None:
    try:
        parts = urlsplit(url)
        fits = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        fits = False
    if not fits:
        raise NotConfigured(f"{key} in group_vars is no URL")


def _proxy(url: str, proxy: str | None) -> str | None:
    """The proxy to use: the SDK takes the environment's, but does not know NO_PROXY."""
    from urllib.request import proxy_bypass

    return None if proxy_bypass(urlsplit(url).hostname or "") else proxy
