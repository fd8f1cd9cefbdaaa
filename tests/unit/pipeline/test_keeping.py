"""A branch is kept from its last deployment on, also from one that had nothing to change."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any, cast

import pytest

from deployer.config import Loaded
from deployer.errors import HeldError, UnreachableError
from deployer.events import WarningRaised
from deployer.execute.observe import Observation, Subject, observe
from deployer.execute.services import Services
from deployer.execute.work import RegionPorts
from deployer.model import App, BranchSettings, Holder, Image, Json, ObjectKey, Secret, Settings, Target, TargetResult
from deployer.pipeline import deployment
from deployer.pipeline.command import Command
from deployer.pipeline.deployment import Deployment, Request
from deployer.plan.manifests import PreparedManifests
from deployer.plan.manifests.canonical import canonical_text
from deployer.plan.steps import Plan
from tests.fakes import FakeCluster, FakeLocks, FakeProber, FakeReleases, RecordingSink, make_revision

OWNER = {"meta.helm.sh/release-name": "web-x", "meta.helm.sh/release-namespace": "default"}
CONFIG: Json = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "web-x", "annotations": OWNER}}
KEY = ObjectKey("v1", "ConfigMap", "default", "web-x")


class Refusing(FakeReleases):
    """Releases that nothing can be written to."""

    def keep(self, name: str, namespace: str, revision: int, until: datetime | None) -> None:
        raise UnreachableError("the cluster does not answer")


class Scene:
    """A branch, or an app itself, that is deployed as it was before."""

    def __init__(self, application: str = "web@x", releases: FakeReleases | None = None) -> None:
        self.releases = releases or FakeReleases()
        self.releases.stored = [make_revision(4, manifests=(canonical_text(CONFIG),))]
        self.settings = Settings("eu-west-2", branches=BranchSettings("2d"))
        self.target = Target("dev", "london", application)
        self.app = App("web", "web-x", ("dev.london",))
        self.sink = RecordingSink()
        self.live = {KEY: CONFIG}
        self.dns = False
        self.confirmed: list[Plan] = []

    def run(self, patch: pytest.MonkeyPatch, **request: Any) -> Sequence[TargetResult]:
        ports = RegionPorts(FakeCluster(dict(self.live)), self.releases, FakeProber(), FakeLocks())
        subject = Subject(self.target, self.settings, self.app, self.prepare, ports)

        def observe_all(loaded: Loaded, look: object, command: Command) -> tuple[list[Observation], list[Any]]:
            return [observe(subject)], []

        patch.setattr(deployment, "observe_all", observe_all)
        configuration: Any = SimpleNamespace(target=self.target, settings=self.settings, app=self.app)
        loaded = Loaded((self.target,), (configuration,), ())
        story = Deployment(Request("20261121-x", "dev", **request), loaded, cast(Services, self), self.sink, self.no)
        if self.dns:
            patch.setattr(story._dns, "planned", lambda plan: replace(plan, dns=True))
        result, _ = story.run()
        return result.targets

    def prepare(self, image: Image | None, docker_hash: str | None, key: Secret | None = None) -> PreparedManifests:
        return PreparedManifests("default", (CONFIG,), (canonical_text(CONFIG),))

    def no(self, plan: Plan) -> None:
        self.confirmed.append(plan)
        raise HeldError("nobody agreed")

    @property
    def kept(self) -> list[tuple[int, timedelta | None]]:
        """What was written: revision, and how long from now, in whole minutes."""
        found = []
        for what, revision, until in self.releases.done:
            assert what == "keep"
            minutes = until and round((until - datetime.now(UTC)) / timedelta(minutes=1))
            found.append((revision, until and timedelta(minutes=minutes)))
        return found

    # --- execute.services.Services

    def keep_secret(self, values: object) -> None:
        pass

    def mask(self, text: str) -> str:
        return text

    def git_commit(self) -> str | None:
        return None

    def who(self) -> str:
        return "anna@laptop"

    def holder(self, deployment: str, action: str) -> Holder:
        return Holder(deployment, self.who(), "laptop", "now", action)


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        (None, timedelta(days=2)),
        ("12h", timedelta(hours=12)),
        ("never", None),
    ],
)
def test_an_unchanged_branch_is_kept_from_now_on(
    monkeypatch: pytest.MonkeyPatch, asked: str | None, expected: timedelta | None
) -> None:
    scene, began = Scene(), datetime.now(UTC)
    (result,) = scene.run(monkeypatch, expires=asked)
    assert (result.outcome, scene.kept) == ("unchanged", [(4, expected)])
    assert (result.expires is None) == (expected is None)
    if expected is not None:
        expires = datetime.fromisoformat(str(result.expires))
        assert began + expected - timedelta(seconds=1) <= expires <= datetime.now(UTC) + expected
    (stored,) = scene.releases.stored
    assert (stored.expires is None) == (expected is None)


def test_a_stage_may_keep_branches_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    scene = Scene()
    scene.settings = Settings("eu-west-2", branches=BranchSettings("never"))
    scene.run(monkeypatch)
    assert scene.kept == [(4, None)]


def test_without_a_word_of_the_stage_a_branch_is_kept_for_a_week(monkeypatch: pytest.MonkeyPatch) -> None:
    scene = Scene()
    scene.settings = Settings("eu-west-2")
    scene.run(monkeypatch)
    assert scene.kept == [(4, timedelta(days=7))]


def test_an_app_itself_does_not_expire(monkeypatch: pytest.MonkeyPatch) -> None:
    scene = Scene("web")
    (result,) = scene.run(monkeypatch, expires="12h")
    assert (result.outcome, result.expires, scene.kept) == ("unchanged", None, [])


def test_a_plan_keeps_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    scene = Scene()
    scene.releases.stored = [replace(scene.releases.stored[0], kept_until=datetime(2027, 1, 1, tzinfo=UTC))]
    (result,) = scene.run(monkeypatch, plan_only=True)
    assert (result.outcome, result.expires, scene.kept) == ("unchanged", "2027-01-01T00:00:00+00:00", [])


def test_a_branch_whose_dns_alone_changes_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    scene = Scene()
    scene.dns = True
    with pytest.raises(HeldError):
        scene.run(monkeypatch)
    assert scene.confirmed[0].changes_anything
    assert scene.kept == [(4, timedelta(days=2))]


def test_a_branch_that_changes_says_itself_until_when_it_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    scene = Scene()
    scene.live = {}
    with pytest.raises(HeldError):
        scene.run(monkeypatch)
    assert scene.kept == []


def test_that_it_could_not_be_kept_is_a_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    scene = Scene(releases=Refusing())
    (result,) = scene.run(monkeypatch)
    assert (result.outcome, result.expires) == ("unchanged", None)
    (warning,) = [event.text for event in scene.sink.events if isinstance(event, WarningRaised)]
    assert warning == "dev london web@x expires when it would have before: the cluster does not answer"


def test_what_is_kept_with_a_release() -> None:
    command = Command("deploy", "20261121-x", "dev", cast(Services, Scene()), RecordingSink())
    target, app = Target("dev", "london", "web@x"), App("web", "web-x", (), sub_domain="web-x")
    until = datetime(2026, 11, 28, 17, 0, 0, 5, UTC)
    record = command.record(target, app, ["london"], until=until)
    assert (record.application, record.expires, record.sub_domain) == ("web@x", "2026-11-28T17:00:00+00:00", "web-x")
    itself = command.record(Target("dev", "london", "web"), app, ["london"])
    assert (itself.application, itself.expires, itself.sub_domain) == ("web", None, None)
