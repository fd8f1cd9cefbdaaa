"""The story of a deployment, from top to bottom: observe, plan, provide images, execute, report.

observe    per target, in parallel: artefacts, image, release, what the manifests would do; nothing is changed
plan       a frozen value; `--plan` ends here
images     one build per content, pushed; copied by digest to the other registries
execute    per app a fleet: locks, then wave by wave upgrade, watch, ask from outside, mark; a failure is kept beside
           the other regions' results
report     every target's result, whatever happened to the others

Configuration has been loaded before, as far as it is well. What is wrong in any file of any target, and everything that
is seen to be wrong while observing, is told in one report; then nothing is changed anywhere.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

from deployer.config import Loaded
from deployer.errors import DeployError, ErrorGroup, InterruptedBySignal, interruption
from deployer.events import Sink
from deployer.execute.adoption import settle
from deployer.execute.fleet import Fleet, Member, run_fleets
from deployer.execute.hooks import TargetHooks
from deployer.execute.images import StoredImage, WantedImage, copy_images, provide_images
from deployer.execute.observe import Observation, observe
from deployer.execute.parallel import values_of
from deployer.execute.services import Services
from deployer.execute.work import Work
from deployer.model import SUCCESSES, Image, Target, TargetResult
from deployer.pipeline.command import Command, CommandRequest, Conclusion
from deployer.pipeline.hooking import check_arguments, hooks_of
from deployer.pipeline.managed_dns import DnsAhead
from deployer.pipeline.observing import Look, observe_all
from deployer.pipeline.origin import Promotion
from deployer.pipeline.previewing import with_preview
from deployer.pipeline.traffic import Wish, one_by_one, traffic_of
from deployer.plan.order import OnFailure, Order, order_of
from deployer.plan.planner import plan_target
from deployer.plan.steps import Plan, TargetPlan


@dataclass(frozen=True)
class Request(CommandRequest):
    """What is asked for.

    `waves`, `bake` (seconds) and `on_failure` override what `Rollout` says. `promotion` is what another stage runs: its
    image takes the place of one that would be built. `adopt`: objects of others are taken over. `traffic`: whether
    regions are drained while they are changed.
    """

    rebuild: bool = False
    waves: str | None = None
    bake: float | None = None
    on_failure: OnFailure | None = None
    promotion: Promotion | None = None
    adopt: bool = False
    traffic: Wish = field(default_factory=Wish)
    hook_arguments: tuple[str, ...] = ()


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
        origin = request.promotion.stage if request.promotion else None
        action = "promote" if origin else "adopt" if request.adopt else "deploy"
        self._dns = DnsAhead(self._configurations, services, adopt=request.adopt)
        self._command = Command(action, request.deployment, request.stage, services, sink, origin)

    def run(self) -> Conclusion:
        """Every target's result, and the signal that cut it short, if one did.

        Raises a DeployError when no cluster was changed: configuration, a service out of reach, a refusal.
        """
        check_arguments(self._loaded, self._request.hook_arguments)
        orders = self._orders()
        self._dns.begin()
        observations = self._observe()
        self._dns.refuse(self._request.command_for)
        plans = values_of([partial(self._plan, observation) for observation in observations])
        plan = Plan(tuple(plans))
        self._changing = [one.target for one in plans if one.release_action != "none"]
        self._command.warn(*dict.fromkeys(warning for each in plans for warning in each.warnings))
        if self._request.plan_only or not plan.changes_anything:
            return self._command.result(
                [self._untouched(*pair) for pair in zip(observations, plans, strict=True)]
            ), None
        self._confirm(plan)
        announcer = self._command.begin(plan, self._configurations)
        try:
            images = self._provide_images(observations)
        except (DeployError, KeyboardInterrupt) as error:
            failure = error if isinstance(error, DeployError) else interruption(error)
            results = [self._not_started(*pair, failure) for pair in zip(observations, plans, strict=True)]
            self._command.conclude(announcer, results, failure if isinstance(failure, InterruptedBySignal) else None)
            raise failure from None
        results, signalled = self._execute(observations, plans, images, orders)
        return self._command.conclude(announcer, results, signalled)

    def _orders(self) -> dict[str, Order]:
        """The order of each app's regions."""
        request, orders = self._request, {}
        for name in dict.fromkeys(one.target.application for one in self._configurations):
            members = [one for one in self._configurations if one.target.application == name]
            pairs = [environment.split(".", 1) for environment in members[0].app.environments]
            orders[name] = order_of(
                [one.target.region for one in members],
                [one.settings.rollout for one in members],
                known=[region for stage, region in pairs if stage == request.stage],
                waves=request.waves,
                bake=request.bake,
                on_failure=request.on_failure,
                place=f"Rollout of {name} in {request.stage}",
            )
            if any(request.traffic.drains(one.settings.rollout) for one in members):
                orders[name] = one_by_one(orders[name])
        return orders

    # Observing: nothing is changed anywhere.

    def _observe(self) -> list[Observation]:
        request = self._request
        look = Look(
            rebuild=request.deployment if request.rebuild else None,
            promotion=request.promotion,
            adopt=request.adopt,
            tell=request.plan_only,
            refuse_held=not request.plan_only and request.lock_wait <= 0,
            command_for=request.command_for,
        )
        return observe_all(self._loaded, look, self._command)

    def _plan(self, observation: Observation) -> TargetPlan:
        """A target's plan, with its DNS; with all that it changes, where somebody is to see that."""
        plan = self._dns.planned(plan_target(observation.facts))
        if not self._request.shows(observation.subject.settings):
            return plan
        return with_preview(plan, observation, self._services)

    # Doing.

    def _provide_images(self, observations: Sequence[Observation]) -> list[Image | None]:
        """Each target's image with its digest; None where the app has none."""
        copies = [_copied(one) for one in observations]
        if promoted := [copy for copy in copies if copy is not None]:
            copied = iter(copy_images(promoted, self._sink))
            return [next(copied) if copy is not None else None for copy in copies]
        wanted = [_wanted(one, partial(self._before_build, one)) for one in observations]
        present = [want for want in wanted if want is not None]
        if not present:
            return [None] * len(wanted)
        provided = iter(provide_images(present, self._services.builder(), self._sink, no_cache=self._request.rebuild))
        return [next(provided) if want is not None else None for want in wanted]

    def _before_build(self, observation: Observation) -> None:
        if (hooks := self._hooks(observation)) is not None and observation.identity is not None:
            hooks.before_build(observation.identity.image, self._sink)

    def _hooks(self, observation: Observation) -> TargetHooks | None:
        configuration = next(one for one in self._configurations if one.target == observation.subject.target)
        docker_hash = observation.identity.docker_hash if observation.identity else None
        return hooks_of(configuration, docker_hash, self._request.hook_arguments, self._services)

    def _execute(
        self,
        observations: Sequence[Observation],
        plans: Sequence[TargetPlan],
        images: Sequence[Image | None],
        orders: dict[str, Order],
    ) -> tuple[list[TargetResult], InterruptedBySignal | None]:
        members: dict[str, list[Member]] = {}
        for observation, plan, image in zip(observations, plans, images, strict=True):
            work = self._work(observation, plan, image)
            members.setdefault(work.target.application, []).append(
                Member(work, partial(self._again, observation, image))
            )
        holder = self._command.holder()
        fleets = [
            Fleet(fleet, orders[name], self._sink, holder, lock_wait=self._request.lock_wait)
            for name, fleet in members.items()
        ]
        results, signalled = run_fleets(fleets)
        for attempt in (attempt for fleet in fleets for attempt in fleet.attempts):
            result = results[attempt.work.target]
            if self._request.adopt and result.outcome in SUCCESSES:
                self._command.warn(*settle(attempt.work, attempt.revision or attempt.work.plan.current_revision))
        return [results[observation.subject.target] for observation in observations], signalled

    def _again(self, observation: Observation, image: Image | None) -> Work:
        """The work of a target whose release has moved on since it was observed."""
        seen = observe(replace(observation.subject, refuse_held=False))  # the lock is ours by now
        if seen.identity is not None and (image is None or seen.identity.image.reference != image.reference):
            (image,) = self._provide_images([seen])
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
            hooks=self._hooks(observation),
        )

    # Telling.

    def _untouched(self, observation: Observation, plan: TargetPlan) -> TargetResult:
        """The result of a target to which nothing was done: it was only planned, or there was nothing to do."""
        work = self._work(observation, plan, plan.image)
        refused = observation.facts.release.comparison.refused
        if not plan.changes_anything and not refused:
            return work.unchanged()
        return work.result(
            "planned",
            revision=plan.current_revision,
            workloads=work.workloads,
            error=ErrorGroup(refused) if refused else None,
        )

    def _not_started(self, observation: Observation, plan: TargetPlan, error: DeployError) -> TargetResult:
        return self._work(observation, plan, plan.image).result("not started", error=error)


def _copied(observation: Observation) -> tuple[StoredImage, StoredImage] | None:
    """Where a promoted image comes from, and where it goes."""
    subject, identity = observation.subject, observation.identity
    if identity is None or subject.promoted is None or subject.registry is None:
        return None
    return subject.promoted.source, StoredImage(identity.image, subject.registry)


def _wanted(observation: Observation, before: Callable[[], None]) -> WantedImage | None:
    subject, identity = observation.subject, observation.identity
    if identity is None or subject.app.docker is None or subject.context is None or subject.registry is None:
        return None
    return WantedImage(identity.image, subject.registry, subject.app.docker, subject.context, before)
