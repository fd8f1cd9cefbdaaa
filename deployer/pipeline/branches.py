"""Finds the apps that were deployed from branches, by what is kept with their releases, and says what removes them.

No app's file is needed for that: a branch can be taken away also when its app is gone.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial

from deployer.config.releases import Release
from deployer.errors import DeployError, HeldError
from deployer.execute.everywhere import Failure, Question, ask_each, refuse
from deployer.execute.services import Services
from deployer.model import App, Revision, Settings, Target
from deployer.model.branch_release import BranchRelease
from deployer.model.branches import app_of, branch_of
from deployer.plan.standing import release_status

Removable = tuple[Target, Settings, App]

_LONG_AGO = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True)
class Branches:
    """The releases of branches in some regions of a stage, and the regions that could not be asked."""

    stage: str
    releases: tuple[BranchRelease, ...]
    failures: tuple[Failure, ...]
    regions: tuple[str, ...]

    @property
    def unseen(self) -> tuple[str, ...]:
        """The regions that could not be asked."""
        return tuple(dict.fromkeys(target.region for target, _ in self.failures))

    def errors(self) -> list[DeployError]:
        """What is wrong with them, each told once with its regions."""
        try:
            refuse([Target(self.stage, region, "") for region in self.regions], self.failures)
        except DeployError as error:
            return list(error.leaves())
        return []

    def of(self, application: str) -> tuple[BranchRelease, ...]:
        """Those of `myapp@feature/x`."""
        return tuple(one for one in self.releases if one.status.target.application == application)

    def expired(self, now: datetime) -> tuple[BranchRelease, ...]:
        """Those whose time is up."""
        return tuple(one for one in self.releases if one.expired(now))

    def removable(self, chosen: Sequence[BranchRelease]) -> list[Removable]:
        """What takes some of them away.

        A branch has two releases in a region after its AppName or namespace has changed: the older one goes first, the
        other one when the same is asked for again.
        """
        found: dict[Target, Removable] = {}
        for one in sorted(chosen, key=lambda one: one.status.updated or _LONG_AGO):
            found.setdefault(one.status.target, (one.status.target, one.settings, self._app(one)))
        return [found[target] for target in dict.fromkeys(one.status.target for one in chosen)]

    def _app(self, one: BranchRelease) -> App:
        target, name = one.status.target, one.status.name
        environments = tuple(f"{self.stage}.{region}" for region in self.regions)
        return App(target.app, name or target.app, environments, sub_domain=one.sub_domain)


def find_branches(stage: str, settings: Sequence[Mapping[Target, Settings]], services: Services) -> Branches:
    """The branches in the regions that `settings` has, in each of the namespaces that they name for a region.

    Raises nothing but a signal: what is wrong with a region is among the failures.
    """
    places: dict[tuple[str, str], tuple[Target, Settings]] = {}
    for each in settings:
        for target, one in each.items():
            places.setdefault((target.region, one.namespace), (target, one))
    questions: list[Question[list[BranchRelease]]] = [
        (target, partial(_branches_in, target, one, services)) for target, one in places.values()
    ]
    answers = ask_each(questions)
    found = [one for releases in answers.given for one in releases]
    found.sort(key=lambda one: (one.status.target.application, one.status.target.region))
    regions = tuple(dict.fromkeys(region for region, _ in places))
    return Branches(stage, tuple(found), tuple(answers.failures), regions)


def choose(
    found: Branches, application: str, regions: Collection[str], known: Mapping[Target, Release | DeployError]
) -> tuple[list[Removable], list[Failure]]:
    """What takes `myapp@feature/x` away in these regions, and what stands in the way.

    `known` says where its releases would be, for an app that has a file: something of one may be left there though the
    release itself is gone.
    """
    removable = {target: (target, settings, app) for target, settings, app in found.removable(found.of(application))}
    environments = tuple(f"{found.stage}.{region}" for region in found.regions)
    for target, release in known.items():
        if isinstance(release, DeployError) or target.region not in regions:
            continue
        app = App(target.app, release.name, environments, sub_domain=release.sub_domain)
        removable.setdefault(target, (target, release.settings, app))
    return list(removable.values()), list(found.failures)


def absent(found: Branches, application: str) -> str:
    """What is to be said where there is no `myapp@feature/x`: which branches of the app there are."""
    others = [one.status.target.application for one in found.releases]
    same = sorted({str(branch_of(name)) for name in others if app_of(name) == app_of(application)})
    there = f"it has {', '.join(same[:20])}" if same else f"`deploy branches list {found.stage}` shows them all"
    return f"{found.stage} has no branch {branch_of(application)} of {app_of(application)}; {there}"


def refuse_renewed(target: Target, revisions: Sequence[Revision]) -> None:
    """Raises HeldError for a branch that has been deployed again since it was seen to have expired."""
    expires = revisions[0].expires if revisions else None
    if revisions and (expires is None or expires > datetime.now(UTC)):
        raise HeldError(f"{target.application} was deployed again meanwhile, and stays", where=target.environment)


def _branches_in(place: Target, settings: Settings, services: Services) -> list[BranchRelease]:
    heads = services.region(settings, place).releases.heads(settings.namespace)
    found = []
    for name, head in heads.items():
        record = head.newest.record
        if record is None or (record.stage, record.region) != (place.stage, place.region):
            continue
        target = Target(place.stage, place.region, record.application)
        if target.branch is None:
            continue
        status = release_status(target, name, settings.namespace, head, (), None)
        found.append(BranchRelease(status, settings, head.newest.expires, record.sub_domain))
    return found
