"""The notifier: what Slack may cost a deployment, and the warning when it was not told."""

from __future__ import annotations

import re
import time

from deployer.adapters.slack.delivery import Bot, Delivery, Webhook
from deployer.adapters.slack.faults import Refused, explained, reason
from deployer.deadline import call_within
from deployer.execute.ports import Announcement
from deployer.model import Json, SlackSettings

ALLOWANCE = 5.0
"""Seconds that Slack may cost a deployment in all. Announcements that succeed within a second are free."""

_FIRST_SHARE = 0.6  # of the allowance goes to the first announcement: something is left for the result
_FREE = 1.0
_LEAST = 0.05
_LONGEST_TEXT = 3900  # chat.update takes 4000: https://docs.slack.dev/reference/methods/chat.update/
_LONGEST_SECTION = 2900  # of 3000: https://docs.slack.dev/reference/block-kit/blocks/section-block/
_HALF_ENTITY = re.compile(r"&[a-z]*$")
_LAYOUT = ("invalid_blocks", "invalid_blocks_format", "invalid_payload")


class SlackNotifier:
    """Fills the notifier's port. Without a token or webhook it does nothing.

    A bot token with a channel gives one message, updated from the start to the result, with replies in its thread. An
    incoming webhook cannot change what it sent: each announcement, and each reply, is a message of its own.
    """

    def __init__(self, settings: SlackSettings, channel: str | None = None, *, allowance: float = ALLOWANCE) -> None:
        """`channel` is the app's own, and goes before the one in the settings. `allowance` is in seconds."""
        self._delivery = _delivery(settings, channel or settings.channel)
        self._left = allowance
        self._limit = allowance * _FIRST_SHARE
        self._replied: set[str] = set()

    def announce(self, announcement: Announcement) -> str | None:
        """Send the message, or update it; None, or a warning. Never raises; the time is bounded by the allowance."""
        delivery = self._delivery
        if delivery is None:
            return None
        limit = min(self._limit, self._left)
        self._limit = self._left
        if limit < _LEAST:
            return _warning("it was too slow before")
        start = time.monotonic()
        try:
            warning = call_within(limit, lambda: self._deliver(delivery, announcement, start + limit))
        except Exception as error:  # noqa: BLE001 - no failure of Slack may fail a deployment
            warning = _warning(reason(error, limit))
        took = time.monotonic() - start
        if warning is not None or took > _FREE:
            self._left -= took
        return warning

    def _deliver(self, delivery: Delivery, announcement: Announcement, deadline: float) -> str | None:
        text = _shortened(announcement.text)
        warning = _send(delivery, text, tuple(map(_fitting, announcement.blocks)), deadline)
        for reply in announcement.thread:
            if reply not in self._replied:
                delivery.reply(_shortened(reply), deadline)
                self._replied.add(reply)
        return warning


def _send(delivery: Delivery, text: str, blocks: tuple[Json, ...], deadline: float) -> str | None:
    try:
        delivery.send(text, blocks, deadline)
    except Refused as refused:
        if not blocks or refused.code not in _LAYOUT:
            raise
        delivery.send(text, (), deadline)
        return f"Slack shows the announcement as plain text: {explained(refused)}"
    return None


def _delivery(settings: SlackSettings, channel: str | None) -> Delivery | None:
    if settings.token and (channel or not settings.webhook_url):
        return Bot(settings.token, channel, settings.api_url)
    if settings.webhook_url:
        return Webhook(settings.webhook_url)
    return None


def _warning(why: str) -> str:
    return f"Slack was not told: {why}"


def _fitting(block: Json) -> Json:
    if block.get("type") != "section":
        return block
    return {**block, "text": {**block["text"], "text": _shortened(block["text"]["text"], _LONGEST_SECTION)}}


def _shortened(text: str, longest: int = _LONGEST_TEXT) -> str:
    """At most so many characters, no entity cut in two; a block of code at the end still is one."""
    if len(text) <= longest:
        return text
    end = "…```" if text.endswith("```") else "…"
    return _HALF_ENTITY.sub("", text[: longest - len(end)]) + end
