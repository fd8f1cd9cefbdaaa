"""The status of a stage on real clusters: an app in three regions, and what becomes of it."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from pathlib import Path
from threading import Event

import pytest

from deployer.adapters.kubernetes import KubernetesCluster
from deployer.adapters.leases import LeaseLocks
from deployer.model import Holder, Target
from tests.sandbox.browser import browser
from tests.sandbox.clusters import Namespace
from tests.sandbox.helpers import Project
from tests.sandbox.region import eventually
from tests.sandbox.surroundings import ACCESS, CLOSED, Json

REGIONS = ("london", "virginia", "seoul")


@pytest.fixture(scope="module")
def everywhere(tmp_path_factory: pytest.TempPathFactory, clusters: dict[str, Namespace]) -> Project:
    project = Project(tmp_path_factory.mktemp("status"), clusters)
    project.container["env"].append({"name": "VERSION", "value": "{{ Version }}"})
    return project


@pytest.fixture
def deployed(everywhere: Project) -> Iterator[Project]:
    """An app that is well in all regions; what a test changes in its files is taken back."""
    before = json.dumps([everywhere.app, everywhere.regions])
    everywhere.deploy(region="all").expect(0)
    yield everywhere
    everywhere.app, everywhere.regions = json.loads(before)
    everywhere.write()


def targets(project: Project, code: int = 0, *options: str) -> dict[str, Json]:
    """What `deploy status --json` says of each region."""
    document = project.write().run("status", "local", project.name, "--json", *options).expect(code).document
    return {target["region"]: target for target in document["targets"]}


def healths(project: Project, code: int = 0, *options: str) -> dict[str, str]:
    return {region: target["health"] for region, target in targets(project, code, *options).items()}


def test_before_the_first_deployment(project: Project) -> None:
    assert healths(project, 0, "--exit-code") == dict.fromkeys(REGIONS, "absent")


def test_what_was_deployed(deployed: Project) -> None:
    found = targets(deployed, 0, "--exit-code")
    assert set(found) == set(REGIONS)
    for region, target in found.items():
        stored = deployed.clusters[region].revisions(deployed.name)[-1]
        assert (target["health"], target["state"], target["revision"]) == ("well", "deployed", stored.number)
        assert (target["version"], target["deployment"]) == ("1.0.0", stored.record["deployment_id"])
        assert (target["ready"], target["desired"], target["lastGood"]) == (1, 1, stored.number)
        assert 0 <= target["age"] < 600
        assert target["lock"] is None


def test_another_version_in_one_region(deployed: Project) -> None:
    deployed.deploy("--version", "2.0.0", region="seoul").expect(0)
    found = targets(deployed, 3, "--exit-code")
    assert [found[region]["health"] for region in REGIONS] == ["well", "well", "skewed"]
    assert found["seoul"]["skew"] == [{"what": "version", "here": "2.0.0", "elsewhere": "1.0.0"}]
    done = deployed.run("status", "local").expect(0)
    assert f"≠ {deployed.name} in seoul: version 2.0.0 (elsewhere 1.0.0)" in done.stdout


def test_a_failed_deployment_that_was_rolled_back(deployed: Project) -> None:
    deployed.container["command"] = ["/no/such/program"]
    deployed.deploy(region="virginia").expect(1)
    found = targets(deployed)["virginia"]
    assert (found["health"], found["state"], found["version"]) == ("well", "rolled back", "1.0.0")
    assert found["revision"] == found["lastGood"]


def test_a_deployment_that_was_killed(deployed: Project) -> None:
    """Its revision is there and not verified, and nobody renews its lock."""
    good = targets(deployed)["london"]["revision"]
    deployed.container["readinessProbe"]["httpGet"]["path"] = "/nowhere"
    deployed.write()
    running = deployed.start("local", "london", deployed.name)
    eventually(lambda: deployed.cluster.revisions(deployed.name)[-1].number > good)
    eventually(lambda: targets(deployed)["london"]["health"] == "busy", 20)
    running.process.send_signal(signal.SIGKILL)
    running.done()
    found = targets(deployed, 3, "--exit-code")["london"]
    assert (found["health"], found["lastGood"]) == ("broken", good)
    assert found["state"] in ("unverified", "interrupted")
    assert (found["lock"]["expired"], found["lock"]["action"]) == (True, "deploy")
    shown = deployed.run("status", "local").expect(0).stdout
    assert f"last good revision {good}" in shown
    assert f"`deploy recover local london {deployed.name}`" in shown


def test_a_lock_that_is_held(deployed: Project) -> None:
    namespace = deployed.clusters["seoul"].name
    cluster = KubernetesCluster(ACCESS / "kubeconfig", "seoul", namespace=namespace)
    locks = LeaseLocks(cluster, Target("local", "seoul", deployed.name))
    holder = Holder("d-1", "anna@elsewhere", "elsewhere", "2026-11-21T07:00:00+00:00")
    held = locks.acquire(
        deployed.name, namespace, holder, wait=0, waiting=lambda state: None, lost=lambda: None, stop=Event()
    )
    try:
        found = targets(deployed)
        assert {region: target["health"] for region, target in found.items()} == {
            "london": "well",
            "virginia": "well",
            "seoul": "busy",
        }
        assert (found["seoul"]["lock"]["who"], found["seoul"]["lock"]["expired"]) == ("anna@elsewhere", False)
    finally:
        held.release()
        cluster.close()
    assert healths(deployed)["seoul"] == "well"


def test_pods_that_are_not_ready(deployed: Project) -> None:
    namespace = deployed.clusters["london"]
    pods = namespace.live("Deployment", deployed.name)["spec"]["template"]["spec"]
    (container,) = pods["containers"]
    container |= {"image": "127.0.31.254:5000/no/such:1", "imagePullPolicy": "IfNotPresent"}
    change = {"replicas": 2, "template": {"spec": {"containers": [container]}}}
    namespace.patch("Deployment", deployed.name, {"spec": change})
    found = eventually(lambda: (one := targets(deployed)["london"])["health"] == "broken" and one)
    assert (found["state"], found["desired"]) == ("deployed", 2)
    assert found["workloads"][0]["reason"]


def test_a_region_that_does_not_answer(deployed: Project) -> None:
    kubeconfig = deployed.root / ".sandbox/kubeconfig"
    elsewhere = deployed.root / ".sandbox/closed"
    text = kubeconfig.read_text()
    elsewhere.write_text(text.replace("127.0.31.3:6443", CLOSED))
    assert elsewhere.read_text() != text
    deployed.regions["seoul"]["Cluster"]["Kubeconfig"] = ".sandbox/closed"
    found = targets(deployed, 5)
    assert {region: target["health"] for region, target in found.items()} == {
        "london": "well",
        "virginia": "well",
        "seoul": "unknown",
    }
    (error,) = found["seoul"]["errors"]
    assert (error["exitCode"], error["where"]) == (5, f"local.seoul, https://{CLOSED}")
    done = deployed.run("status", "local").expect(5)
    assert "2 well, 1 unknown" in done.stdout
    assert f"where: local.seoul, https://{CLOSED}" in done.stderr


def test_an_app_whose_file_has_gone(deployed: Project) -> None:
    (deployed.root / f"apps/{deployed.name}.yml").rename(deployed.root / "gone")
    try:
        (deployed.root / "apps/other.yml").write_text('Environments: ["local.london"]\nHelm: []\n')
        document = deployed.run("status", "local", "--json").expect(0).document
    finally:
        (deployed.root / "gone").rename(deployed.root / f"apps/{deployed.name}.yml")
        (deployed.root / "apps/other.yml").unlink()
    assert document["notInApps"] == [{"region": "london", "release": deployed.name, "application": deployed.name}]


def test_changes_are_told_while_it_watches(deployed: Project) -> None:
    page, other = deployed.root / "page.html", deployed.root / "other.html"
    watching = deployed.start("status", "local", "--watch=0.5s", "--html", str(other))
    writing = deployed.start("status", "local", "--watch", "0.5s", "--html", str(page))
    try:
        eventually(lambda: page.exists() and other.exists())
        before = page.read_text()
        deployed.deploy("--version", "1.5.0", region="london").expect(0)
        assert eventually(lambda: "1.5.0" in page.read_text())
        assert "1.5.0" not in before
    finally:
        for running in (watching, writing):
            running.signal(signal.SIGINT)
    done = watching.done().expect(130)
    told = [line for line in done.stdout.splitlines() if f"{deployed.name} london: " in line]
    assert any("locked by nobody → " in line for line in told)
    assert any("version 1.0.0 → 1.5.0" in line for line in told)
    assert not any(f"{deployed.name} seoul: " in line for line in done.stdout.splitlines()[6:])
    writing.done().expect(130)


def test_the_page_in_a_browser(deployed: Project, tmp_path: Path) -> None:
    page = tmp_path / "status.html"
    deployed.deploy("--version", "3.0.0", region="virginia").expect(0)
    deployed.run("status", "local", "--html", str(page)).expect(0)
    with browser(tmp_path) as opened:
        dom = opened.document(page)
        assert opened.asked == []
    assert dom.count(f'<th scope="row">{deployed.name}</th>') == 1
    assert (dom.count('<td class="well">'), dom.count('<td class="skewed">')) == (2, 1)
    assert "version 3.0.0 (elsewhere 1.0.0)" in dom
    for text in (dom, page.read_text()):
        assert deployed.token not in text
        assert deployed.values["GREETING"] not in text
