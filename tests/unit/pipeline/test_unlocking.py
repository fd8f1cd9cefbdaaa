from dataclasses import replace
from types import SimpleNamespace
from typing import Any

from deployer.config.releases import Release
from deployer.errors import ConfigurationError, DeployError, HeldError, UnreachableError
from deployer.model import Holder, LockState, Settings, Target
from deployer.pipeline.unlocking import Unlocking
from tests.fakes import FakeLocks

LONDON, SEOUL, TOKYO = (Target("prod", name, "myapp") for name in ("london", "seoul", "tokyo"))
ANNA = Holder("d-1", "anna@laptop", "laptop", "2026-11-21T07:00:00+00:00")


class Region(FakeLocks):
    """Locks of releases called `release`, in the namespace `there`; `broken` is raised instead of an answer."""

    broken: DeployError | None = None

    def look(self, name: str, namespace: str) -> LockState | None:
        assert (name, namespace) == ("release", "there")
        if self.broken:
            raise self.broken
        return super().look(name, namespace)

    def free(self, name: str, namespace: str, state: LockState) -> None:
        assert namespace == "there"
        if self.broken:
            raise self.broken
        super().free(name, namespace, state)


class Services:
    def __init__(self, regions: dict[Target, Region]) -> None:
        self.regions = regions

    def region(self, settings: Settings, target: Target) -> Any:
        return SimpleNamespace(locks=self.regions[target])


def settings() -> Any:
    return SimpleNamespace(namespace="there")


def unlocking(regions: dict[Target, Region], **errors: DeployError) -> Unlocking:
    releases: dict[Target, Release | DeployError] = {
        target: Release(target, "release", settings()) for target in regions
    }
    releases |= {Target("prod", name, "myapp"): error for name, error in errors.items()}
    return Unlocking(releases, Services(regions))  # type: ignore[arg-type]


def held_by(holder: Holder) -> Region:
    region = Region()
    region.hold("release", holder)
    return region


def test_every_region_is_looked_at_and_what_is_held_is_freed() -> None:
    london, seoul = held_by(ANNA), Region()
    story = unlocking({LONDON: london, SEOUL: seoul})
    found = story.look()
    assert [(lock.target, lock.state.holder if lock.state else None) for lock in found] == [
        (LONDON, ANNA),
        (SEOUL, None),
    ]
    assert london.done == []
    freed = story.free(found)
    assert [(lock.target, lock.freed) for lock in freed] == [(LONDON, True), (SEOUL, False)]
    assert freed[0].state == found[0].state, "who held it can still be told"
    assert london.done == [("free", "release")]
    assert seoul.done == []


def test_only_what_was_shown_is_freed() -> None:
    london, seoul = held_by(ANNA), Region()
    story = unlocking({LONDON: london, SEOUL: seoul})
    found = story.look()
    london.hold("release", replace(ANNA, deployment_id="d-2"))
    seoul.hold("release", ANNA)
    [first, second] = story.free(found)
    assert isinstance(first.error, HeldError) and not first.freed
    assert not second.freed
    assert london.done == seoul.done == []


def test_a_region_that_cannot_be_asked_keeps_no_other_from_being_freed() -> None:
    seoul = Region()
    seoul.broken = UnreachableError("the cluster does not answer", where="https://cluster")
    story = unlocking({LONDON: held_by(ANNA), SEOUL: seoul}, tokyo=ConfigurationError("AppName is wrong"))
    found = story.look()
    assert [lock.target for lock in found] == [LONDON, SEOUL, TOKYO]
    assert [str(lock.error.where) for lock in found if lock.error] == ["prod.seoul, https://cluster", "prod.tokyo"]
    freed = story.free(found)
    assert freed[0].freed
    assert freed[1:] == found[1:]


def test_a_region_that_fails_meanwhile_is_told() -> None:
    london = held_by(ANNA)
    story = unlocking({LONDON: london})
    found = story.look()
    london.broken = UnreachableError("the cluster does not answer")
    [lock] = story.free(found)
    assert lock.error is london.broken and not lock.freed
    assert lock.error.where == "prod.london"
