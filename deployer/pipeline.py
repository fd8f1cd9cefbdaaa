"""The story of a deployment, from top to bottom: observe, plan, provide images, execute, report.

observe    per target, in parallel: artefacts, image, release, what the manifests would do; nothing is changed
plan       a frozen value; `--plan` ends here
images     one build per content, pushed; copied by digest to the other registries
execute    per target, in parallel: upgrade, watch, ask from outside, mark; a failure concerns only its own target
report     every target's result, whatever happened to the others

Configuration has been loaded before: what is wrong in any file of any target ends the command there.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from threading import Event

from deployer import __version__
from deployer.config import Configuration
from deployer.errors import DeployError, InterruptedBySignal, interruption
from deployer.events import Sink, WarningRaised
from deployer.execute.announcing import Announcer
from deployer.execute.everywhere import Question, ask_all
from deployer.execute.executor import Execution
from deployer.execute.images import WantedImage, provide_images
from deployer.execute.observe import Observation, Subject, agree_on_rebuilds, observe
from deployer.execute.parallel import Outcome, run_all
from deployer.execute.phases import Phases
from deployer.execute.ports import Announcement, DockerContext
from deployer.execute.services import Services
from deployer.execute.work import Work
from deployer.model import DeploymentRecord, DeploymentResult, Image, TargetResult
from deployer.model import Outcome as OutcomeName
from deployer.plan.identity import deployment_id
from deployer.plan.manifests import PreparedManifests, SourceManifest, prepare
from deployer.plan.planner import plan_target
from deployer.plan.steps import Plan, TargetPlan
from deployer.report.announcement import finished, started


@dataclass(frozen=True)
class Request:
    """What is asked for. `timeout` (seconds) overrides `Rollout.Timeout`; `deployment` is this deployment's id."""

    deployment: str
    stage: str
    rebuild: bool = False
    plan_only: bool = False
    timeout: float | None = None


def new_deployment_id() -> str:
    """An id for a deployment that begins now."""
    return deployment_id(datetime.now(UTC), os.urandom(3))


class Deployment:
    """One run of the main job over all its targets. `confirm` may refuse the plan by raising HeldError."""

    def __init__(
        self,
        request: Request,
        configurations: Sequence[Configuration],
        services: Services,
        sink: Sink,
        confirm: Callable[[Plan], None],
    ) -> None:
        self._request = request
        self._configurations = configurations
        self._services = services
        self._sink = sink
        self._confirm = confirm
        self._phases = Phases(sink)
        self._stop = Event()
        self._began = time.monotonic()

    def run(self) -> tuple[DeploymentResult, InterruptedBySignal | None]:
        """Every target's result, and the signal that cut it short, if one did.

        Raises a DeployError when no cluster was changed: configuration, a service out of reach, a refusal.
        """
        observations = self._observe()
        plans = [plan_target(observation.facts) for observation in observations]
        plan = Plan(tuple(plans))
        self._warn(*dict.fromkeys(warning for each in plans for warning in each.warnings))
        if self._request.plan_only or not plan.changes_anything:
            return self._result([self._untouched(*pair) for pair in zip(observations, plans, strict=True)]), None
        self._confirm(plan)
        announcer = Announcer(
            [self._services.notifier(one.settings, one.app.slack_channel) for one in self._distinct_channels()]
        )
        announcer.begin(self._announce_start(plan))
        try:
            images = self._provide_images(observations, plans)
        except (DeployError, KeyboardInterrupt) as error:
            failure = error if isinstance(error, DeployError) else interruption(error)
            result = self._result([self._not_started(*pair, failure) for pair in zip(observations, plans, strict=True)])
            self._warn(*announcer.end(finished(result)))
            raise failure from None
        results, signalled = self._execute(observations, plans, images)
        result = self._result(results)
        self._warn(*announcer.end(finished(result)))
        return result, signalled

    # Observing: nothing is changed anywhere.

    def _observe(self) -> list[Observation]:
        contexts = self._contexts()
        subjects = [self._subject(*pair) for pair in zip(self._configurations, contexts, strict=True)]
        with self._phases("compare") as phase:
            subjects = agree_on_rebuilds(subjects)
            looks: list[Question[Observation | None]] = [
                (subject.target, partial(observe, subject)) for subject in subjects
            ]
            checks: list[Question[Observation | None]] = [
                (one.target, partial(self._services.check_account, one.settings, one.target))
                for one in self._configurations
            ]
            seen = [value for value in ask_all([*looks, *checks]) if value is not None]
            objects = sum(len(one.prepared.objects) for one in seen)
            phase.detail = f"{objects} objects in {len(seen)} region{'s' if len(seen) != 1 else ''}"
        return seen

    def _contexts(self) -> list[DockerContext | None]:
        """The Docker context of each target, its artefacts fetched into the cache."""
        if not any(one.app.docker for one in self._configurations):
            return [None] * len(self._configurations)
        with self._phases("artefacts") as phase:
            contexts = ask_all(
                [(one.target, partial(docker_context, one, self._services, self._sink)) for one in self._configurations]
            )
            phase.detail = "; ".join(
                dict.fromkeys(
                    download.src
                    for one in self._configurations
                    if one.app.docker
                    for download in one.app.docker.download
                )
            )
        return contexts

    def _subject(self, configuration: Configuration, context: DockerContext | None) -> Subject:
        settings, target = configuration.settings, configuration.target

        return Subject(
            target=target,
            settings=settings,
            app=configuration.app,
            prepare=partial(prepared_manifests, configuration, self._services),
            ports=self._services.region(settings, target),
            context=context,
            registry=self._services.registry(settings, target) if context else None,
            rebuild=self._request.deployment if self._request.rebuild else None,
        )

    # Doing.

    def _provide_images(self, observations: Sequence[Observation], plans: Sequence[TargetPlan]) -> list[Image | None]:
        """Each target's image with its digest; None where the app has none."""
        wanted = [self._wanted(one) for one in observations]
        present = [want for want in wanted if want is not None]
        if not present:
            return [None] * len(wanted)
        provided = iter(provide_images(present, self._services.builder(), self._sink, no_cache=self._request.rebuild))
        return [next(provided) if want is not None else None for want in wanted]

    def _wanted(self, observation: Observation) -> WantedImage | None:
        subject, identity = observation.subject, observation.identity
        if identity is None or subject.app.docker is None or subject.context is None or subject.registry is None:
            return None
        return WantedImage(identity.image, subject.app.docker, subject.context, subject.registry)

    def _execute(
        self, observations: Sequence[Observation], plans: Sequence[TargetPlan], images: Sequence[Image | None]
    ) -> tuple[list[TargetResult], InterruptedBySignal | None]:
        works = [self._work(*each) for each in zip(observations, plans, images, strict=True)]
        with ExitStack() as locks:
            for work in sorted(works, key=lambda work: work.target):
                if work.plan.release_action != "none":
                    locks.enter_context(self._services.lock(work.target))
            outcomes, signalled = run_all(
                [lambda work=work: self._run(work) for work in works],  # type: ignore[misc]
                interrupt=lambda: self._interrupt(works),
            )
        return [_kept(work, outcome) for work, outcome in zip(works, outcomes, strict=True)], signalled

    def _run(self, work: Work) -> TargetResult:
        if work.plan.release_action == "none":
            return work.result("unchanged", revision=work.plan.current_revision)
        return Execution(work, self._sink, self._stop).run()

    def _interrupt(self, works: Sequence[Work]) -> None:
        """No new step begins; a running helm is asked to stop."""
        self._stop.set()
        for work in works:
            work.ports.releases.stop()

    def _work(self, observation: Observation, plan: TargetPlan, image: Image | None) -> Work:
        subject, identity = observation.subject, observation.identity
        prepared = observation.prepared
        if identity is not None and image is not None and image != identity.image:
            prepared = subject.prepare(image, identity.docker_hash)
        return Work(
            plan=replace(plan, image=image),
            app=subject.app,
            settings=subject.settings,
            prepared=prepared,
            record=self._record(observation, image),
            ports=subject.ports,
            timeout=self._request.timeout or subject.settings.rollout.timeout,
        )

    def _record(self, observation: Observation, image: Image | None) -> DeploymentRecord:
        subject, identity = observation.subject, observation.identity
        return DeploymentRecord(
            deployment_id=self._request.deployment,
            application=subject.target.application,
            stage=subject.target.stage,
            region=subject.target.region,
            version=subject.app.version,
            tag=image.tag if image else subject.app.tag,
            image=image.reference if image else None,
            digest=image.digest if image else None,
            content_hash=identity.content_hash if identity else None,
            rebuild=identity.rebuild if identity else None,
            git_commit=self._services.git_commit(),
            who=self._services.who(),
            started=datetime.now(UTC).isoformat(timespec="seconds"),
            tool_version=__version__,
        )

    # Telling.

    def _announce_start(self, plan: Plan) -> Announcement:
        return started(
            plan,
            deployment_id=self._request.deployment,
            stage=self._request.stage,
            who=self._services.who(),
            git_commit=self._services.git_commit(),
        )

    def _distinct_channels(self) -> list[Configuration]:
        """One configuration for each channel that is to be told."""
        distinct = {(one.settings.slack, one.app.slack_channel): one for one in self._configurations}
        return list(distinct.values())

    def _untouched(self, observation: Observation, plan: TargetPlan) -> TargetResult:
        """The result of a target to which nothing was done: it was only planned, or there was nothing to do."""
        work = self._work(observation, plan, plan.image)
        outcome: OutcomeName = "planned" if plan.changes_anything else "unchanged"
        return work.result(outcome, revision=plan.current_revision, workloads=observation.facts.release.workloads)

    def _not_started(self, observation: Observation, plan: TargetPlan, error: DeployError) -> TargetResult:
        return self._work(observation, plan, plan.image).result("not started", error=error)

    def _result(self, targets: Sequence[TargetResult]) -> DeploymentResult:
        return DeploymentResult(
            deployment_id=self._request.deployment,
            stage=self._request.stage,
            who=self._services.who(),
            git_commit=self._services.git_commit(),
            seconds=time.monotonic() - self._began,
            targets=tuple(targets),
            phases=tuple(self._phases.timings),
        )

    def _warn(self, *warnings: str) -> None:
        for warning in warnings:
            self._sink.emit(WarningRaised(warning))


def docker_context(configuration: Configuration, services: Services, sink: Sink) -> DockerContext | None:
    """A target's Docker context, its artefacts fetched into the cache; None for an app without a Docker part."""
    app = configuration.app
    if app.docker is None:
        return None
    fetcher = services.fetcher(configuration.settings, configuration.target)
    artefacts = fetcher.fetch(app.docker.download, sink)
    return services.contexts().observe(app, artefacts, configuration.render_text)


def prepared_manifests(
    configuration: Configuration, services: Services, image: Image | None, docker_hash: str | None
) -> PreparedManifests:
    """A target's manifests with this image in them, as they are given to Helm; what they made of secrets is masked."""
    manifests = configuration.manifests(docker_hash)
    services.keep_secret(text for one in manifests for text in one.secret_texts())
    sources = [SourceManifest(one.content, one.where, one.locate) for one in manifests]
    return prepare(sources, configuration.settings, configuration.app, image)


def _kept(work: Work, outcome: Outcome[TargetResult]) -> TargetResult:
    """The result of a job, also of one that was left behind or ended in a way that nobody foresaw."""
    if outcome.value is not None:
        return outcome.value
    if isinstance(outcome.error, DeployError):
        return work.result("failed", error=outcome.error)
    if outcome.error is not None:
        error = DeployError(f"{work.target} ended in a defect of the tool", why=type(outcome.error).__name__)
        return work.result("failed", error=error)
    error = DeployError(
        f"{work.target} did not stop in time", hint="run the same command again: it repairs what is left"
    )
    return work.result("interrupted", error=error)
