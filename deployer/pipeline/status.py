"""The story of `deploy status`: ask every region's cluster at once, judge each app in each region, compare the regions.

Nothing is changed. A region that cannot be read is told in its own rows and among the errors; the others are shown.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from typing import Any, TypeVar

from deployer.config.releases import Release
from deployer.errors import DeployError, ErrorGroup
from deployer.execute.dns.site import Site
from deployer.execute.dns.standing import read_standing
from deployer.execute.parallel import run_all, values_of
from deployer.execute.ports import Cluster
from deployer.execute.services import Services
from deployer.execute.work import RegionPorts
from deployer.model import App, DeploymentRecord, Json, LockState, ObjectKey, RolloutSettings, Target, WorkloadState
from deployer.model.branches import branch_of
from deployer.model.settings import ClusterSettings
from deployer.model.status import ReleaseHead, ReleaseStatus, StageStatus, Stranger
from deployer.plan.readiness import Judge, Observed, Sightings, assess
from deployer.plan.skew import compared
from deployer.plan.standing import release_status, running_objects

T = TypeVar("T")

_LISTED = frozenset({"DaemonSet", "Deployment", "StatefulSet"})
"""Kinds of which a namespace has hardly more than its releases have: these are listed. Jobs and Pods may be many."""

_SINGLY = 5
"""Up to so many objects of such a kind are asked for one by one all the same."""

_CHECKED = 20
"""Health checks whose checkers are asked about at most: Route 53 answers five questions a second."""

_FEW = 25
"""Up to so many releases are asked for by name; beyond, all of the namespace."""


@dataclass(frozen=True)
class _Place:
    """Releases that one series of questions tells of: those of one namespace in one region's cluster."""

    region: str
    cluster: ClusterSettings
    namespace: str


@dataclass(frozen=True)
class _Seen:
    """What a place's cluster shows."""

    heads: Mapping[str, ReleaseHead]
    workloads: Mapping[str, tuple[WorkloadState, ...]]
    locks: Mapping[str, LockState]


class StatusReader:
    """Reads the status of the same apps of a stage, again and again if need be.

    `releases` says for each target where its release is, or why that is not known. `everything`: they are all apps of
    the stage, so that what else this tool has released there is a stranger.
    """

    def __init__(
        self,
        stage: str,
        releases: Mapping[Target, Release | DeployError],
        services: Services,
        *,
        everything: bool = False,
    ) -> None:
        self._stage = stage
        self._releases = releases
        self._everything = everything
        self._places: dict[_Place, list[Release]] = {}
        for release in releases.values():
            if isinstance(release, Release):
                self._places.setdefault(_place(release), []).append(release)
        self._ports = {
            place: services.region(found[0].settings, found[0].target) for place, found in self._places.items()
        }
        self._sites = self._managed(services)

    def read(self) -> StageStatus:
        """The stage as it stands now. Raises InterruptedBySignal only."""
        began, taken = time.monotonic(), datetime.now(UTC)
        questions: list[Callable[[], Any]] = [partial(self._ask, place) for place in self._places]
        *found, traffic = _attempts([*questions, lambda: read_standing(self._sites, most=_CHECKED)])
        if isinstance(traffic, DeployError):  # pragma: no cover -- it has its errors in its rows
            raise traffic
        answers = dict(zip(self._places, found, strict=True))
        standing = {one.target: one for one in traffic}
        rows = [
            replace(self._row(target, release, answers), traffic=standing.get(target))
            for target, release in self._releases.items()
        ]
        return StageStatus(
            stage=self._stage,
            taken=taken,
            seconds=time.monotonic() - began,
            rows=tuple(_with_differences(rows)),
            strangers=tuple(self._strangers(answers)) if self._everything else (),
            errors=_distinct([*self._releases.values(), *answers.values(), *(one.error for one in traffic)]),
        )

    def _managed(self, services: Services) -> list[Site]:
        """What is to be asked about DNS: the apps with a host where DNS is managed."""
        sites = []
        for release in self._releases.values():
            if isinstance(release, DeployError) or not release.sub_domain or not release.settings.dns_domain:
                continue
            name, settings = release.target.application, release.settings
            environments = tuple(target.environment for target in self._releases if target.application == name)
            sites.append(
                Site(
                    release.target,
                    App(name, release.name, environments, sub_domain=release.sub_domain),
                    settings,
                    self._ports[_place(release)],
                    services.dns(settings, release.target),
                    services.load_balancers(settings, release.target),
                )
            )
        return sites

    # Asking a place.

    def _ask(self, place: _Place) -> _Seen:
        ports, names = self._ports[place], {release.name for release in self._places[place]}
        every = self._everything or len(names) > _FEW
        questions: list[Callable[[], _Seen]] = [
            partial(_ask_releases, ports, place.namespace, names, every=every),
            lambda: _Seen({}, {}, ports.locks.all(place.namespace)),
        ]
        try:
            seen, held = values_of(questions)
        except DeployError as error:
            raise _of_region(error, f"{self._stage}.{place.region}") from None
        return replace(seen, locks=held.locks)

    # Judging what was seen.

    def _row(
        self, target: Target, release: Release | DeployError, answers: Mapping[_Place, _Seen | DeployError]
    ) -> ReleaseStatus:
        if isinstance(release, DeployError):
            return ReleaseStatus(target, "unknown", error=release)
        namespace, seen = release.settings.namespace, answers[_place(release)]
        if isinstance(seen, DeployError):
            return ReleaseStatus(target, "unknown", release.name, namespace, error=seen)
        return release_status(
            target,
            release.name,
            namespace,
            seen.heads.get(release.name),
            seen.workloads.get(release.name, ()),
            seen.locks.get(release.name),
        )

    def _strangers(self, answers: Mapping[_Place, _Seen | DeployError]) -> Iterable[Stranger]:
        for place, seen in answers.items():
            if isinstance(seen, DeployError):
                continue
            known = {release.name for release in self._places[place]}
            for name, head in sorted(seen.heads.items()):
                record = head.newest.record
                if name not in known and record is not None and record.stage == self._stage and not _of_branch(record):
                    yield Stranger(place.region, name, record.application)


def _of_branch(record: DeploymentRecord) -> bool:
    """Whether it is a branch's, which `deploy branches` tells of."""
    return branch_of(record.application) is not None


def _place(release: Release) -> _Place:
    return _Place(release.target.region, release.settings.cluster, release.settings.namespace)


def _ask_releases(ports: RegionPorts, namespace: str, names: set[str], *, every: bool) -> _Seen:
    heads = ports.releases.heads(namespace, None if every else names)
    wanted = {name: running_objects(head.newest, namespace) for name, head in heads.items() if name in names}
    live = _live(ports.cluster, [key for keys in wanted.values() for key in keys])
    judge = Judge(RolloutSettings(), time.monotonic(), Sightings())
    workloads = {
        name: tuple(assess(key, Observed(live.get(key)), judge) for key in keys) for name, keys in wanted.items()
    }
    return _Seen(heads, workloads, {})


def _live(cluster: Cluster, keys: Sequence[ObjectKey]) -> dict[ObjectKey, Json | None]:
    """The live objects with these keys, by as few questions as there may be."""
    found: dict[ObjectKey, Json | None] = {}
    groups: dict[tuple[str, str, str | None], list[ObjectKey]] = {}
    for key in keys:
        groups.setdefault((key.api_version, key.kind, key.namespace), []).append(key)
    for (api_version, kind, namespace), group in groups.items():
        if kind in _LISTED and len(group) > _SINGLY:
            objects = {one["metadata"]["name"]: one for one in cluster.list(api_version, kind, namespace)}
            found |= {key: objects.get(key.name) for key in group}
        else:
            found |= {key: cluster.get(key) for key in group}
    return found


def _with_differences(rows: Iterable[ReleaseStatus]) -> Iterable[ReleaseStatus]:
    apps: dict[str, list[ReleaseStatus]] = {}
    for row in rows:
        apps.setdefault(row.target.application, []).append(row)
    for _, group in sorted(apps.items()):
        yield from compared(group)


def _attempts(questions: Sequence[Callable[[], T]]) -> list[T | DeployError]:
    """The answers of questions asked at once, errors in the places of those that failed."""
    outcomes, signalled = run_all(questions, grace=1.0)
    if signalled is not None:
        raise signalled
    answers: list[T | DeployError] = []
    for outcome in outcomes:
        if outcome.error is not None and not isinstance(outcome.error, DeployError):
            raise outcome.error
        answers.append(outcome.error if outcome.error is not None else outcome.value)  # type: ignore[arg-type]
    return answers


def _of_region(error: DeployError, environment: str) -> DeployError:
    """The error with its region named; once, though all questions may have failed for the same reason."""
    for leaf in error.leaves():
        leaf.where = f"{environment}, {leaf.where}" if leaf.where else environment
    leaves = _distinct([error])
    return leaves[0] if len(leaves) == 1 else ErrorGroup(leaves)


def _distinct(answers: Iterable[object]) -> tuple[DeployError, ...]:
    """The errors among the answers, each once: one file may be behind many of them."""
    leaves = [leaf for answer in answers if isinstance(answer, DeployError) for leaf in answer.leaves()]
    return tuple({(type(leaf), str(leaf), leaf.hint): leaf for leaf in leaves}.values())
