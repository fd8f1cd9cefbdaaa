"""Three regions as one: canaries, bakes, and what becomes of the others when one fails."""

from __future__ import annotations

import copy
from collections.abc import Iterator

import pytest

from tests.sandbox.clusters import Namespace
from tests.sandbox.helpers import Project
from tests.sandbox.surroundings import Json, unique
from tests.sandbox.tool import Done

REGIONS = ("london", "seoul", "virginia")
BREAKS = "{% if REGION == 'virginia' and GREETING_BROKEN | default('') %}exit 3{% else %}true{% endif %}"


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory, clusters: dict[str, Namespace]) -> Iterator[Project]:
    """An app that runs in all regions, and that can be broken in one or be made to fall ill after a while."""
    project = Project(tmp_path_factory.mktemp("fleet"), clusters)
    init = {"name": "prepare", "image": "{{ BaseImage }}", "command": ["sh", "-c", BREAKS]}
    project.deployment["spec"]["template"]["spec"]["initContainers"] = [init]
    project.deploy(region="all").expect(0)
    yield project


@pytest.fixture
def changed(running: Project) -> Project:
    running.values["GREETING"] = unique("greeting")
    running.app.pop("Rollout", None)
    return running


def outcomes(done: Done) -> dict[str, str]:
    return {target["region"]: target["outcome"] for target in done.document["targets"]}


def served(project: Project) -> dict[str, Json]:
    """The newest revision of each region, whether it is good, and the greeting in it."""
    found = {}
    for name, cluster in project.clusters.items():
        newest = cluster.revisions(project.name)[-1]
        found[name] = {"good": newest.verified, "new": cluster.uses(newest, project.values["GREETING"])}
    return found


def everywhere(*, new: bool) -> dict[str, Json]:
    return {region: {"good": True, "new": new} for region in REGIONS}


def locks(project: Project) -> list[Json]:
    leases = "/apis/coordination.k8s.io/v1/namespaces/{}/leases"
    return [
        lease
        for cluster in project.clusters.values()
        for lease in cluster.request("GET", leases.format(cluster.name))["items"]
    ]


def test_a_canary_region_comes_first_and_is_watched(changed: Project) -> None:
    changed.app["Rollout"] = {"Waves": ["seoul"], "Bake": 2}
    running = changed.write().start("local", "all", changed.name, "--json")
    done = running.done().expect(0)
    assert set(outcomes(done).values()) == {"deployed"}
    watched = running.time_of(f"[seoul {changed.name}] bake done")
    for later in ("london", "virginia"):
        assert watched <= running.time_of(f"[{later} {changed.name}] release")
    assert served(changed) == everywhere(new=True)
    assert locks(changed) == []


def test_a_canary_that_breaks_keeps_the_others_as_they_are(changed: Project) -> None:
    done = changed.deploy("--json", "--waves", "virginia", "-e", "GREETING_BROKEN=yes", region="all").expect(1)
    assert outcomes(done) == {"virginia": "rolled back", "london": "not started", "seoul": "not started"}
    assert served(changed) == everywhere(new=False)
    broken = next(target for target in done.document["targets"] if target["region"] == "virginia")
    assert any("prepare" in line for line in broken["evidence"])
    assert locks(changed) == []


def test_what_has_advanced_stays_or_goes_back_as_wished(changed: Project) -> None:
    broken = ("--json", "--waves", "seoul,london,virginia", "-e", "GREETING_BROKEN=yes")
    done = changed.deploy(*broken, region="all").expect(1)
    assert outcomes(done) == {"seoul": "deployed", "london": "deployed", "virginia": "rolled back"}
    assert served(changed)["seoul"] == {"good": True, "new": True}
    changed.values["GREETING"] = unique("greeting")
    done = changed.deploy(*broken, "--on-failure", "rollback", region="all").expect(1)
    assert set(outcomes(done).values()) == {"rolled back"}
    assert served(changed) == everywhere(new=False)


def test_a_wave_that_falls_ill_while_it_is_watched_goes_back(changed: Project) -> None:
    gates, template = changed.directory / "gates", changed.deployment["spec"]["template"]
    gates.mkdir()
    before = copy.deepcopy(template["spec"])
    template["spec"]["volumes"] = [{"name": "gates", "hostPath": {"path": str(gates)}}]
    falls_ill = "(until [ -e /gates/ill ]; do sleep 0.2; done; rm /www/index.html) &"
    command = ["sh", "-c", f"{falls_ill} {changed.container['command'][-1]}"]
    changed.container.update(command=command, volumeMounts=[{"name": "gates", "mountPath": "/gates"}])
    try:
        running = changed.write().start("local", "all", changed.name, "--json", "--waves", "seoul", "--bake", "40s")
        running.wait_for(f"[seoul {changed.name}] outside check done")
        (gates / "ill").touch()
        done = running.done().expect(1)
    finally:
        template["spec"] = before
    assert outcomes(done) == {"seoul": "rolled back", "london": "not started", "virginia": "not started"}
    assert "did not stay healthy" in done.stdout
    assert served(changed)["seoul"] == {"good": True, "new": False}


def test_waves_that_name_no_region_of_the_app_are_refused(changed: Project) -> None:
    done = changed.deploy("--waves", "tokyo", region="all").expect(2)
    assert "tokyo" in done.stderr
    assert "london, seoul, virginia" in done.stderr
