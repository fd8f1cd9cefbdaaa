"""The story of `deploy status`, with clusters in memory."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, cast

from deployer.config.releases import Release
from deployer.errors import ConfigurationError, DeployError, UnreachableError
from deployer.execute.services import Services
from deployer.execute.work import RegionPorts
from deployer.model import ClusterSettings, DeploymentRecord, Holder, Json, LockState, ObjectKey, Settings, Target
from deployer.model.status import ReleaseHead, ReleaseStatus, StageStatus
from deployer.pipeline.status import StatusReader
from tests.fakes import FakeCluster, FakeLocks, FakeProber, FakeReleases, make_revision

REGIONS = ("london", "seoul")


@dataclass
class Region:
    """One region's cluster."""

    cluster: FakeCluster = field(default_factory=FakeCluster)
    releases: FakeReleases = field(default_factory=FakeReleases)
    locks: FakeLocks = field(default_factory=FakeLocks)
    listed: list[Json] = field(default_factory=list)

    def release(self, name: str, *, stage: str = "prod", ready: int = 1, version: str = "1.0", **fields: Any) -> None:
        """A release of one Deployment."""
        record = DeploymentRecord(f"d-{name}", name, stage, "here", version=version)
        manifest = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name}}
        revision = make_revision(3, record=record, manifests=(json.dumps(manifest),), **fields)
        self.releases.known = {**cast(dict[str, ReleaseHead], self.releases.known), name: ReleaseHead(revision, None)}
        live = deployment(name, ready)
        self.cluster.objects[ObjectKey("apps/v1", "Deployment", "default", name)] = live
        self.listed.append(live)
        self.cluster.lists = {"Deployment": self.listed}


class LocksOutOfReach(FakeLocks):
    """Locks that cannot be listed."""

    def __init__(self, error: DeployError) -> None:
        super().__init__()
        self._error = error

    def all(self, namespace: str) -> Mapping[str, LockState]:
        raise self._error


class Regions:
    """The part of the services that is asked."""

    def __init__(self) -> None:
        self.regions = {name: Region() for name in REGIONS}
        self.made: list[str] = []

    def region(self, settings: Settings, target: Target) -> RegionPorts:
        self.made.append(target.region)
        region = self.regions[target.region]
        return RegionPorts(region.cluster, region.releases, FakeProber(), region.locks)


def deployment(name: str, ready: int) -> Json:
    counts = dict.fromkeys(("replicas", "updatedReplicas"), 1) | dict.fromkeys(
        ("readyReplicas", "availableReplicas"), ready
    )
    return {
        "metadata": {"name": name, "generation": 1, "uid": name},
        "spec": {"replicas": 1},
        "status": {"observedGeneration": 1, **counts},
    }


def places(*apps: str, regions: tuple[str, ...] = REGIONS) -> dict[Target, Release | DeployError]:
    found: dict[Target, Release | DeployError] = {}
    for app in apps:
        for region in regions:
            target = Target("prod", region, app)
            found[target] = Release(target, app, Settings("eu-west-2", cluster=ClusterSettings(context=region)))
    return found


def read(
    services: Regions, releases: Mapping[Target, Release | DeployError], *, everything: bool = False
) -> StageStatus:
    return StatusReader("prod", releases, cast(Services, services), everything=everything).read()


def rows(status: StageStatus) -> dict[str, ReleaseStatus]:
    return {f"{row.target.application} {row.target.region}": row for row in status.rows}


def test_every_app_in_every_region() -> None:
    services = Regions()
    for region in services.regions.values():
        region.release("shop")
        region.release("api", ready=0)
    status = read(services, places("shop", "api"))
    assert {name: (row.health, row.version) for name, row in rows(status).items()} == {
        "api london": ("broken", "1.0"),
        "api seoul": ("broken", "1.0"),
        "shop london": ("well", "1.0"),
        "shop seoul": ("well", "1.0"),
    }
    assert [row.target.application for row in status.rows] == ["api", "api", "shop", "shop"]
    assert not status.errors


def test_regions_are_compared() -> None:
    services = Regions()
    services.regions["london"].release("shop", version="2.0")
    found = rows(read(services, places("shop")))
    assert [str(one) for one in found["shop seoul"].differences] == ["missing (elsewhere deployed)"]


def test_a_region_that_cannot_be_read_is_told_and_the_others_are_shown() -> None:
    services = Regions()
    for region in services.regions.values():
        region.release("shop")
        region.release("api")
    services.regions["seoul"].releases.known = UnreachableError("the cluster does not answer", where="https://seoul")
    status = read(services, places("shop", "api"))
    assert {name: row.standing for name, row in rows(status).items()} == {
        "api london": "deployed",
        "api seoul": "unknown",
        "shop london": "deployed",
        "shop seoul": "unknown",
    }
    (error,) = status.errors
    assert (str(error), error.exit_code) == ("prod.seoul, https://seoul: the cluster does not answer", 5)
    assert not status.skewed


def test_what_all_questions_to_a_region_fail_for_is_told_once() -> None:
    services = Regions()
    region = services.regions["seoul"]
    region.releases.known = UnreachableError("no answer", where="https://seoul")
    region.locks = LocksOutOfReach(UnreachableError("no answer", where="https://seoul"))
    status = read(services, places("shop"))
    error = rows(status)["shop seoul"].error
    assert error is not None
    assert [str(leaf) for leaf in error.leaves()] == ["prod.seoul, https://seoul: no answer"]
    assert len(status.errors) == 1
    region.locks = LocksOutOfReach(UnreachableError("we may not list leases"))
    assert len(read(services, places("shop")).errors) == 2


def test_objects_that_cannot_be_read_are_no_pods_that_are_ready() -> None:
    services = Regions()
    services.regions["london"].release("shop")
    services.regions["london"].cluster.down = UnreachableError("the connection broke")
    assert rows(read(services, places("shop", regions=("london",))))["shop london"].standing == "unknown"


def test_what_is_wrong_with_one_app_concerns_its_row_alone() -> None:
    services = Regions()
    services.regions["london"].release("shop")
    wrong: DeployError = ConfigurationError("AppName must be a name", where="apps/odd.yml:2")
    releases = {**places("shop", regions=("london",)), Target("prod", "london", "odd"): wrong}
    releases[Target("prod", "seoul", "odd")] = wrong
    status = read(services, releases)
    assert rows(status)["odd london"].error is wrong
    assert rows(status)["shop london"].standing == "deployed"
    assert status.errors == (wrong,)
    assert services.made == ["london"]


def test_locks() -> None:
    services = Regions()
    services.regions["seoul"].release("shop", verified=False)
    services.regions["seoul"].locks.hold("shop", Holder("d-2", "ben", "laptop", "2026-11-21T07:00:00+00:00"))
    found = rows(read(services, places("shop")))
    assert found["shop london"].lock is None
    assert (found["shop seoul"].standing, found["shop seoul"].health, found["shop seoul"].locked) == (
        "in progress",
        "busy",
        True,
    )


def test_few_releases_are_asked_for_by_name_and_many_by_their_namespace() -> None:
    services = Regions()
    read(services, places("shop", "api"))
    assert services.regions["london"].releases.done == [("heads", "default", ["api", "shop"])]
    read(services, places(*(f"app-{number}" for number in range(30))))
    assert services.regions["london"].releases.done[-1] == ("heads", "default", None)
    read(services, places("shop"), everything=True)
    assert services.regions["london"].releases.done[-1] == ("heads", "default", None)


def test_many_objects_are_listed_once() -> None:
    services, names = Regions(), [f"app-{number}" for number in range(20)]
    for name in names:
        services.regions["london"].release(name)
    status = read(services, places(*names, regions=("london",)), everything=True)
    assert services.regions["london"].cluster.questions == ["list Deployment"]
    assert {row.health for row in status.rows} == {"well"}


def test_few_objects_are_asked_for_one_by_one() -> None:
    services = Regions()
    services.regions["london"].release("shop")
    read(services, places("shop", regions=("london",)))
    assert services.regions["london"].cluster.questions == ["get Deployment/shop"]


def test_an_object_that_is_gone() -> None:
    services = Regions()
    services.regions["london"].release("shop")
    services.regions["london"].cluster.objects.clear()
    found = rows(read(services, places("shop", regions=("london",))))["shop london"]
    assert (found.health, found.workloads[0].reason) == ("broken", "does not exist yet")


def test_releases_of_apps_that_are_gone() -> None:
    services = Regions()
    for name in ("shop", "old"):
        services.regions["london"].release(name)
    services.regions["london"].release("stage", stage="dev")
    services.regions["london"].release("foreign")
    known = cast(dict[str, ReleaseHead], services.regions["london"].releases.known)
    known["foreign"] = ReleaseHead(make_revision(1), None)
    status = read(services, places("shop", regions=("london",)), everything=True)
    assert [(one.region, one.name) for one in status.strangers] == [("london", "old")]
    assert read(services, places("shop", regions=("london",))).strangers == ()


def test_apps_in_namespaces_of_their_own() -> None:
    services, releases = Regions(), places("shop", regions=("london",))
    target = Target("prod", "london", "api")
    cluster = ClusterSettings(context="london")
    releases[target] = Release(target, "api", Settings("eu-west-2", cluster=cluster, namespace="other"))
    read(services, releases)
    assert sorted(services.regions["london"].releases.done) == [
        ("heads", "default", ["shop"]),
        ("heads", "other", ["api"]),
    ]


def test_it_is_read_again_through_the_same_connections() -> None:
    services = Regions()
    reader = StatusReader("prod", places("shop"), cast(Services, services))
    assert {row.standing for row in reader.read().rows} == {"missing"}
    services.regions["london"].release("shop")
    assert rows(reader.read())["shop london"].standing == "deployed"
    assert services.made == ["london", "seoul"]


def test_nothing_to_read() -> None:
    status = read(Regions(), {})
    assert (status.rows, status.errors, status.skewed) == ((), (), False)
