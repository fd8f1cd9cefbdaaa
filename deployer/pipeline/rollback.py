"""The story of `deploy rollback`, from top to bottom: choose, see that it can be done, roll back, report.

choose     every region's revisions are read; what each goes back to, by number, by deployment, or one step
look       per target, in parallel: image, dry run, permissions, lock; all that is wrong anywhere ends it here
execute    one fleet, all regions at once: Helm's rollback, then watched, asked from outside, marked like a deployment
report     every target's result, whatever happened to the others

Of the app's file only its names are used: a rollback works also while its manifests or artefacts are broken.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial

from deployer.config import Configuration, Loaded
from deployer.errors import DeployError, ErrorGroup, HeldError, InterruptedBySignal
from deployer.events import Sink
from deployer.execute.everywhere import Failure, Question, ask_each, refuse
from deployer.execute.fleet import Fleet, Member, run_fleets
from deployer.execute.restore import Place, Restorable, restorable
from deployer.execute.services import Services
from deployer.execute.work import Work
from deployer.model import DeploymentRecord, Outcome, Revision, Target, TargetResult
from deployer.pipeline.command import Command, CommandRequest, Conclusion
from deployer.pipeline.preparing import keep_lifted
from deployer.pipeline.previewing import with_way_back
from deployer.pipeline.traffic import Wish, one_by_one, traffic_of
from deployer.plan.order import Order
from deployer.plan.revisions import same_content
from deployer.plan.rollback import Choice, Releases, choose
from deployer.plan.steps import Plan
from deployer.plan.stored import secret_texts


@dataclass(frozen=True)
class RollbackRequest(CommandRequest):
    """What is asked for. `to` as `plan.rollback.choose` takes it."""

    to: str | None = None


class Rollback:
    """One rollback of one app in all regions named. `confirm` may refuse the plan by raising HeldError."""

    def __init__(
        self,
        request: RollbackRequest,
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
        self._command = Command("rollback", request.deployment, request.stage, services, sink)

    def run(self) -> Conclusion:
        """Every target's result, and the signal that cut it short, if one did.

        Raises a DeployError when nothing was changed: no such revision, a service out of reach, a refusal.
        """
        found = self._look()
        plan = Plan(tuple(one.plan for one in found))
        self._warn_of_differences(found)
        if self._request.plan_only or not plan.changes_anything:
            return self._command.result([self._untouched(one) for one in found]), None
        self._confirm(plan)
        announcer = self._command.begin(plan, self._loaded.configurations)
        results, signalled = self._execute(found)
        return self._command.conclude(announcer, [results[target] for target in self._loaded.targets], signalled)

    # Looking: nothing is changed anywhere.

    def _look(self) -> list[Restorable]:
        """What each region goes back to, seen to be possible; raises everything that stands in the way anywhere."""
        request, failures = self._request, list(self._loaded.failures)
        with self._command.phases("compare") as phase:
            places = [self._place(one) for one in self._loaded.configurations]
            releases = self._read(places, failures)
            choices = _choices(releases, request.to, failures)
            held = request.lock_wait <= 0 and not request.plan_only
            answers = ask_each(
                [
                    (one.target, partial(self._restorable, one, releases[one.target], choices[one.target], held))
                    for one in places
                    if one.target in choices
                ]
            )
            refuse(self._loaded.targets, [*failures, *answers.failures], request.command_for)
            phase.detail = _counted([one.choice for one in answers.given])
        return answers.given

    def _restorable(self, place: Place, revisions: Sequence[Revision], choice: Choice, held: bool) -> Restorable:
        """What was seen of a target; with all that changes there, where somebody is to see that."""
        request = self._request
        found = restorable(place, revisions, choice, refuse_held=held, tell=request.plan_only)
        return with_way_back(found, self._services) if request.shows(place.settings) else found

    def _read(self, places: Sequence[Place], failures: list[Failure]) -> Releases:
        """The revisions of all regions that can be read; the AWS accounts are looked at, too."""
        reads: list[Question[tuple[Revision, ...] | None]] = [(one.target, one.revisions) for one in places]
        accounts: list[Question[tuple[Revision, ...] | None]] = [
            (one.target, partial(self._services.check_account, one.settings, one.target)) for one in places
        ]
        lifted: list[Question[tuple[Revision, ...] | None]] = [
            (one.target, partial(keep_lifted, self._services, one.ports.cluster, one.settings, one.app))
            for one in places
        ]
        answers = ask_each([*reads, *accounts, *lifted])
        failures += answers.failures
        read = zip(places, answers.values[: len(places)], strict=True)
        releases = {place.target: revisions for place, revisions in read if revisions is not None}
        self._keep_secrets(releases.values())
        return releases

    def _place(self, configuration: Configuration) -> Place:
        settings, target = configuration.settings, configuration.target
        registry = self._services.registry(settings, target) if settings.aws_ecr_prefix else None
        return Place(target, settings, configuration.app, self._services.region(settings, target), registry)

    def _keep_secrets(self, releases: Iterable[Sequence[Revision]]) -> None:
        """What revisions hold may have been secret in its time, and is in no file any more."""
        self._services.keep_secret(text for revisions in releases for one in revisions for text in secret_texts(one))

    def _warn_of_differences(self, found: Sequence[Restorable]) -> None:
        goals = {one.choice.revision.origin for one in found}
        if len(goals) > 1:
            told = ", ".join(
                f"{one.place.target.region} {one.choice.revision.origin or 'none of ours'}" for one in found
            )
            self._command.warn(f"the regions end with different deployments: {told}; --to names one for all of them")

    # Doing.

    def _execute(self, found: Sequence[Restorable]) -> tuple[dict[Target, TargetResult], InterruptedBySignal | None]:
        members = [Member(self._work(one), partial(self._again, one)) for one in found]
        order = Order(waves=(tuple(one.place.target.region for one in found),))
        if any(one.place.settings.rollout.drain for one in found):
            order = one_by_one(order)
        holder = self._command.holder()
        return run_fleets([Fleet(members, order, self._sink, holder, lock_wait=self._request.lock_wait)])

    def _again(self, seen: Restorable) -> Work:
        """The work of a target whose release has moved on since: what was chosen stays chosen."""
        place, wanted = seen.place, seen.choice.revision
        revisions = place.revisions()
        self._keep_secrets([revisions])
        chosen = next((one for one in revisions if one.number == wanted.number and same_content(one, wanted)), None)
        if chosen is None:
            raise HeldError(
                f"{place.app.app_name} has changed meanwhile, and revision {wanted.number} is not there any more",
                where=place.target.environment,
                hint="run the same command again: it chooses from what is there now",
            )
        current = revisions[0]
        stays = current.verified and same_content(current, chosen)
        choice = replace(seen.choice, revision=current if stays else chosen, stays=stays)
        return self._work(self._restorable(place, revisions, choice, held=False))

    def _record(self, place: Place, fleet: Sequence[str]) -> DeploymentRecord:
        until = self._command.kept_until(place.target, place.settings)
        return self._command.record(place.target, place.app, fleet, until=until)

    def _work(self, one: Restorable) -> Work:
        place, old = one.place, one.choice.revision
        version, tag = (old.record.version, old.record.tag) if old.record else (None, None)
        fleet = [target.region for target in self._loaded.targets]
        return Work(
            plan=one.plan,
            app=replace(place.app, version=version, tag=tag),
            settings=place.settings,
            prepared=one.prepared,
            record=self._record(place, fleet).restoring(old),
            ports=place.ports,
            timeout=self._request.timeout or place.settings.rollout.timeout,
            workloads=one.workloads,
            traffic=traffic_of(
                self._services,
                place.target,
                place.app,
                place.settings,
                place.ports.prober,
                self._command.holder(),
                Wish(),
                optional=True,
            ),
        )

    def _untouched(self, one: Restorable) -> TargetResult:
        """The result of a target to which nothing was done: it was only planned, or there was nothing to do."""
        work = self._work(one)
        outcome: Outcome = "planned" if one.plan.changes_anything else "unchanged"
        refused = one.comparison.refused
        error = ErrorGroup(refused) if refused else None
        return work.result(outcome, revision=one.plan.current_revision, workloads=one.workloads, error=error)


def _counted(choices: Sequence[Choice]) -> str:
    """`1 region can go back, 2 stay`."""
    stay = sum(one.stays for one in choices)
    go = len(choices) - stay
    going = f"{go} region{'s' if go != 1 else ''} can go back" if go else None
    staying = f"{stay} stay{'s' if stay == 1 else ''}" if stay else None
    return ", ".join(part for part in (going, staying) if part)


def _choices(releases: Releases, to: str | None, failures: list[Failure]) -> dict[Target, Choice]:
    """What each region goes back to; why others cannot is added to `failures`."""
    try:
        choices = choose(releases, to)
    except DeployError as error:
        failures += [(target, error) for target in releases]
        return {}
    failures += [(target, one) for target, one in choices.items() if isinstance(one, DeployError)]
    return {target: one for target, one in choices.items() if isinstance(one, Choice)}
