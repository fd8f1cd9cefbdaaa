"""Clients of a real app, sent to a region by the simulation of Route 53: its pods stop in London, and come back."""

from __future__ import annotations

import copy
import shutil
import subprocess
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from deployer.sandbox.layout import DNS_PORT, INGRESS_PORT, SHARED_ADDRESS
from deployer.sandbox.layout import REGIONS as ALL
from tests.sandbox.helpers import Project
from tests.sandbox.route53 import LONDON, Zone, ask, eventually, make_check, zone_of_its_own
from tests.sandbox.surroundings import ask as request

REGIONS = tuple(region.name for region in ALL)
WITHIN = 10 + 3  # interval × threshold, and what it takes to stop a pod and to notice


@pytest.fixture
def zone() -> Iterator[Zone]:
    with zone_of_its_own() as made:
        yield made


@pytest.fixture
def app(project: Project, zone: Zone) -> Iterator[Zone]:
    """The app `app.ZONE` in all regions, with the records that a deployment makes. It answers with its region."""
    project.stage["DnsDomain"] = zone.name
    project.app["SubDomain"] = "app"
    project.container["env"][0]["value"] = "{{ REGION }}"
    ingress = next(one for one in project.app["Helm"] if one["kind"] == "Ingress")
    rule = copy.deepcopy(ingress["spec"]["rules"][0])
    ingress["spec"]["rules"].append({**rule, "host": "{{ SubDomain }}.{{ DnsDomain }}"})
    project.deploy(region="all").expect(0)
    checks = {region: make_check(zone, region, INGRESS_PORT) for region in ALL}
    hosts = [("CREATE", zone.alias(f"app.{region.name}", region)) for region in ALL]
    zone.apply(*hosts, *(("CREATE", zone.alias("app", region, check)) for region, check in checks.items()))
    yield zone
    for check in checks.values():
        zone.route53.delete_health_check(HealthCheckId=check)


class Load:
    """One request after another from a client near London, each with the address that DNS gives now.

    `seen` has when each began, its status (0 without an answer), and its text.
    """

    def __init__(self, name: str) -> None:
        self.seen: list[tuple[float, int, str]] = []
        self._name = name
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def _run(self) -> None:
        names = {region.address: region.name for region in ALL}
        while not self._end.wait(0.05):
            began = time.monotonic()
            try:
                [address] = ask(self._name)
                status, text = request(self._name, names[address], "/")
            except Exception as error:  # noqa: BLE001 -- shown by the test that looks at the answers
                status, text = 0, repr(error)
            self.seen.append((began, status, text))

    def __enter__(self) -> Load:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._end.set()
        self._thread.join()


def scale(project: Project, region: str, replicas: int) -> None:
    project.clusters[region].patch("Deployment", project.name, {"spec": {"replicas": replicas}})


def dig(name: str) -> str:
    program = shutil.which("dig")
    if program is None:  # only said by another client then
        return ask(name)[0]
    command = [program, "+short", "-b", LONDON.address, f"@{SHARED_ADDRESS}", "-p", str(DNS_PORT), name]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def test_requests_go_to_the_next_region_and_back(project: Project, app: Zone) -> None:
    name = f"app.{app.name}"
    addresses = {region.name: region.address for region in ALL}
    where: Callable[[], str] = lambda: dig(name)  # noqa: E731
    assert where() == addresses["london"]
    with Load(name) as load:
        eventually(lambda: [each[1:] for each in load.seen[:1]], [(200, "london")], 5)
        scale(project, "london", 0)
        eventually(where, addresses["virginia"], WITHIN)
        moved = time.monotonic()
        scale(project, "london", 1)
        eventually(where, addresses["london"], 2 * WITHIN)
        eventually(lambda: load.seen[-1][1:], (200, "london"), 5)
    lost = [at for at, status, _ in load.seen if status != 200]
    assert lost, "no request was sent while London's pods were gone"
    assert max(lost) <= moved
    served = [text for at, status, text in load.seen if status == 200]
    assert served[0] == served[-1] == "london"
    assert "virginia" in served
    assert "seoul" not in served
