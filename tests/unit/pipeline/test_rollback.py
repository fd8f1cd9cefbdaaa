"""The story of a rollback with everything outside it faked: what is refused, what is done, what is told."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from deployer.config import Loaded
from deployer.errors import ConfigurationError, DeployError, HeldError, UnreachableError, UsageError
from deployer.events import PhaseFinished, WarningRaised
from deployer.execute.ports import Announcement
from deployer.execute.work import RegionPorts
from deployer.model import (
    App,
    DeploymentRecord,
    DeploymentResult,
    Holder,
    Image,
    ObjectKey,
    Revision,
    RolloutSettings,
    Settings,
    Target,
)
from deployer.pipeline.history import read_history
from deployer.pipeline.rollback import Rollback, RollbackRequest
from deployer.plan.steps import Plan
from tests.fakes import FakeCluster, FakeLocks, FakeProber, FakeReleases, RecordingSink, make_revision

PREFIX = "registry.test/team"
EVE = Holder("d-9", "eve@desk", "desk", "2026-11-21T11:59:00+00:00")


def revision(number: int, password: str, *, good: bool = True, **fields: Any) -> Revision:
    """A revision with a Deployment and a Secret."""
    env = [{"name": "P", "value": password}]
    container = {"name": "main", "image": f"{PREFIX}/myapp:{number}@sha256:{number}", "env": env}
    pods = {"template": {"spec": {"containers": [container]}}}
    deployment = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "myapp"}, "spec": pods}
    config = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "myapp"}, "data": {"n": str(number)}}
    record = DeploymentRecord(f"20261121-00000{number}-aaaaaa", "myapp", "prod", "london", version=f"0.{number}")
    return make_revision(
        number,
        verified=good,
        manifests=(json.dumps(deployment), json.dumps(config)) if fields.pop("image", False) else (json.dumps(config),),
        record=replace(record, image=f"{PREFIX}/myapp:{number}", digest=f"sha256:{number}"),
        deployment_id=record.deployment_id,
        **fields,
    )


class Region:
    """One region with two good revisions."""

    def __init__(self, name: str) -> None:
        self.target = Target("prod", name, "myapp")
        self.releases = FakeReleases([revision(2, "new-password"), revision(1, "old-password", status="superseded")])
        self.cluster = FakeCluster()
        self.cluster.objects[ObjectKey("v1", "ConfigMap", "here", "myapp")] = {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {
                "name": "myapp",
                "uid": "1",
                "annotations": {"meta.helm.sh/release-name": "myapp", "meta.helm.sh/release-namespace": "here"},
            },
        }
        self.locks = FakeLocks()
        self.images: set[Image] | None = None
        self.settings = Settings(
            aws_region="eu-west-2", aws_ecr_prefix=PREFIX, namespace="here", rollout=RolloutSettings(timeout=0)
        )

    def has(self, image: Image) -> bool:
        return self.images is None or image in self.images


class World:
    """All regions, and the services that reach them."""

    def __init__(self, *names: str) -> None:
        self.regions = {name: Region(name) for name in names or ("london",)}
        self.secrets: set[str] = set()
        self.told: list[Announcement] = []
        self.sink = RecordingSink()
        self.account: DeployError | None = None

    @property
    def london(self) -> Region:
        return self.regions["london"]

    @property
    def done(self) -> list[Any]:
        return [step for region in self.regions.values() for step in region.releases.done]

    def run(self, *, confirm: Any = lambda plan: None, **request: Any) -> DeploymentResult:
        configurations = tuple(
            SimpleNamespace(target=one.target, settings=one.settings, app=App("myapp", "myapp", ()))
            for one in self.regions.values()
        )
        loaded = Loaded(tuple(one.target for one in configurations), configurations, ())  # type: ignore[arg-type]
        asked = RollbackRequest("20261121-999999-ffffff", "prod", **request)
        result, signalled = Rollback(asked, loaded, self, self.sink, confirm).run()  # type: ignore[arg-type]
        assert signalled is None
        return result

    # --- execute.services.Services -----------------------------------------------------------------------------------

    def mask(self, text: str) -> str:
        return text

    def keep_secret(self, values: Iterable[str]) -> None:
        self.secrets |= set(values)

    def registry(self, settings: Settings, target: Target) -> Region:
        return self.regions[target.region]

    def check_account(self, settings: Settings, target: Target) -> None:
        if self.account:
            raise self.account

    def region(self, settings: Settings, target: Target) -> RegionPorts:
        one = self.regions[target.region]
        return RegionPorts(one.cluster, one.releases, FakeProber(), one.locks)

    def notifier(self, settings: Settings, channel: str | None) -> Any:
        return SimpleNamespace(announce=self.told.append)

    def webhook(self, settings: Settings) -> Any:
        raise NotImplementedError

    def git_commit(self) -> str | None:
        return "abc"

    def who(self) -> str:
        return "anna@laptop"

    def holder(self, deployment: str, action: str) -> Holder:
        return Holder(deployment, self.who(), "laptop", "now", action)


def errors(world: World, **request: Any) -> list[DeployError]:
    """What stands in the way; nothing was done, and nobody was told."""
    with pytest.raises(DeployError) as raised:
        world.run(**request)
    assert world.done == []
    assert world.told == []
    return list(raised.value.leaves())


def test_one_step_back_is_done_marked_and_told() -> None:
    world = World()
    result = world.run()
    (target,) = result.targets
    assert (result.action, target.outcome, target.revision, target.version) == ("rollback", "restored", 3, "0.1")
    assert target.image == Image("registry.test", "team/myapp", "1", "sha256:1")
    assert world.done == [("rollback", 1, 3), ("mark", 3, True)]
    record = world.london.releases.stored[0].record
    assert record is not None
    assert (record.action, record.restores, record.version, record.who, record.fleet) == (
        *("rollback", "20261121-000001-aaaaaa", "0.1", "anna@laptop", "london"),
    )
    begun, ended = (one.text for one in world.told)
    assert "anna@laptop is rolling back myapp in prod london" in begun
    assert "restored" in ended


def test_a_plan_and_what_stays_change_nothing_and_tell_nobody() -> None:
    world = World()
    assert [one.outcome for one in world.run(plan_only=True).targets] == ["planned"]
    assert [one.outcome for one in world.run(to="2").targets] == ["unchanged"]
    assert world.done == []
    assert world.told == []


def test_what_was_secret_in_old_revisions_is_masked_from_the_start() -> None:
    world = World()
    world.london.releases.stored = [
        revision(2, "new-password", image=True),
        revision(1, "old-password", image=True, status="superseded"),
    ]
    world.run(plan_only=True)
    assert world.secrets == {"old-password", "new-password"}


def test_an_image_that_is_gone_is_refused() -> None:
    world = World("london", "seoul")
    for one in world.regions.values():
        one.releases.stored = [revision(2, "x", image=True), revision(1, "y", image=True)]
    world.regions["seoul"].images = {Image("registry.test", "team/myapp", "2", "sha256:2")}
    (error,) = errors(world, command_for=lambda regions: f"deploy rollback prod {','.join(regions)} myapp")
    assert isinstance(error, ConfigurationError)
    assert error.where == f"{PREFIX}/myapp:1@sha256:1"
    assert "--version 0.1" in (error.hint or "")
    assert "deploy rollback prod london myapp" in (error.hint or "")


def test_images_of_other_people_are_not_asked_for() -> None:
    world = World()
    world.london.settings = replace(world.london.settings, aws_ecr_prefix=None)
    world.london.images = set()
    assert world.run().targets[0].outcome == "restored"


def test_all_that_is_wrong_in_all_regions_is_told_at_once() -> None:
    world = World("london", "seoul", "virginia", "tokyo")
    world.london.cluster.refuses = {"ConfigMap": ConfigurationError("the server refuses it")}
    world.regions["seoul"].locks.hold("myapp", EVE)
    world.regions["virginia"].releases.stored = []
    world.regions["tokyo"].cluster.down = UnreachableError("tokyo is down")
    found = {type(one): str(one) for one in errors(world)}
    assert found.keys() == {ConfigurationError, HeldError, UsageError, UnreachableError}
    assert "london, revision 1" in found[ConfigurationError]
    assert "eve@desk" in found[HeldError]
    assert "not deployed in virginia" in found[UsageError]


def test_the_wrong_account_ends_it() -> None:
    world = World()
    world.account = ConfigurationError("another account")
    assert [one.what for one in errors(world)] == ["another account"]


def test_a_goal_that_fits_nothing_is_told_beside_what_else_is_wrong() -> None:
    world = World("london", "seoul")
    world.regions["seoul"].releases.stored = []
    (error,) = errors(world, to="1")
    assert "another deployment in each region" in error.what


def test_deletions_are_confirmed_first() -> None:
    world = World()
    claim = json.dumps({"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": "data"}})
    newest, old = world.london.releases.stored
    world.london.releases.stored = [replace(newest, manifests=(*newest.manifests, claim)), old]

    def refuse(plan: Plan) -> None:
        assert [str(key) for key in plan.targets[0].deletes_data] == ["PersistentVolumeClaim/data"]
        raise HeldError("no")

    errors(world, confirm=refuse)


def while_waiting(region: Region, *stored: Revision) -> None:
    """Somebody else makes these the release's revisions just before the lock becomes ours."""
    acquire = region.locks.acquire

    def acquired(*arguments: Any, **options: Any) -> Any:
        region.releases.stored = list(stored)
        return acquire(*arguments, **options)

    region.locks.acquire = acquired  # type: ignore[method-assign]


def test_who_waited_finds_it_done() -> None:
    world = World()
    newest, old = world.london.releases.stored
    while_waiting(world.london, replace(revision(3, ""), manifests=old.manifests), newest, old)
    (target,) = world.run(lock_wait=60).targets
    assert (target.outcome, target.revision) == ("unchanged", 3)
    assert world.done == []


def test_what_was_chosen_stays_chosen_also_after_waiting() -> None:
    world = World()
    while_waiting(world.london, revision(3, ""), *world.london.releases.stored)
    (target,) = world.run(lock_wait=60).targets
    assert (target.outcome, target.version) == ("restored", "0.1")
    assert world.done[0] == ("rollback", 1, 4)


def test_a_revision_that_is_gone_after_waiting_is_not_guessed() -> None:
    world = World()
    while_waiting(world.london, revision(12, ""), revision(11, ""))
    (target,) = world.run(lock_wait=60).targets
    assert target.outcome == "not started"
    assert isinstance(target.error, HeldError)
    assert world.done == []


def test_regions_that_would_end_with_different_deployments_are_refused() -> None:
    world = World("london", "seoul")
    world.regions["seoul"].releases.stored[1] = revision(0, "", status="superseded")
    (error,) = errors(world)
    assert (error.exit_code, error.regions) == (2, ("london", "seoul"))
    assert "20261121-000002-aaaaaa" in (error.hint or "")


def test_a_region_that_stays_with_another_deployment_is_warned_of_and_not_counted() -> None:
    world = World("london", "seoul", "virginia")
    for name in ("seoul", "virginia"):
        world.regions[name].releases.stored = [revision(0, "")]
    world.run(plan_only=True)
    (warning,) = [one for one in world.sink.events if isinstance(one, WarningRaised)]
    assert "london 20261121-000001-aaaaaa" in warning.text
    assert "seoul 20261121-000000-aaaaaa" in warning.text
    assert "1 region can go back, 2 stay" in [one.detail for one in world.sink.events if isinstance(one, PhaseFinished)]


# --- history ---------------------------------------------------------------------------------------------------------


def test_a_region_that_cannot_be_read_keeps_nobody_from_seeing_the_others() -> None:
    world = World("london", "seoul")

    def down(name: str, namespace: str) -> Any:
        raise UnreachableError("seoul is down", where="https://there")

    world.regions["seoul"].releases.revisions = down  # type: ignore[method-assign]
    world.london.locks.look = down  # type: ignore[method-assign]  # whoever reads releases need not read locks
    tokyo = Target("prod", "tokyo", "myapp")
    configurations = tuple(
        SimpleNamespace(target=one.target, settings=one.settings, app=App("myapp", "myapp", ()))
        for one in world.regions.values()
    )
    targets = (*(one.target for one in configurations), tokyo)
    loaded = Loaded(targets, configurations, ((tokyo, ConfigurationError("odd")),))  # type: ignore[arg-type]
    london, seoul, third = read_history(loaded, world, limit=1)  # type: ignore[arg-type]
    assert [entry.revision for entry in london.entries] == [2]
    assert str(seoul.error) == "prod.seoul, https://there: seoul is down"
    assert third.error is not None
    assert third.error.exit_code == 2
