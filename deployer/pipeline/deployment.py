"""The story of a deployment, from top to bottom: observe, plan, provide images, execute, report.

observe    per target, in parallel: artefacts, image, release, what the manifests would do; nothing is changed
plan       a frozen value; `--plan` ends here
images     one build per content, pushed; copied by digest to the other registries
execute    per app a fleet: locks, then wave by wave upgrade, watch, ask from outside, mark; a failure is kept beside
           the other regions' results
report     every target's result, whatever happened to the others

Configuration has been loaded before, as far as it is well. What is wrong in any file of any target, and everything that
is seen to be wrong while observing, is told in one report; then nothing is changed anywhere, or, where apps were chosen
and not named, nothing of the apps that something is wrong with (see `apart`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

from deployer.config import Configuration, Loaded
from deployer.errors import DeployError, ErrorGroup, InterruptedBySignal, interruption
from deployer.events import Sink
from deployer.execute.adoption import settle
from deployer.execute.everywhere import refuse
from deployer.execute.fleet import AT_ONCE, Fleet, Member, run_fleets
from deployer.execute.hooks import TargetHooks
from deployer.execute.observe import Observation, observe
from deployer.execute.parallel import values_of
from deployer.execute.services import Services
from deployer.execute.work import Work
from deployer.model import SUCCESSES, Image, Target, TargetResult
from deployer.pipeline.apart import Apart
from deployer.pipeline.command import Command, CommandRequest, Conclusion
from deployer.pipeline.hooking import check_arguments, hooks_of
from deployer.pipeline.imaging import Images, images_for
from deployer.pipeline.keeping import expiry_of, keep_unchanged
from deployer.pipeline.managed_dns import DnsAhead
from deployer.pipeline.observing import Look, observe_all
from deployer.pipeline.origin import Promotion
from deployer.pipeline.previewing import with_preview
from deployer.pipeline.traffic import Wish, one_by_one, traffic_of
from deployer.plan.order import OnFailure, Order, order_of
from deployer.plan.planner import plan_target
from deployer.plan.steps import Plan, TargetPlan

_PLANS_AT_ONCE = 24


@dataclass(frozen=True)
class Request(CommandRequest):
    """What is asked for.

    `waves`, `bake` (seconds) and `on_failure` override what `Rollout` says. `promotion` is what another stage runs: its
    image takes the place of one that would be built. `adopt`: objects of others are taken over. `traffic`: whether
    regions are drained while they are changed. `at_once`: how many apps are deployed at a time.
    `expires`: how long branches are kept, in the place of what the stage says.
    """

    rebuild: bool = False
    waves: str | None = None
    bake: float | None = None
    on_failure: OnFailure | None = None
    promotion: Promotion | None = None
    adopt: bool = False
    traffic: Wish = field(default_factory=Wish)
    hook_arguments: tuple[str, ...] = ()
    at_once: int | None = None
    expires: str | None = None


class Deployment:
    """One run of the main job over all its targets. `confirm` may refuse the plan by raising HeldError."""

    def __init__(
        self,
        request: Request,
        loaded: Loaded,
        services: Services,
        sink: Sink,
        confirm: Callable[[Plan], None],
    ) -> None:
        self._request = request
        self._loaded = loaded
        self._configurations = loaded.configurations
        self._services = services
        self._sink = sink
        self._confirm = confirm
        self._changing: list[Target] = []
        self._kept: frozenset[Target] = frozenset()
        origin = request.promotion.stage if request.promotion else None
        action = "promote" if origin else "adopt" if request.adopt else "deploy"
        self._dns = DnsAhead(self._configurations, services, request.traffic, adopt=request.adopt)
        self._command = Command(action, request.deployment, request.stage, services, sink, origin)

    def run(self) -> Conclusion:
        """Every target's result, and the signal that cut it short, if one did.

        Raises a DeployError when no cluster was changed: configuration, a service out of reach, a refusal.
        """
        check_arguments(self._loaded, self._request.hook_arguments)
        apart = Apart(self._loaded, self._request.command_for)
        orders = self._orders(apart)
        self._dns.begin()
        observations = self._observe(apart)
        plans = values_of([partial(self._plan, observation) for observation in observations], at_once=_PLANS_AT_ONCE)
        plan = Plan(tuple(plans))
        self._changing = [one.target for one in plans if one.release_action != "none"]
        self._command.warn(*dict.fromkeys(warning for each in plans for warning in each.warnings))
        planned = list(zip(observations, plans, strict=True))
        if not self._request.plan_only:
            self._kept = keep_unchanged(planned, self._command, self._request.expires)
        if self._request.plan_only or not plan.changes_anything:
            return self._command.result(self._all([self._untouched(*pair) for pair in planned], apart)), None
        self._confirm(plan)
        announcer = self._command.begin(plan, self._configurations)
        try:
            images = self._images(observations, apart)
        except (DeployError, KeyboardInterrupt) as error:
            failure = error if isinstance(error, DeployError) else interruption(error)
            results = [self._not_started(*pair, failure) for pair in planned]
            self._command.conclude(announcer, results, failure if isinstance(failure, InterruptedBySignal) else None)
            raise failure from None
        going = [(one, its) for one, its in planned if apart.goes(its.target)]
        results, signalled = self._execute(going, images, orders)
        return self._command.conclude(announcer, self._all(results, apart), signalled)

    def _all(self, results: Sequence[TargetResult], apart: Apart) -> list[TargetResult]:
        """The results of all targets, in the order of the command line."""
        places = {target: place for place, target in enumerate(self._loaded.targets)}
        return sorted([*results, *apart.results], key=lambda one: places.get(one.target, len(places)))

    def _orders(self, apart: Apart) -> dict[str, Order]:
        """The order of each app's regions."""
        members: dict[str, list[Configuration]] = {}
        for one in self._configurations:
            members.setdefault(one.target.application, []).append(one)
        orders: dict[str, Order] = {}
        for name, regions in members.items():
            try:
                orders[name] = self._order(name, regions)
            except DeployError as error:
                if not self._loaded.isolates:
                    raise
                apart.leave_out([(regions[0].target, error)])
        return orders

    def _order(self, name: str, members: Sequence[Configuration]) -> Order:
        request = self._request
        pairs = [environment.split(".", 1) for environment in members[0].app.environments]
        order = order_of(
            [one.target.region for one in members],
            [one.settings.rollout for one in members],
            known=[region for stage, region in pairs if stage == request.stage],
            waves=request.waves,
            bake=request.bake,
            on_failure=request.on_failure,
            place=f"Rollout of {name} in {request.stage}",
        )
        return one_by_one(order) if any(request.traffic.drains(one.settings.rollout) for one in members) else order

    # Observing: nothing is changed anywhere.

    def _observe(self, apart: Apart) -> list[Observation]:
        """What was seen of the targets that go ahead."""
        request = self._request
        look = Look(
            rebuild=request.deployment if request.rebuild else None,
            promotion=request.promotion,
            adopt=request.adopt,
            tell=request.plan_only,
            refuse_held=not request.plan_only and request.lock_wait <= 0,
        )
        seen, failures = observe_all(self._loaded, look, self._command)
        apart.leave_out(failures)
        apart.leave_out(self._dns.failures)
        return [one for one in seen if apart.goes(one.subject.target)]

    def _plan(self, observation: Observation) -> TargetPlan:
        """A target's plan, with its DNS; with all that it changes, where somebody is to see that."""
        plan = self._dns.planned(plan_target(observation.facts))
        if not self._request.shows(observation.subject.settings):
            return plan
        return with_preview(plan, observation, self._services)

    # Doing.

    def _images(self, observations: Sequence[Observation], apart: Apart) -> Images:
        """The images of the targets that go ahead. Raises what went wrong where that is all or none."""
        images, failures = images_for(
            observations,
            self._services,
            self._sink,
            before_build=self._before_build,
            no_cache=self._request.rebuild,
        )
        if not self._loaded.isolates:
            refuse([one.subject.target for one in observations], failures)
        apart.leave_out(failures)
        return images

    def _before_build(self, observation: Observation) -> None:
        if (hooks := self._hooks(observation)) is not None and observation.identity is not None:
            hooks.before_build(observation.identity.image, self._sink)

    def _hooks(self, observation: Observation) -> TargetHooks | None:
        configuration = next(one for one in self._configurations if one.target == observation.subject.target)
        docker_hash = observation.identity.docker_hash if observation.identity else None
        return hooks_of(configuration, docker_hash, self._request.hook_arguments, self._services)

    def _execute(
        self, planned: Sequence[tuple[Observation, TargetPlan]], images: Images, orders: dict[str, Order]
    ) -> tuple[list[TargetResult], InterruptedBySignal | None]:
        members: dict[str, list[Member]] = {}
        for observation, plan in planned:
            work = self._work(observation, plan, images[plan.target])
            members.setdefault(work.target.application, []).append(
                Member(work, partial(self._again, observation, images[plan.target]))
            )
        holder = self._command.holder()
        fleets = [
            Fleet(fleet, orders[name], self._sink, holder, lock_wait=self._request.lock_wait)
            for name, fleet in members.items()
        ]
        results, signalled = run_fleets(fleets, self._loaded.needs, at_once=self._request.at_once or AT_ONCE)
        for attempt in (attempt for fleet in fleets for attempt in fleet.attempts):
            result = results[attempt.work.target]
            if self._request.adopt and result.outcome in SUCCESSES:
                self._command.warn(*settle(attempt.work, attempt.revision or attempt.work.plan.current_revision))
        return [results[plan.target] for _, plan in planned], signalled

    def _again(self, observation: Observation, image: Image | None) -> Work:
        """The work of a target whose release has moved on since it was observed."""
        seen = observe(replace(observation.subject, refuse_held=False))  # the lock is ours by now
        if seen.identity is not None and (image is None or seen.identity.image.reference != image.reference):
            image = self._images([seen], Apart(replace(self._loaded, isolates=False), None))[seen.subject.target]
        return self._work(seen, self._plan(seen), image)

    def _work(self, observation: Observation, plan: TargetPlan, image: Image | None) -> Work:
        subject, identity = observation.subject, observation.identity
        prepared = observation.prepared
        if identity is not None and image is not None and image != identity.image:
            prepared = subject.manifests(image, identity.docker_hash)
        fleet = [one.region for one in self._changing if one.application == subject.target.application]
        return Work(
            plan=replace(plan, image=image),
            app=subject.app,
            settings=subject.settings,
            prepared=prepared,
            record=self._command.record(
                subject.target,
                subject.app,
                fleet,
                image,
                content_hash=identity.content_hash if identity else None,
                rebuild=identity.rebuild if identity else None,
                until=self._command.kept_until(subject.target, subject.settings, self._request.expires),
                adopted_from=plan.adoption.sources,
            ),
            ports=subject.ports,
            timeout=self._request.timeout or subject.settings.rollout.timeout,
            workloads=observation.facts.release.workloads,
            traffic=traffic_of(
                self._services,
                subject.target,
                subject.app,
                subject.settings,
                subject.ports.prober,
                self._command.holder(),
                self._request.traffic,
            ),
            dns=self._dns.managed(subject.target, differs=plan.dns),
            withdrawal=self._dns.withdrawal(subject.target),
            hooks=self._hooks(observation),
        )

    # Telling.

    def _untouched(self, observation: Observation, plan: TargetPlan) -> TargetResult:
        """The result of a target to which nothing was done: it was only planned, or there was nothing to do."""
        work = self._work(observation, plan, plan.image)
        refused = observation.facts.release.comparison.refused
        if not plan.changes_anything and not refused:
            result = work.unchanged()
            return result if plan.target in self._kept else replace(result, expires=expiry_of(observation))
        return work.result(
            "planned",
            revision=plan.current_revision,
            workloads=work.workloads,
            error=ErrorGroup(refused) if refused else None,
        )

    def _not_started(self, observation: Observation, plan: TargetPlan, error: DeployError) -> TargetResult:
        return self._work(observation, plan, plan.image).result("not started", error=error)
