"""The story of `deploy remove`, from top to bottom: look, confirm, take away, report.

look       per region, in parallel: the release, what of it is live, which volumes were claimed; what DNS has, where it
           is managed; nothing is changed
confirm    what goes and what stays is shown; nothing is removed without a yes
execute    one fleet, all regions at once: lock, take DNS away until clients have left, uninstall, wait until the pods
           are gone
report     every region's result, with the volumes that were kept

Of the app's file only its names are used: an app can be removed also while its file is broken, or when it is gone.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from deployer.errors import DeployError, ErrorGroup
from deployer.events import Sink
from deployer.execute.everywhere import Failure, ask_each, refuse
from deployer.execute.fleet import Fleet, Member, run_fleets
from deployer.execute.parallel import values_of
from deployer.execute.preflight import Entry, check_lock
from deployer.execute.removal import look, refuse_others, refuse_unsettled
from deployer.execute.restore import Place
from deployer.execute.services import Services
from deployer.execute.work import Work
from deployer.model import App, Revision, Settings, Target, TargetResult
from deployer.pipeline.command import Command, CommandRequest, Conclusion
from deployer.pipeline.withdrawal import DnsAway
from deployer.plan.manifests import PreparedManifests
from deployer.plan.order import Order
from deployer.plan.removal import Removal, plan_removal
from deployer.plan.steps import Plan, TargetPlan


@dataclass(frozen=True)
class RemovalRequest(CommandRequest):
    """What is asked for.

    `ours_alone`: the release was named without an app's file, so it must be one that this tool has made for the region.
    `everything`: also volumes that were claimed go, and no client is waited for, as for a branch. `guard` is shown what
    there is, before and while we hold the lock, and may raise HeldError. `isolates`: what something is wrong with is
    left out and told with the results, where otherwise nothing is removed at all.
    """

    ours_alone: bool = False
    everything: bool = False
    guard: Callable[[Target, Sequence[Revision]], None] | None = None
    isolates: bool = False


@dataclass(frozen=True)
class Seen:
    """What was seen of one target."""

    place: Place
    removal: Removal
    plan: TargetPlan


class Removing:
    """The removal of apps from all regions named. `confirm` may refuse the plan by raising HeldError."""

    def __init__(
        self,
        request: RemovalRequest,
        found: Sequence[tuple[Target, Settings, App]],
        failures: Sequence[Failure],
        services: Services,
        sink: Sink,
        confirm: Callable[[Plan], None],
    ) -> None:
        self._request = request
        self._places = [
            Place(target, settings, app, services.region(settings, target)) for target, settings, app in found
        ]
        self._dns = DnsAway(self._places, services)
        self._failures = failures
        self._left_out: list[TargetResult] = []
        self._sink = sink
        self._confirm = confirm
        self._services = services
        self._command = Command("remove", request.deployment, request.stage, services, sink)

    def run(self) -> Conclusion:
        """Every region's result, and the signal that cut it short, if one did.

        Raises a DeployError when nothing was removed anywhere: a service out of reach, a lock, no yes.
        """
        seen = self._look()
        plan = Plan(tuple(one.plan for one in seen))
        if self._request.plan_only or not plan.changes_anything:
            return self._command.result([*map(self._untouched, seen), *self._left_out]), None
        self._confirm(plan)
        changing = Plan(tuple(one for one in plan.targets if one.changes_anything))
        announcer = self._command.begin(changing, self._places)
        apps = dict.fromkeys(one.place.target.application for one in seen)
        fleets = [self._fleet([one for one in seen if one.place.target.application == app]) for app in apps]
        results, signalled = run_fleets(fleets)
        ended = [results[one.place.target] for one in seen]
        return self._command.conclude(announcer, [*ended, *self._left_out], signalled)

    def _fleet(self, seen: Sequence[Seen]) -> Fleet:
        """One app in all its regions."""
        always = self._request.guard is not None
        members = [Member(self._work(one), partial(self._again, one.place), always=always) for one in seen]
        order = Order(waves=(tuple(one.place.target.region for one in seen),))
        return Fleet(members, order, self._sink, self._command.holder(), lock_wait=self._request.lock_wait)

    def _look(self) -> list[Seen]:
        request = self._request
        with self._command.phases("look") as phase:
            releases = partial(ask_each, [(one.target, partial(self._see, one)) for one in self._places])
            found: list[Any] = values_of([releases, self._dns.look])
            answers, unknown = found
            targets = [*(target for target, _ in self._failures), *(one.target for one in self._places)]
            failures = [*self._failures, *answers.failures, *unknown]
            broken = {target for target, _ in failures}
            seen = [one for one in answers.given if one.place.target not in broken]
            if not request.isolates or not seen:
                refuse(targets, failures, request.command_for)
            self._left_out = _results_of(failures)
            there = sum(one.plan.release_action == "uninstall" for one in seen)
            phase.detail = f"{there} of {len(seen)} regions have it"
        return [self._with_dns(one) for one in seen]

    def _with_dns(self, seen: Seen) -> Seen:
        return replace(seen, plan=self._dns.planned(seen.plan, by_release=self._request.ours_alone))

    def _see(self, place: Place, *, refuse_held: bool = True) -> Seen:
        request = self._request
        name, namespace = place.app.app_name, place.settings.namespace
        revisions = place.revisions()
        if request.ours_alone:
            refuse_others(place, revisions)
        if request.guard is not None:
            request.guard(place.target, revisions)
        if revisions and not request.plan_only and refuse_held:
            check_lock(Entry(name, namespace, place.ports, refuse_held=request.lock_wait <= 0))
        refuse_unsettled(place, revisions)
        removal = look(place, revisions, everything=request.everything)
        return Seen(place, removal, plan_removal(place.target, revisions, removal, f"{name} in namespace {namespace}"))

    def _again(self, place: Place) -> Work:
        """The work of a region whose release has moved on since; the lock is ours by now."""
        return self._work(self._with_dns(self._see(place, refuse_held=False)))

    def _work(self, seen: Seen) -> Work:
        place = seen.place
        return Work(
            plan=seen.plan,
            app=place.app,
            settings=place.settings,
            prepared=PreparedManifests(place.settings.namespace, (), ()),
            record=self._command.record(place.target, place.app, ()),
            ports=place.ports,
            timeout=self._request.timeout or place.settings.rollout.timeout,
            removal=seen.removal,
            withdrawal=self._dns.withdrawal(place.target, hasty=self._request.everything),
        )

    def _untouched(self, seen: Seen) -> TargetResult:
        work = self._work(seen)
        if not seen.plan.changes_anything:
            return work.unchanged()
        return work.result("planned", revision=seen.plan.current_revision)


def _results_of(failures: Sequence[Failure]) -> list[TargetResult]:
    """A result for each target that is left out, with all that is wrong with it."""
    errors: dict[Target, list[DeployError]] = {}
    for target, error in failures:
        errors.setdefault(target, []).append(error)
    return [TargetResult(target, "not started", error=ErrorGroup(leaves)) for target, leaves in errors.items()]
