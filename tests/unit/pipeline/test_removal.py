"""The story of a removal where DNS is managed: what is shown of it, and that it goes before the release."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from types import SimpleNamespace
from typing import Any

import pytest

from deployer.cli.confirmation import confirm_removal
from deployer.errors import ConflictError, DeployError, HeldError, UnreachableError
from deployer.events import Event, PhaseStarted
from deployer.execute import everywhere
from deployer.execute.attempt import Attempt
from deployer.execute.work import RegionPorts
from deployer.model import DeploymentRecord, DeploymentResult, Holder, RolloutSettings, Settings, Target
from deployer.model.dns import Answered
from deployer.model.settings import DnsSettings
from deployer.pipeline.removal import RemovalRequest, Removing
from deployer.plan.steps import Plan
from tests.fake_dns import FakeDns
from tests.fakes import FakeReleases, RecordingSink, make_revision
from tests.unit.execute.dns import REGIONS, World


@pytest.fixture(autouse=True)
def one_after_another(monkeypatch: pytest.MonkeyPatch) -> None:
    """Regions are asked in their order, so that health checks have the same ids each time."""
    monkeypatch.setattr(everywhere, "_AT_ONCE", 1)


class Sink(RecordingSink):
    """Calls `react` at the beginning of each phase."""

    react: Callable[[str], None] = staticmethod(lambda phase: None)

    def emit(self, event: Event) -> None:
        super().emit(event)
        if isinstance(event, PhaseStarted):
            self.react(event.phase)


class Scene:
    """An app in two regions, with the DNS that is ours. `done` is what was done, in Route 53 and with Helm."""

    def __init__(self) -> None:
        self.world = World()
        self.world.apply()
        self.route53: FakeDns = self.world.dns
        self.route53.done.clear()
        self.sink = Sink()
        record = DeploymentRecord("d", "myapp", "prod", "london")
        config = json.dumps({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "myapp"}})
        revision = make_revision(1, manifests=(config,), record=record)
        self.releases = {region: FakeReleases([revision]) for region in REGIONS}
        for region in REGIONS:
            self.releases[region].uninstall = self.uninstall(region)  # type: ignore[method-assign]
        self.manage = True
        self.shown: list[Plan] = []
        self.confirm: Callable[[Plan], None] = self.shown.append
        self.ttl = 0
        self.asked: list[str] = []

    def uninstall(self, region: str) -> Callable[..., None]:
        return lambda *_, **__: self.route53.done.append(f"uninstall in {region}")

    @property
    def done(self) -> list[str]:
        return self.route53.done

    def settings(self, region: str) -> Settings:
        settings = self.world.site(region).settings
        return replace(settings, dns=DnsSettings(manage=self.manage), rollout=RolloutSettings(drain_grace=0, timeout=1))

    def run(self, *regions: str, **request: Any) -> DeploymentResult:
        found = [
            (Target("prod", region, "myapp"), self.settings(region), self.world.site(region).app)
            for region in regions or REGIONS
        ]
        asked = RemovalRequest("20261121-999999-ffffff", "prod", **request)
        result, _ = Removing(asked, found, (), self, self.sink, self.confirm).run()  # type: ignore[arg-type]
        return result

    # --- execute.services.Services

    def region(self, settings: Settings, target: Target) -> RegionPorts:
        return replace(self.world.site(target.region).ports, releases=self.releases[target.region])

    def dns(self, settings: Settings, target: Target) -> FakeDns:
        return self.route53

    def load_balancers(self, settings: Settings, target: Target) -> Any:
        return self.world.site(target.region).balancers

    def name_servers(self) -> Any:
        return self

    def ask(self, server: str, host: str, client: str | None = None) -> Answered | None:
        self.asked.append(host)
        return Answered(frozenset({"192.0.2.1"}), self.ttl)

    def notifier(self, settings: Settings, channel: str | None) -> Any:
        return SimpleNamespace(announce=lambda told: None)

    def webhook(self, settings: Settings) -> Any:
        raise NotImplementedError

    def git_commit(self) -> str | None:
        return None

    def who(self) -> str:
        return "anna@laptop"

    def holder(self, deployment: str, action: str) -> Holder:
        return Holder(deployment, self.who(), "laptop", "now", action)


def test_dns_goes_before_the_release_and_the_others_stay() -> None:
    scene = Scene()
    (result,) = scene.run("seoul").targets
    assert (result.outcome, result.error) == ("removed", None)
    assert scene.done == [
        "DELETE myapp.example.com A (seoul)",
        "DELETE myapp.seoul.example.com A",
        "DELETE _deploy.myapp.seoul.example.com TXT",
        "in sync C3",
        "delete check-2",
        "uninstall in seoul",
    ]
    assert [phase.phase for phase in result.phases] == ["dns", "clients", "uninstall"]
    assert [line.partition(" →")[0] for line in result.changes if line.startswith("dns: ")] == [
        "dns: delete myapp.example.com A (seoul)",
        "dns: delete myapp.seoul.example.com A",
        "dns: delete _deploy.myapp.seoul.example.com TXT",
        "dns: delete health check check-2 of myapp.seoul.example.com",
    ]
    assert scene.shown[0].targets[0].changes == result.changes
    assert result.warnings == ()


def test_the_question_says_where_a_host_will_lead_nowhere() -> None:
    scene = Scene()
    assert {one.outcome for one in scene.run().targets} == {"removed"}
    assert {one.warnings for one in scene.shown[0].targets} == {
        ("myapp.example.com leads nowhere afterwards: no other region has a record of it",)
    }
    assert scene.route53.stored == {}
    assert [one for one in scene.done if one.startswith("uninstall")] in (
        ["uninstall in london", "uninstall in seoul"],
        ["uninstall in seoul", "uninstall in london"],
    )


def test_nobody_is_there_to_be_asked() -> None:
    scene = Scene()
    scene.confirm = partial(confirm_removal, yes=False, pause=lambda: pytest.fail("nobody is there to be asked"))
    with pytest.raises(HeldError) as caught:
        scene.run()
    assert "  dns: delete myapp.example.com A (london) → " in str(caught.value.why)
    assert "! myapp.example.com leads nowhere afterwards" in str(caught.value.why)
    assert scene.done == []


def test_nothing_is_uninstalled_while_route_53_is_out_of_reach() -> None:
    scene = Scene()
    scene.route53.down = UnreachableError("Route 53 could not be reached")
    with pytest.raises(DeployError) as caught:
        scene.run()
    (leaf,) = caught.value.leaves()
    assert isinstance(leaf, UnreachableError)
    assert '"Manage": false' in str(leaf.hint)
    assert (scene.done, scene.shown) == ([], [])


@pytest.mark.parametrize("error", [UnreachableError("Route 53 is away"), ConflictError("somebody was faster")])
def test_nothing_is_uninstalled_where_dns_cannot_be_taken_away(error: DeployError) -> None:
    scene = Scene()

    def fail(phase: str) -> None:
        if phase == "dns":
            scene.route53.down = error

    scene.sink.react = fail
    (result,) = scene.run("seoul").targets
    assert (result.outcome, result.error) == ("failed", error)
    assert "nothing was uninstalled" in str(error.hint)
    assert scene.done == []


def test_a_release_stays_while_clients_may_still_come() -> None:
    scene = Scene()
    scene.ttl = 3600
    removing: list[Any] = []

    def stop(phase: str) -> None:
        if phase == "clients":
            removing[0].stopping.set()

    scene.sink.react = stop
    with pytest.MonkeyPatch.context() as patch:
        begun = Attempt.__init__

        def remember(attempt: Attempt, *arguments: Any, **options: Any) -> None:
            begun(attempt, *arguments, **options)
            removing.append(attempt)

        patch.setattr(Attempt, "__init__", remember)
        (result,) = scene.run("seoul").targets
    assert result.outcome == "interrupted"
    assert scene.done[-1] == "delete check-2"
    assert scene.asked[0] == "myapp.seoul.example.com"

    scene.sink.react = lambda phase: None
    assert [one.outcome for one in scene.run("seoul").targets] == ["removed"]
    assert scene.done[-1] == "uninstall in seoul"


def test_what_is_left_of_dns_goes_also_where_the_release_is_gone() -> None:
    scene = Scene()
    scene.releases["seoul"].stored.clear()
    (result,) = scene.run("seoul").targets
    assert (result.outcome, scene.done[-1]) == ("removed", "delete check-2")
    assert [one.outcome for one in scene.run("seoul").targets] == ["unchanged"]


def test_a_plan_changes_nothing() -> None:
    scene = Scene()
    (result,) = scene.run("seoul", plan_only=True).targets
    assert (result.outcome, scene.done) == ("planned", [])
    assert result.changes[0].startswith("dns: delete myapp.example.com A (seoul)")


def test_unless_it_is_managed_dns_is_not_asked() -> None:
    scene = Scene()
    scene.manage = False
    scene.route53.down = UnreachableError("nobody may ask")
    scene.run("seoul")
    assert scene.done == ["uninstall in seoul"]


def test_without_an_app_file_the_hosts_are_not_known() -> None:
    scene = Scene()
    scene.world.sub_domain = None
    (result,) = scene.run("london", ours_alone=True).targets
    assert scene.done == ["uninstall in london"]
    assert result.warnings == ("its DNS stays as it is: without an app file its host is not known",)
