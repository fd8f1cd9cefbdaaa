"""The story of `deploy recover`, from top to bottom: look what was left, repair it under the lock, report.

look       every region's revisions are read from its cluster; nothing on this machine is asked what happened
repair     one fleet: each region's lock is taken, also that of a holder who died or expired; what was seen is looked at
           anew, since its holder may have ended well; then verified, rolled back or taken away, as the plan says
partial    what is well may still be a deployment that stopped between its regions: it is told how to go on, and how
           to go back; which of both is the user's decision
report     what was found and what was done, region by region

A region that an interrupted run has left drained goes back into DNS behind its repair, once it is healthy; one that
somebody has drained on purpose stays so.

Of the app's file only its names are used: what was left can be repaired also while today's file is broken.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial

from deployer.config import Configuration, Loaded
from deployer.errors import DeployError, NotPermitted
from deployer.events import Sink
from deployer.execute.everywhere import ask_each, refuse
from deployer.execute.fleet import Fleet, Member, run_fleets
from deployer.execute.services import Services
from deployer.execute.traffic import is_left
from deployer.execute.watch import observe
from deployer.execute.work import Work
from deployer.model import Revision, Target, TargetResult
from deployer.model.recovery import PartialFleet
from deployer.pipeline.command import Command, CommandRequest, Conclusion
from deployer.pipeline.preparing import keep_lifted
from deployer.pipeline.traffic import traffic_of
from deployer.pipeline.withdrawal import DnsAway
from deployer.plan.manifests import PreparedManifests
from deployer.plan.order import Order
from deployer.plan.recovery import Recovery, partial_fleet, plan_recovery
from deployer.plan.steps import Plan, TargetPlan
from deployer.plan.stored import prepared_again, secret_texts


class Recovering:
    """One recovery of one app in all regions named. `confirm` may refuse the plan by raising HeldError."""

    def __init__(
        self,
        request: CommandRequest,
        loaded: Loaded,
        services: Services,
        sink: Sink,
        confirm: Callable[[Plan], None],
    ) -> None:
        self._request = request
        self._loaded = loaded
        self._services = services
        self._sink = sink
        self._confirm = confirm
        self._command = Command("recover", request.deployment, request.stage, services, sink)
        self._dns = DnsAway(loaded.configurations, services)
        self._ports = {one.target: services.region(one.settings, one.target) for one in loaded.configurations}

    def run(self) -> Conclusion:
        """Every target's result, and the signal that cut it short, if one did.

        Raises a DeployError when nothing was changed: a service out of reach, a removal that was cut off, a refusal.
        """
        members = self._look()
        plan = Plan(tuple(member.work.plan for member in members))
        self._confirm(plan)
        announcer = self._command.begin(plan, self._loaded.configurations)
        fleet = self._fleet(members)
        found, signalled = run_fleets([fleet])
        plans = {work.target: work.plan for work in fleet.works}
        results = [_told(found[target], plans[target]) for target in self._loaded.targets]
        partial_ = self._partial() if signalled is None else ()
        if not plan.changes_anything and all(one.outcome == "unchanged" for one in results):
            return self._command.result(results, partial_), signalled
        return self._command.conclude(announcer, results, signalled, partial_)

    # Looking: nothing is changed anywhere.

    def _look(self) -> list[Member]:
        """The work of each region; raises everything that stands in the way anywhere."""
        with self._command.phases("look") as phase:
            answers = ask_each([(one.target, partial(self._work, one)) for one in self._loaded.configurations])
            failures = [*self._loaded.failures, *answers.failures]
            refuse(self._loaded.targets, failures, self._request.command_for)
            broken = [one for one in answers.given if one.plan.release_action != "none"]
            found = (f"{one.target.region}: {', '.join(one.plan.reasons)}" for one in broken)
            phase.detail = "; ".join(found) or "no release to repair"
        pairs = zip(self._loaded.configurations, answers.given, strict=True)
        return [Member(work, partial(self._work, one), always=_is_open(work)) for one, work in pairs]

    def _revisions(self, configuration: Configuration) -> tuple[Revision, ...]:
        releases = self._ports[configuration.target].releases
        revisions = releases.revisions(configuration.app.app_name, configuration.settings.namespace)
        # What they hold may have been secret in its time, and is in no file any more.
        self._services.keep_secret(text for one in revisions for text in secret_texts(one))
        if revisions:
            cluster = self._ports[configuration.target].cluster
            keep_lifted(self._services, cluster, configuration.settings, configuration.app)
        return revisions

    def _work(self, configuration: Configuration) -> Work:
        """What is to be done in one region, as its cluster shows it now."""
        target, settings = configuration.target, configuration.settings
        recovery = plan_recovery(target, self._revisions(configuration), namespace=settings.namespace)
        revision, ports = recovery.revision, self._ports[target]
        prepared = PreparedManifests(settings.namespace, (), ())
        if revision is not None:
            prepared = prepared_again(revision, settings.namespace, target.environment)
        until = self._command.kept_until(target, settings)
        record = self._command.record(target, configuration.app, self._regions, until=until)
        was = revision.record if revision else None
        return Work(
            plan=recovery.plan,
            app=replace(configuration.app, version=was.version if was else None, tag=was.tag if was else None),
            settings=settings,
            prepared=prepared,
            record=record.restoring(revision) if revision is not None else record,
            ports=ports,
            timeout=self._request.timeout or settings.rollout.timeout,
            workloads=observe(ports.cluster, prepared, settings.rollout) if _is_settled(recovery) else (),
            traffic=traffic_of(
                self._services,
                target,
                configuration.app,
                settings,
                ports.prober,
                self._command.holder(),
                repairing=True,
            ),
            withdrawal=self._dns.withdrawal(target),
        )

    @property
    def _regions(self) -> list[str]:
        return [target.region for target in self._loaded.targets]

    # Doing.

    def _fleet(self, members: Sequence[Member]) -> Fleet:
        order = Order(waves=(tuple(self._regions),))
        return Fleet(members, order, self._sink, self._command.holder(), lock_wait=self._request.lock_wait)

    def _partial(self) -> tuple[PartialFleet, ...]:
        """The deployment that has reached some of the regions only, as they stand now."""
        answers = ask_each([(one.target, partial(self._revisions, one)) for one in self._loaded.configurations])
        for target, error in answers.failures:
            self._command.warn(f"{target.region} was not compared with the other regions: {error}")
        releases: dict[Target, Sequence[Revision]] = {
            one.target: revisions
            for one, revisions in zip(self._loaded.configurations, answers.values, strict=True)
            if revisions is not None
        }
        found = partial_fleet(releases)
        return (found,) if found else ()


def _is_open(work: Work) -> bool:
    """Whether there may be something to repair: to be looked at anew once the lock is ours."""
    if work.plan.release_action != "none" or is_left(work.traffic):
        return True
    with suppress(NotPermitted):  # whoever may read releases need not be allowed to read locks
        return work.ports.locks.look(work.app.app_name, work.namespace) is not None
    return False


def _is_settled(recovery: Recovery) -> bool:
    return recovery.plan.release_action == "none" and recovery.revision is not None


def _told(result: TargetResult, plan: TargetPlan) -> TargetResult:
    """The result as that of a repair: what was found, and what became of it."""
    found = ", ".join(plan.reasons)
    match result.outcome:
        case "deployed":
            did = f"{found}: it runs well, and is verified now"
        case "restored":
            did = f"{found}: rolled back to revision {plan.rollback_to}, as revision {result.revision}"
        case "removed":
            did = f"{found}: uninstalled, since nothing before it was complete; claimed volumes are kept"
        case "rolled back" | "uninstalled":
            back = f"rolled back, as revision {result.revision}" if result.revision else "uninstalled"
            did = f"{found}: {_cause(result.error)}; {back}"
        case "unchanged" if result.repairs:
            return replace(result, outcome="repaired")
        case _:
            return result
    return replace(result, outcome="repaired", repairs=(*result.repairs, did), error=None)


def _cause(error: DeployError | None) -> str:
    return f"{error.what}: {error.why}" if error and error.why else error.what if error else "it does not run well"
