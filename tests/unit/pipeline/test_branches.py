"""Branches are found by what is kept with their releases, kept when they are deployed again, and taken away."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any, cast

import pytest

from deployer.config.releases import Release
from deployer.errors import ConfigurationError, DeployError, HeldError, UnreachableError
from deployer.execute.services import Services
from deployer.execute.work import RegionPorts
from deployer.model import App, DeploymentRecord, Holder, Json, ObjectKey, Settings, Target
from deployer.model.status import ReleaseHead
from deployer.pipeline.branches import Branches, absent, choose, find_branches, refuse_renewed
from deployer.pipeline.removal import RemovalRequest, Removing
from tests.fakes import FakeCluster, FakeLocks, FakeProber, FakeReleases, RecordingSink, make_revision

NOW = datetime.now(UTC)
PAST, FUTURE = ((NOW + timedelta(days=days)).isoformat() for days in (-1, 1))
REGIONS = ("london", "seoul")


def settings(namespace: str = "default") -> Settings:
    return Settings(aws_region="eu-west-2", namespace=namespace, dns_domain="deploy.test")


class Namespaced(FakeReleases):
    """The releases of a cluster, by namespace."""

    def __init__(self) -> None:
        super().__init__()
        self.heads_of: dict[str, dict[str, ReleaseHead]] = {}
        self.down: DeployError | None = None

    def heads(self, namespace: str, names: Collection[str] | None = None) -> Mapping[str, ReleaseHead]:
        self.done.append(("heads", namespace))
        if self.down:
            raise self.down
        return self.heads_of.get(namespace, {})


class World:
    """The part of the services that finding asks."""

    def __init__(self) -> None:
        self.releases = {region: Namespaced() for region in REGIONS}

    def region(self, settings: Settings, target: Target) -> RegionPorts:
        return RegionPorts(FakeCluster(), self.releases[target.region], FakeProber(), FakeLocks())

    def has(
        self,
        application: str,
        region: str = "london",
        *,
        name: str = "",
        namespace: str = "default",
        updated: datetime = NOW,
        **record: Any,
    ) -> None:
        """A release of ours."""
        fields = {"stage": "dev", "region": region, "sub_domain": "host", **record}
        kept = DeploymentRecord("d", application, **fields)
        revision = make_revision(2, record=kept, updated=updated)
        name = name or application.replace("@", "-").replace("/", "-")
        self.releases[region].heads_of.setdefault(namespace, {})[name] = ReleaseHead(revision, revision)

    def find(self, *namespaces: str, regions: tuple[str, ...] = REGIONS) -> Branches:
        places = [
            {Target("dev", region, ""): settings(one) for region in regions} for one in namespaces or ("default",)
        ]
        return find_branches("dev", places, cast(Services, self))


def names(found: Any) -> list[str]:
    return [f"{one.status.target.application} {one.status.target.region}" for one in found]


# --- finding ---------------------------------------------------------------------------------------------------------


def test_branches_are_told_by_their_records_and_nothing_else_is_one() -> None:
    world = World()
    world.has("shop@x", "seoul")
    world.has("shop@x")
    world.has("api@feature/y")
    world.has("shop")
    world.has("shop@elsewhere", stage="prod")
    world.has("shop@there", region="london", name="r", stage="dev")
    world.releases["london"].heads_of["default"]["moved"] = world.releases["seoul"].heads_of["default"]["shop-x"]
    world.releases["london"].heads_of["default"]["theirs"] = ReleaseHead(make_revision(1), None)
    found = world.find()
    assert names(world.find(regions=("seoul", "london")).releases) == names(found.releases)
    assert names(found.releases) == ["api@feature/y london", "shop@there london", "shop@x london", "shop@x seoul"]
    assert (found.regions, found.failures) == (REGIONS, ())
    first = found.releases[0]
    assert (first.status.name, first.status.namespace, first.sub_domain) == ("api-feature-y", "default", "host")
    assert first.host == "host.london.deploy.test"
    assert first.expires is None


def test_both_namespaces_of_a_region_are_asked_each_once() -> None:
    world = World()
    world.has("shop@old")
    world.has("shop@new", namespace="branches")
    found = world.find("branches", "default")
    assert names(found.releases) == ["shop@new london", "shop@old london"]
    assert [one.settings.namespace for one in found.releases] == ["branches", "default"]
    assert world.releases["seoul"].done == [("heads", "branches"), ("heads", "default")]
    world.releases["seoul"].done.clear()
    world.find("default", "default")
    assert world.releases["seoul"].done == [("heads", "default")]


def test_a_region_out_of_reach_keeps_no_other_from_being_seen() -> None:
    world = World()
    world.has("shop@x")
    world.releases["seoul"].down = error = UnreachableError("down")
    found = world.find()
    assert names(found.releases) == ["shop@x london"]
    assert [(target.region, one) for target, one in found.failures] == [("seoul", error)]
    assert (found.unseen, found.errors()) == (("seoul",), [error])
    assert error.regions == ("seoul",)
    assert world.find(regions=("london",)).errors() == []


def test_what_is_wrong_with_several_regions_is_told_once() -> None:
    world = World()
    for region in REGIONS:
        world.releases[region].down = UnreachableError("down")
    (error,) = world.find("default", "branches").errors()
    assert error.regions == REGIONS


def test_whose_time_is_up() -> None:
    world = World()
    for branch, expires in (("a", PAST), ("b", FUTURE), ("c", None), ("d", "nonsense"), ("e", PAST)):
        world.has(f"shop@{branch}", expires=expires)
    head = world.releases["london"].heads_of["default"]["shop-e"]
    renewed = make_revision(2, record=head.newest.record, kept_until=NOW + timedelta(hours=1))
    world.releases["london"].heads_of["default"]["shop-e"] = ReleaseHead(renewed, renewed)
    found = world.find()
    assert names(found.expired(NOW)) == ["shop@a london"]
    assert names(found.expired(NOW + timedelta(hours=2))) == ["shop@a london", "shop@e london"]
    assert names(found.expired(NOW + timedelta(days=9))) == ["shop@a london", "shop@b london", "shop@e london"]


def test_what_takes_a_branch_away_needs_no_file() -> None:
    world = World()
    world.has("shop@x", name="strange-name", expires=PAST)
    found = world.find()
    ((target, its, app),) = found.removable(found.expired(NOW))
    assert (target, its.namespace) == (Target("dev", "london", "shop@x"), "default")
    assert (app.name, app.app_name, app.sub_domain) == ("shop", "strange-name", "host")
    assert app.environments == ("dev.london", "dev.seoul")


def test_of_two_releases_of_a_branch_the_older_goes_first() -> None:
    world = World()
    world.has("shop@x", name="a-new")
    world.has("shop@x", name="b-old", updated=NOW - timedelta(days=3))
    world.has("shop@x", name="c-older", namespace="there", updated=NOW - timedelta(days=4))
    world.has("shop@x", "seoul")
    found = world.find("default", "there")
    assert len(found.releases) == 4
    for chosen in (found.removable(found.releases), choose(found, "shop@x", REGIONS, {})[0]):
        assert [(target.region, its.namespace, app.app_name) for target, its, app in chosen] == [
            ("london", "there", "c-older"),
            ("seoul", "default", "shop-x"),
        ]


# --- choosing --------------------------------------------------------------------------------------------------------


def test_one_branch_of_one_app_is_chosen_in_all_its_regions() -> None:
    world = World()
    for name in ("shop@x", "shop@xy", "shop@X", "shopping@x"):
        for region in REGIONS:
            world.has(name, region)
    chosen, failures = choose(world.find(), "shop@x", REGIONS, {})
    assert [(target.application, target.region) for target, _, _ in chosen] == [
        ("shop@x", "london"),
        ("shop@x", "seoul"),
    ]
    assert failures == []


def test_where_its_release_would_be_is_looked_at_too() -> None:
    """Secrets or DNS may be left of it."""
    world = World()
    world.has("shop@x", name="as-it-was")
    known: dict[Target, Release | DeployError] = {
        Target("dev", region, "shop@x"): Release(Target("dev", region, "shop@x"), "shop-x-1", settings(), "sub")
        for region in (*REGIONS, "virginia")
    }
    chosen, _ = choose(world.find(), "shop@x", REGIONS, known)
    assert [(target.region, app.app_name, app.sub_domain) for target, _, app in chosen] == [
        ("london", "as-it-was", "host"),
        ("seoul", "shop-x-1", "sub"),
    ]
    broken: Mapping[Target, Release | DeployError] = dict.fromkeys(known, ConfigurationError("wrong"))
    assert [target.region for target, _, _ in choose(world.find(), "shop@x", REGIONS, broken)[0]] == ["london"]


def test_a_branch_that_nobody_knows() -> None:
    world = World()
    world.has("shop@feature/x")
    world.has("shop@feature/y", "seoul")
    world.has("api@z")
    assert choose(world.find(), "shop@feature/z", REGIONS, {}) == ([], [])
    assert absent(world.find(), "shop@feature/z") == "dev has no branch feature/z of shop; it has feature/x, feature/y"
    assert absent(world.find(), "web@z") == "dev has no branch z of web; `deploy branches list dev` shows them all"


def test_nobody_knows_what_is_in_a_region_out_of_reach() -> None:
    world = World()
    world.releases["seoul"].down = UnreachableError("down")
    chosen, failures = choose(world.find(), "shop@x", REGIONS, {})
    assert (chosen, [target.region for target, _ in failures]) == ([], ["seoul"])


def test_a_branch_that_was_deployed_again_stays() -> None:
    target = Target("dev", "london", "shop@x")

    def revision(expires: str | None, **fields: Any) -> Any:
        return make_revision(1, record=DeploymentRecord("d", "shop@x", "dev", "london", expires=expires), **fields)

    refuse_renewed(target, [])
    refuse_renewed(target, [revision(PAST), revision(FUTURE)])
    for renewed in (revision(FUTURE), revision(None), revision(PAST, kept_until=NOW + timedelta(days=1))):
        with pytest.raises(HeldError, match="shop@x was deployed again meanwhile, and stays"):
            refuse_renewed(target, [renewed, revision(PAST)])


# --- taking away -----------------------------------------------------------------------------------------------------

KEEP = {"helm.sh/resource-policy": "keep"}


class Site:
    """One branch's release in a cluster of its own."""

    def __init__(self, application: str, expires: str | None) -> None:
        self.target = Target("dev", "london", application)
        self.cluster, self.locks = FakeCluster(), FakeLocks()
        claim: Json = {
            "apiVersion": "v1",
            "kind": "PersistentVolumeClaim",
            "metadata": {"name": "data", "annotations": KEEP},
        }
        self.key = ObjectKey("v1", "PersistentVolumeClaim", "default", "data")
        self.cluster.objects[self.key] = claim
        self.record = DeploymentRecord("d", application, "dev", "london", expires=expires)
        self.releases = FakeReleases([make_revision(1, manifests=(json.dumps(claim),), record=self.record)])

    def renew(self, expires: str) -> None:
        """Somebody deploys it again."""
        record = DeploymentRecord("e", self.target.application, "dev", "london", expires=expires)
        self.releases.stored.insert(0, make_revision(2, manifests=self.releases.stored[0].manifests, record=record))


class Sites:
    """The services of a removal."""

    def __init__(self, *sites: Site) -> None:
        self.sites = {site.target: site for site in sites}
        self.sink = RecordingSink()
        self.asked: list[Any] = []

    def run(self, **request: Any) -> list[tuple[str, str]]:
        found = [(target, settings(), App(target.app, "r", ("dev.london",))) for target in self.sites]
        asked = RemovalRequest("20261121-x", "dev", ours_alone=True, everything=True, **request)
        removing = Removing(asked, found, (), cast(Services, self), self.sink, self.confirm)
        result, _ = removing.run()
        return [(one.target.application, one.outcome) for one in result.targets]

    def confirm(self, plan: Any) -> None:
        self.asked.append([(one.target.application, one.changes) for one in plan.targets])

    def region(self, settings: Settings, target: Target) -> RegionPorts:
        site = self.sites[target]
        return RegionPorts(site.cluster, site.releases, FakeProber(), site.locks)

    def notifier(self, settings: Settings, channel: str | None) -> Any:
        return SimpleNamespace(announce=lambda told: None)

    def git_commit(self) -> str | None:
        return None

    def who(self) -> str:
        return "anna@laptop"

    def holder(self, deployment: str, action: str) -> Holder:
        return Holder(deployment, self.who(), "laptop", "now", action)


def test_branches_of_two_apps_go_at_once_with_their_data() -> None:
    shop, api = Site("shop@x", PAST), Site("api@y", PAST)
    sites = Sites(shop, api)
    assert sites.run(guard=refuse_renewed) == [("shop@x", "removed"), ("api@y", "removed")]
    change = ("PersistentVolumeClaim/data: removed with its data",)
    assert sites.asked == [[("shop@x", change), ("api@y", change)]]
    for site in (shop, api):
        assert site.cluster.done == ["delete PersistentVolumeClaim/data"]
        assert site.releases.done == [("uninstall",)]
        assert site.locks.done == [("acquire", "r"), ("release", "r")]


def test_one_that_fails_keeps_no_other_from_going() -> None:
    shop, api = Site("shop@x", PAST), Site("api@y", PAST)

    def fail(*arguments: Any, **options: Any) -> None:
        raise UnreachableError("helm failed")

    shop.releases.uninstall = fail  # type: ignore[method-assign]
    assert Sites(shop, api).run() == [("shop@x", "failed"), ("api@y", "removed")]


def test_one_that_was_renewed_while_somebody_was_asked_stays() -> None:
    shop, api = Site("shop@x", PAST), Site("api@y", PAST)
    sites = Sites(shop, api)
    sites.confirm = lambda plan: shop.renew(FUTURE)  # type: ignore[method-assign]
    assert sites.run(guard=refuse_renewed) == [("shop@x", "not started"), ("api@y", "removed")]
    assert shop.cluster.done == []
    assert shop.key in shop.cluster.objects


def test_one_that_was_kept_without_a_new_revision_stays_too() -> None:
    shop = Site("shop@x", PAST)
    sites = Sites(shop)
    sites.confirm = lambda plan: shop.releases.keep("r", "default", 1, NOW + timedelta(days=1))  # type: ignore[method-assign]
    assert sites.run(guard=refuse_renewed) == [("shop@x", "not started")]
    assert shop.cluster.done == []


def test_without_a_guard_a_branch_goes_before_its_time() -> None:
    assert Sites(Site("shop@x", FUTURE)).run() == [("shop@x", "removed")]


def test_a_plan_takes_nothing_away() -> None:
    shop = Site("shop@x", PAST)
    sites = Sites(shop)
    assert sites.run(plan_only=True) == [("shop@x", "planned")]
    assert (sites.asked, shop.cluster.done, shop.releases.done) == ([], [], [])


def test_there_may_be_nothing_to_take_away() -> None:
    sites = Sites()
    assert sites.run() == []
    assert sites.asked == []


def test_what_something_is_wrong_with_is_left_out_of_a_nightly_run() -> None:
    shop, renewed, silent = Site("shop@x", PAST), Site("api@y", FUTURE), Site("web@z", PAST)

    def no_answer(name: str, namespace: str) -> Any:
        raise UnreachableError("the cluster does not answer")

    silent.releases.revisions = no_answer  # type: ignore[method-assign]
    sites = Sites(shop, renewed, silent)
    with pytest.raises(DeployError):
        sites.run(guard=refuse_renewed)
    assert shop.key in shop.cluster.objects
    expected = [("shop@x", "removed"), ("api@y", "not started"), ("web@z", "not started")]
    assert sites.run(guard=refuse_renewed, isolates=True) == expected
    assert sites.asked == [[("shop@x", ("PersistentVolumeClaim/data: removed with its data",))]]
    assert renewed.cluster.done == silent.cluster.done == []
