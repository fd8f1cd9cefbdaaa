"""What the stories of all commands that change releases share: an id, a clock, and how they tell of themselves."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Protocol

from deployer import __version__
from deployer.errors import InterruptedBySignal, interruption
from deployer.events import Sink, WarningRaised
from deployer.execute.announcing import Announcer
from deployer.execute.everywhere import CommandFor
from deployer.execute.phases import Phases
from deployer.execute.services import Services
from deployer.model import App, DeploymentRecord, DeploymentResult, Holder, Image, Settings, Target, TargetResult
from deployer.model.branches import lifetime as lifetime_of
from deployer.model.recovery import PartialFleet
from deployer.model.settings import BranchSettings
from deployer.plan.identity import deployment_id
from deployer.plan.steps import Plan
from deployer.report.announcement import finished, started

_PATIENCE = 12.0
_LAST_WORDS = 3.0
"""Seconds for telling Slack how it ended, and the same after a signal."""

Conclusion = tuple[DeploymentResult, InterruptedBySignal | None]
"""How a command ended: what became of each target, and the signal that cut it short, if one did."""


@dataclass(frozen=True)
class CommandRequest:
    """What every command that changes releases is asked for. `deployment` is its own id; times are in seconds.

    `timeout` overrides what `Rollout` says; `lock_wait` is how long to wait in line. `command_for` gives the command
    line for some of the regions. `ask`: stages that want to be asked are shown what would change, value by value.
    """

    deployment: str
    stage: str
    plan_only: bool = False
    ask: bool = False
    timeout: float | None = None
    lock_wait: float = 0.0
    command_for: CommandFor | None = None

    def shows(self, settings: Settings) -> bool:
        """Whether somebody is to see all that would change in a region."""
        return self.plan_only or (self.ask and settings.confirm)


def new_deployment_id() -> str:
    """An id for a deployment that begins now."""
    return deployment_id(datetime.now(UTC), os.urandom(3))


class Configured(Protocol):
    """Whatever knows a target's settings and app."""

    @property
    def settings(self) -> Settings:
        """The settings of its stage and region."""
        ...

    @property
    def app(self) -> App:
        """Its app."""
        ...


class Command:
    """One command under way. `action` is its name (`deploy`, `rollback`, …), `deployment` its id.

    `origin` is the stage that a promotion comes from.
    """

    def __init__(
        self, action: str, deployment: str, stage: str, services: Services, sink: Sink, origin: str | None = None
    ) -> None:
        self.action = action
        self.deployment = deployment
        self.stage = stage
        self.services = services
        self.sink = sink
        self.origin = origin
        self.phases = Phases(sink)
        self._began = time.monotonic()
        self._started = datetime.now(UTC)

    def holder(self) -> Holder:
        """Who holds the locks that this command takes."""
        return self.services.holder(self.deployment, self.action)

    def record(
        self,
        target: Target,
        app: App,
        fleet: Sequence[str],
        image: Image | None = None,
        until: datetime | None = None,
        **fields: str | None,
    ) -> DeploymentRecord:
        """What is kept with a revision that this command makes. `fleet` are the regions that it is about.

        `until`: as of `kept_until`.
        """
        values: dict[str, str | None] = {
            "version": app.version,
            "tag": image.tag if image else app.tag,
            "image": image.reference if image else None,
            "digest": image.digest if image else None,
            "git_commit": self.services.git_commit(),
            "who": self.services.who(),
            "started": self._started.isoformat(timespec="seconds"),
            "tool_version": __version__,
            "action": self.action,
            "promoted_from": self.origin,
            "fleet": ",".join(sorted(fleet)),
            "expires": until.isoformat(timespec="seconds") if until else None,
            "sub_domain": app.sub_domain if target.branch else None,
        }
        return DeploymentRecord(
            deployment_id=self.deployment,
            application=target.application,
            stage=target.stage,
            region=target.region,
            **(values | fields),
        )

    def kept_until(self, target: Target, settings: Settings, lifetime: str | None = None) -> datetime | None:
        """Until when a branch is kept that is deployed now; None for what is no branch, and for a branch for ever.

        `lifetime` overrides what the stage says.
        """
        if target.branch is None:
            return None
        after = lifetime_of(lifetime or (settings.branches or BranchSettings()).expires)
        return self._started + after if after is not None else None

    def announcer(self, configured: Sequence[Configured]) -> Announcer:
        """Tells every channel that these targets announce to, each once."""
        channels = {(one.settings.slack, one.app.slack_channel): one for one in configured}
        webhooks = {one.settings.webhook: one for one in configured if one.settings.webhook.url}
        notifiers = [self.services.notifier(one.settings, one.app.slack_channel) for one in channels.values()]
        return Announcer([*notifiers, *(self.services.webhook(one.settings) for one in webhooks.values())])

    def begin(self, plan: Plan, configured: Sequence[Configured]) -> Announcer:
        """Announce what the command is about to do, if anything; the announcer that can tell how it ends."""
        announcer = self.announcer(configured)
        if plan.changes_anything:
            announcer.begin(
                started(
                    plan,
                    deployment_id=self.deployment,
                    stage=self.stage,
                    who=self.services.who(),
                    git_commit=self.services.git_commit(),
                    action=self.action,
                    origin=self.origin,
                )
            )
        return announcer

    def result(self, targets: Sequence[TargetResult], partial: Sequence[PartialFleet] = ()) -> DeploymentResult:
        """What has become of the command by now."""
        return DeploymentResult(
            deployment_id=self.deployment,
            stage=self.stage,
            who=self.services.who(),
            git_commit=self.services.git_commit(),
            seconds=time.monotonic() - self._began,
            targets=tuple(targets),
            phases=tuple(self.phases.timings),
            action=self.action,
            partial=tuple(partial),
            origin=self.origin,
        )

    def conclude(
        self,
        announcer: Announcer,
        targets: Sequence[TargetResult],
        signalled: InterruptedBySignal | None,
        partial: Sequence[PartialFleet] = (),
    ) -> Conclusion:
        """The command's result, announced; and the signal that cut it short, also one that comes only now.

        Who was told to stop does not wait for Slack as long as others do.
        """
        result = replace(self.result(targets, partial), stopped_by=_name(signalled))
        patience = _PATIENCE if signalled is None else _LAST_WORDS if not signalled.at_once else 0.0
        try:
            self.warn(*announcer.end(finished(result), patience))
        except KeyboardInterrupt as stop:
            signalled = signalled or interruption(stop)
        return replace(result, stopped_by=_name(signalled)), signalled

    def warn(self, *warnings: str) -> None:
        """Tell what does not stop us."""
        for warning in warnings:
            self.sink.emit(WarningRaised(warning))


def _name(signalled: InterruptedBySignal | None) -> str | None:
    return signal.Signals(signalled.signal_number).name if signalled else None
