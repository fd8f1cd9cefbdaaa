"""Slack: announces deployments."""

from deployer.adapters.slack.masked import MaskedNotifier
from deployer.adapters.slack.notifier import SlackNotifier

__all__ = ["MaskedNotifier", "SlackNotifier"]
