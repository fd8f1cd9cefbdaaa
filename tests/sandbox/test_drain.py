"""Regions that are led out of DNS and back, against the simulation of Route 53: under load, killed, and two at once."""

from __future__ import annotations

import copy
import shutil
import threading
from collections.abc import Iterator
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from signal import SIGKILL, SIGTERM
from typing import Any

import pytest

from deployer.sandbox.layout import DNS_PORT, INGRESS_PORT, SHARED_ADDRESS
from deployer.sandbox.layout import REGIONS as ALL
from tests.sandbox.clusters import Namespace
from tests.sandbox.helpers import Project
from tests.sandbox.route53 import Zone, ask, eventually, zone_of_its_own
from tests.sandbox.surroundings import ask as request

REGIONS = tuple(region.name for region in ALL)
ADDRESSES = {region.name: region.address for region in ALL}
BY_NAME = {region.name: region for region in ALL}
LONG = 420.0


@pytest.fixture(scope="module")
def zone() -> Iterator[Zone]:
    with zone_of_its_own() as made:
        yield made


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory, clusters: dict[str, Namespace], zone: Zone) -> Iterator[Project]:
    """An app in all regions, with the DNS that the tool makes. It answers with its region."""
    project = Project(tmp_path_factory.mktemp("app"), clusters)
    project.stage |= {
        "DnsDomain": zone.name,
        "Dns": {"NameServers": [f"{SHARED_ADDRESS}:{DNS_PORT}"], "HostedZoneId": zone.id},
        "HealthCheck": {
            "Protocol": "HTTP", "Port": INGRESS_PORT, "Interval": 10, "FailureThreshold": 1, "Timeout": 15, "Stable": 1,
        },
    }  # fmt: skip
    project.stage["Rollout"] |= {"DrainGrace": 1}
    project.container["env"][0]["value"] = "{{ REGION }}"
    ingress = next(one for one in project.app["Helm"] if one["kind"] == "Ingress")
    rule = copy.deepcopy(ingress["spec"]["rules"][0])
    ingress["spec"]["rules"].append({**rule, "host": "{{ SubDomain }}.{{ DnsDomain }}"})
    project.deploy(region="all").expect(0)
    project.run("dns", "apply", "local", "all", project.name).expect(0)
    eventually(lambda: {region: healthy(project, region) for region in REGIONS}, dict.fromkeys(REGIONS, True), 60)
    yield project
    for check in checks(zone).values():
        zone.route53.delete_health_check(HealthCheckId=check["Id"])


def checks(zone: Zone) -> dict[str, Any]:
    """The health checks of the zone's hosts, by their regions."""
    found = {}
    for page in zone.route53.get_paginator("list_health_checks").paginate():
        for check in page["HealthChecks"]:
            host = check["HealthCheckConfig"].get("FullyQualifiedDomainName", "")
            if host.endswith(zone.name):
                found[host.split(".")[1]] = check
    return found


def tags(zone: Zone, region: str) -> dict[str, str]:
    name = checks(zone)[region]["Id"]
    found = zone.route53.list_tags_for_resource(ResourceType="healthcheck", ResourceId=name)["ResourceTagSet"]["Tags"]
    return {tag["Key"]: tag["Value"] for tag in found}


def drained(zone: Zone) -> list[str]:
    configs = {region: check["HealthCheckConfig"] for region, check in checks(zone).items()}
    return sorted(region for region, config in configs.items() if config["Disabled"] and config["Inverted"])


def locks(zone: Zone) -> list[str]:
    return [record["Name"] for record in zone.records() if record["Name"].startswith("_deploy-drain.")]


def healthy(project: Project, region: str) -> bool:
    document = project.run("dns", "status", "local", region, project.name, "--json").document
    return '"healthy"' in str(document).replace("'", '"')


def where(project: Project, zone: Zone, region: str = "london") -> str:
    """The region that DNS leads a client near `region` to."""
    [address] = ask(f"{project.name}.{zone.name}", BY_NAME[region])
    return next(name for name, known in ADDRESSES.items() if known == address)


def answers(app: Project, zone: Zone, region: str) -> bool:
    """Whether its host in the region answers well through the region's ingress."""
    return request(f"{app.name}.{region}.{zone.name}", region)[0] == 200


class Load:
    """Requests from clients near each region, each to the address that DNS gives at that moment."""

    def __init__(self, name: str) -> None:
        self.seen: list[tuple[str, int, str]] = []
        self._name = name
        self._end = threading.Event()
        self._threads = [threading.Thread(target=self._run, args=(region,)) for region in REGIONS]

    def _run(self, near: str) -> None:
        names = {address: region for region, address in ADDRESSES.items()}
        while not self._end.wait(0.1):
            try:
                [address] = ask(self._name, BY_NAME[near])
                status, text = request(self._name, names[address], "/")
            except Exception as error:  # noqa: BLE001 -- shown by the test that looks at the answers
                status, text = 0, repr(error)
            self.seen.append((near, status, text))

    def __enter__(self) -> Load:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._end.set()
        for thread in self._threads:
            thread.join()


def test_a_rolling_deployment_of_all_regions_loses_no_request(app: Project, zone: Zone) -> None:
    app.values["GREETING"] = "changed"  # in the pods' environment, so that all are replaced
    app.container["env"].append({"name": "CHANGED", "value": "{{ Values[Name].GREETING }}"})
    app.write()
    with Load(f"{app.name}.{zone.name}") as load:
        done = app.start("local", "all", app.name, "--drain", "--json").done(LONG).expect(0)
    assert len(load.seen) > 300
    assert [one for one in load.seen if one[1] != 200] == []
    assert {served for near, _, served in load.seen if near == "seoul"} > {"seoul"}  # it was led away meanwhile
    absences = [target["drained"] for target in done.document["targets"]]
    spans = sorted((datetime.fromisoformat(one["since"]), datetime.fromisoformat(one["until"])) for one in absences)
    assert all(before[1] <= after[0] for before, after in pairwise(spans))
    assert all(one["seconds"] >= 60 for one in absences)
    assert (drained(zone), locks(zone)) == ([], [])
    assert all(not any("drained" in key for key in tags(zone, region)) for region in REGIONS)
    assert "out of DNS from" in app.channel_messages[-1]["text"]
    assert [where(app, zone, region) for region in REGIONS] == list(REGIONS)


def test_what_a_killed_run_left_drained_is_put_back_from_elsewhere(app: Project, zone: Zone, tmp_path: Path) -> None:
    app.container["env"].append({"name": "KILLED", "value": "1"})
    app.write()
    running = app.start("local", "london", app.name, "--drain")
    eventually(lambda: drained(zone), ["london"], 60)
    running.signal(SIGKILL)
    running.done()
    found = tags(zone, "london")
    assert found["deployer/drained-by"]
    assert found["deployer/drained-run"].startswith("deploy/")
    eventually(lambda: where(app, zone) != "london", True, 30)
    elsewhere = Project(tmp_path, app.clusters)
    shutil.rmtree(elsewhere.root)
    shutil.copytree(app.root, elsewhere.root)
    elsewhere.name = app.name
    recovery = elsewhere.start("recover", "local", "london", app.name, "--lock-wait", "60s", "--json")
    done = recovery.done(LONG).expect(0)
    assert done.target["outcome"] == "repaired"
    assert any("was drained by" in repair for repair in done.target["repairs"])
    assert (drained(zone), locks(zone)) == ([], [])
    eventually(lambda: where(app, zone), "london", 10)


def test_a_run_that_is_stopped_before_it_changes_anything_puts_its_region_back(app: Project, zone: Zone) -> None:
    app.container["env"].append({"name": "STOPPED", "value": "1"})
    app.write()
    running = app.start("local", "london", app.name, "--drain", "--json")
    eventually(lambda: drained(zone), ["london"], 60)
    running.signal(SIGTERM)
    done = running.done().expect(128 + SIGTERM)
    assert done.target["outcome"] == "not started"
    assert done.target["drained"]["until"]
    assert drained(zone) == []


def test_of_two_that_drain_the_last_two_regions_one_is_refused(app: Project, zone: Zone) -> None:
    app.write()
    app.clusters["seoul"].patch("Deployment", app.name, {"spec": {"replicas": 0}})
    eventually(lambda: healthy(app, "seoul"), False, 60)
    runs = [app.start("dns", "drain", "local", region, app.name, "--json") for region in ("london", "virginia")]
    ended = sorted((run.done(LONG) for run in runs), key=lambda done: done.code)
    try:
        assert [done.code for done in ended] == [0, 4]
        assert ended[0].target["outcome"] == "drained"
        [error] = ended[1].target["errors"]
        assert "0 healthy regions would be left" in error["why"]
        assert len(drained(zone)) == 1
        assert locks(zone) == []
    finally:
        app.clusters["seoul"].patch("Deployment", app.name, {"spec": {"replicas": 1}})
    (region,) = drained(zone)
    shown = app.run("dns", "status", "local", region, app.name).expect(0)
    assert "drained" in shown.stdout
    app.run("dns", "restore", "local", region, app.name).expect(0)
    assert drained(zone) == []
    eventually(lambda: where(app, zone, region), region, 10)


def test_a_region_that_is_not_healthy_is_not_restored(app: Project, zone: Zone) -> None:
    app.write()
    app.start("dns", "drain", "local", "seoul", app.name, "--reason", "a test").done(LONG).expect(0)
    assert tags(zone, "seoul")["deployer/drained-why"] == "a test"
    app.clusters["seoul"].patch("Deployment", app.name, {"spec": {"replicas": 0}})
    eventually(lambda: answers(app, zone, "seoul"), False, 60)
    done = app.run("dns", "restore", "local", "seoul", app.name, "--json").expect(1)
    assert "stays drained" in done.target["errors"][0]["what"]
    assert drained(zone) == ["seoul"]
    app.clusters["seoul"].patch("Deployment", app.name, {"spec": {"replicas": 1}})
    eventually(lambda: answers(app, zone, "seoul"), True, 60)
    app.run("dns", "restore", "local", "seoul", app.name).expect(0)
    assert drained(zone) == []


def test_what_fails_while_its_region_is_drained_comes_back_as_it_was(app: Project, zone: Zone) -> None:
    command = app.container["command"]
    app.container["command"] = ["sh", "-c", "exit 1"]
    app.write()
    done = app.start("local", "london", app.name, "--drain", "--json").done(LONG).expect(1)
    app.container["command"] = command
    assert done.target["outcome"] == "rolled back"
    assert done.target["drained"]["until"]
    assert drained(zone) == []
    eventually(lambda: where(app, zone), "london", 10)


def test_with_dns_managed_route_53s_checkers_must_agree(app: Project, zone: Zone) -> None:
    app.stage["Dns"]["Manage"] = True
    app.container["env"].append({"name": "MANAGED", "value": "1"})
    app.write()
    done = app.start("local", "london", app.name, "--json").done(LONG).expect(0)
    assert done.target["outcome"] == "deployed"
    assert "checkers" in done.target["phases"]
    assert done.target["drained"] is None
