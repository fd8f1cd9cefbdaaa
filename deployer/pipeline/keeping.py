"""Branches whose release stays as it is are kept as if they had been deployed now."""

from __future__ import annotations

from collections.abc import Sequence

from deployer.errors import DeployError
from deployer.execute.observe import Observation
from deployer.model import Target
from deployer.pipeline.command import Command
from deployer.plan.steps import TargetPlan


def keep_unchanged(
    planned: Sequence[tuple[Observation, TargetPlan]], command: Command, lifetime: str | None
) -> frozenset[Target]:
    """Write down until when; those for which that was possible. `lifetime` overrides what the stage says."""
    kept: set[Target] = set()
    for observation, plan in planned:
        subject = observation.subject
        if subject.target.branch is None or plan.release_action != "none" or plan.current_revision is None:
            continue
        until = command.kept_until(subject.target, subject.settings, lifetime)
        name, namespace = subject.app.app_name, subject.settings.namespace
        try:
            subject.ports.releases.keep(name, namespace, plan.current_revision, until)
            kept.add(subject.target)
        except DeployError as error:
            command.warn(f"{subject.target} expires when it would have before: {error}")
    return frozenset(kept)


def expiry_of(observation: Observation) -> str | None:
    """Until when the release that is there is kept (UTC, ISO 8601); None: for ever, or there is none."""
    current = observation.facts.release.current
    return current.expires.isoformat(timespec="seconds") if current and current.expires else None
