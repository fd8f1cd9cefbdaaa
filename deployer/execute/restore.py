"""Looks at one target that is to be rolled back: its revisions first, then whether the chosen one can come back."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from deployer.errors import ConfigurationError, NotPermitted, raise_all
from deployer.execute.compare import Owned, compare
from deployer.execute.image_ports import Registry
from deployer.execute.lifted import refuse_gone, stored
from deployer.execute.parallel import values_of
from deployer.execute.preflight import Entry, NoNamespace, Troubles, check
from deployer.execute.watch import observe as observe_workloads
from deployer.execute.work import RegionPorts
from deployer.model import App, Json, Revision, Settings, Target, WorkloadState
from deployer.plan.facts import Comparison
from deployer.plan.manifests import PreparedManifests
from deployer.plan.revisions import named
from deployer.plan.rollback import Choice, plan_rollback
from deployer.plan.steps import TargetPlan
from deployer.plan.stored import own_images, prepared_again


@dataclass(frozen=True)
class Place:
    """A target with what it takes to look at it. `registry` is None where images are of other people's only."""

    target: Target
    settings: Settings
    app: App
    ports: RegionPorts
    registry: Registry | None = None

    def revisions(self) -> tuple[Revision, ...]:
        """The release's revisions, newest first."""
        return self.ports.releases.revisions(self.app.app_name, self.settings.namespace)


@dataclass(frozen=True)
class Restorable:
    """What was seen: the way back, and the old revision's manifests beside what is live.

    `workloads` where nothing is to be done; `current` is the newest revision.
    """

    place: Place
    choice: Choice
    plan: TargetPlan
    prepared: PreparedManifests
    workloads: tuple[WorkloadState, ...] = ()
    comparison: Comparison = field(default_factory=Comparison, repr=False)
    current: Revision | None = None


def restorable(
    place: Place, revisions: Sequence[Revision], choice: Choice, *, refuse_held: bool, tell: bool = False
) -> Restorable:
    """The plan for a target, once all is seen to be there for it. Changes nothing.

    Raises everything that stands in the way: an image that is gone from the registry, manifests that the API server
    refuses today, what we may not do, and with `refuse_held` a lock that somebody holds. With `tell`, fields that may
    not change are told with the plan, and not raised.
    """
    plan = plan_rollback(
        place.target,
        revisions,
        choice,
        {} if choice.stays else _secrets(place),
        namespace=place.settings.namespace,
    )
    prepared = prepared_again(choice.revision, place.settings.namespace, place.target.environment)
    if choice.stays:
        workloads = observe_workloads(place.ports.cluster, prepared, place.settings.rollout)
        return Restorable(place, choice, plan, prepared, workloads)
    name, namespace = place.app.app_name, place.settings.namespace
    comparing, checking, looking = Troubles(), Troubles(), Troubles()
    entry = Entry(name, namespace, place.ports, prepared, plan.deletions, refuse_held=refuse_held)
    owned = Owned(name, namespace, revisions, rollback=True)
    found: list[Comparison] = []
    steps: list[Callable[[], object]] = [
        lambda: comparing.attempt(lambda: found.append(compare(place.ports.cluster, prepared, owned, tell=tell))),
        lambda: checking.attempt(lambda: check(entry)),
        lambda: looking.attempt(lambda: _check_images(place, choice.revision, prepared)),
        lambda: looking.attempt(lambda: refuse_gone(place.ports.cluster, prepared, named(choice.revision))),
    ]
    values_of(steps)
    if checking.has(NoNamespace):
        comparing.errors = []  # each object would be refused for that alone
    elif checking.has(NotPermitted):
        comparing.drop(NotPermitted)
    looking.errors = [*looking.errors, *checking.errors, *comparing.errors]
    looking.raise_all()
    return Restorable(place, choice, plan, prepared, comparison=found[0], current=revisions[0])


def _secrets(place: Place) -> dict[str, Json]:
    try:
        return stored(place.ports.cluster, place.settings.namespace, place.app.app_name)
    except NotPermitted:
        return {}  # nor may anybody read Helm's releases then, and that is told better


def _check_images(place: Place, revision: Revision, prepared: PreparedManifests) -> None:
    """Raises a ConfigurationError for each image of the old revision that is no longer in our registry."""
    if place.registry is None or place.settings.aws_ecr_prefix is None:
        return
    version = revision.record.version if revision.record else None
    anew = f"deploy {place.target}" + (f" --version {version}" if version else "")
    raise_all(
        [
            ConfigurationError(
                f"an image of {named(revision)} is gone from the registry",
                where=image.pinned,
                hint=f"choose another one of what `deploy history {place.target}` shows, or have it built anew: {anew}",
            )
            for image in own_images(prepared.objects, place.settings.aws_ecr_prefix)
            if not place.registry.has(image)
        ]
    )
