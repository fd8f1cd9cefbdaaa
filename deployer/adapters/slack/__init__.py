"""Slack: announces deployments."""

from deployer.adapters.slack.notifier import SlackNotifier

__all__ = ["SlackNotifier"]
