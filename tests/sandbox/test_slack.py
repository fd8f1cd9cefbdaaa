"""Announcements, as the sandbox's Slack receives them."""

from __future__ import annotations

import uuid

from deployer.adapters.slack import SlackNotifier
from deployer.execute.ports import Announcement
from deployer.model import Secret, SlackSettings
from deployer.sandbox.layout import SLACK_ENDPOINT
from deployer.sandbox.slack import messages

API = f"{SLACK_ENDPOINT}/api/"


def test_a_bots_message_is_updated_and_answered() -> None:
    channel = f"#test-{uuid.uuid4().hex[:8]}"
    notifier = SlackNotifier(SlackSettings(token=Secret("xoxb-test"), channel=channel, api_url=API))
    block = {"type": "section", "text": {"type": "mrkdwn", "text": "*myapp*"}}
    assert notifier.announce(Announcement("started", (block,))) is None
    assert notifier.announce(Announcement("failed", (block,), ("the last lines of its log",))) is None
    received = messages()
    message = next(each for each in received if each.get("channel") == channel)
    reply = next(each for each in received if each.get("thread_ts") == message["ts"])
    assert message["text"] == "failed"
    assert [before["text"] for before in message["history"]] == ["started"]
    assert reply["text"] == "the last lines of its log"


def test_a_token_that_slack_refuses_is_a_warning() -> None:
    notifier = SlackNotifier(SlackSettings(token=Secret("sekret"), channel="#test", api_url=API))
    assert str(notifier.announce(Announcement("started"))).startswith("Slack was not told: the token is ")


def test_a_webhook_takes_a_message() -> None:
    text = f"started {uuid.uuid4()}"
    notifier = SlackNotifier(SlackSettings(webhook_url=Secret(f"{SLACK_ENDPOINT}/services/T/B/x")))
    assert notifier.announce(Announcement(text)) is None
    assert text in str(messages())
