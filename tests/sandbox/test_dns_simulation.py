"""The sandbox's simulation of Route 53 as a whole: asked by boto3 and by a DNS client, with endpoints that come and go.

The lines of docs/route53.md are held by unit tests; here is what they cannot see: moto, its protocol,
the two processes.
"""

from __future__ import annotations

import contextlib
import http.server
import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from botocore.exceptions import ClientError

from deployer.sandbox.layout import REGIONS, Region
from tests.sandbox.route53 import LONDON, SEOUL, VIRGINIA, Zone, ask, eventually, make_check, zone_of_its_own


@pytest.fixture
def zone() -> Iterator[Zone]:
    with zone_of_its_own() as made:
        yield made


def code(error: pytest.ExceptionInfo[ClientError]) -> tuple[str, int]:
    return error.value.response["Error"]["Code"], error.value.response["ResponseMetadata"]["HTTPStatusCode"]


# --- records ---------------------------------------------------------------------------------------------------------


def test_a_change_is_pending_and_then_seen_by_the_name_server(zone: Zone) -> None:
    change = zone.change(("CREATE", zone.text("a", "first")), ("CREATE", zone.text("*.wild", "any")))
    assert change["Status"] == "PENDING"
    eventually(lambda: zone.route53.get_change(Id=change["Id"])["ChangeInfo"]["Status"], "INSYNC", seconds=10)
    assert ask(f"a.{zone.name}", type_="TXT") == ['"first"']
    assert ask(f"b.wild.{zone.name}", type_="TXT") == ['"any"']
    assert [record["Name"] for record in zone.records()] == [f"a.{zone.name}.", f"\\052.wild.{zone.name}."]
    with pytest.raises(ClientError) as caught:
        zone.route53.get_change(Id="C0")
    assert code(caught) == ("NoSuchChange", 404)


def test_a_batch_is_made_as_a_whole_or_not_at_all(zone: Zone) -> None:
    zone.apply(("CREATE", zone.text("a", "first")))
    with pytest.raises(ClientError, match="but it already exists") as caught:
        zone.change(("CREATE", zone.text("b", "new")), ("CREATE", zone.text("a", "second")))
    assert code(caught) == ("InvalidChangeBatch", 400)
    with pytest.raises(ClientError, match="values provided do not match the current values"):
        zone.change(("DELETE", zone.text("a", "second")))
    assert [record["Name"] for record in zone.records()] == [f"a.{zone.name}."]
    zone.apply(("DELETE", zone.text("a", "first")), ("CREATE", zone.text("a", "second")))
    assert ask(f"a.{zone.name}", type_="TXT") == ['"second"']


def test_a_record_made_with_create_is_a_lock(zone: Zone) -> None:
    def take(holder: int) -> bool:
        try:
            zone.change(("CREATE", zone.text("_lock", f"holder {holder}")))
        except ClientError as error:
            assert error.response["Error"]["Code"] == "InvalidChangeBatch"
            return False
        return True

    with ThreadPoolExecutor(16) as pool:
        taken = list(pool.map(take, range(16)))
    assert taken.count(True) == 1
    [record] = zone.records()
    assert record["ResourceRecords"] == [{"Value": f'"holder {taken.index(True)}"'}]

    def take_over(holder: int) -> bool:
        mine = zone.text("_lock", f"holder {holder}")
        with contextlib.suppress(ClientError):
            zone.change(("DELETE", record), ("CREATE", mine))
            return True
        return False

    with ThreadPoolExecutor(16) as pool:
        assert list(pool.map(take_over, range(100, 116))).count(True) == 1


def test_the_records_of_a_name_are_listed_across_pages(zone: Zone) -> None:
    checks = [make_check(zone, region, 1) for region in REGIONS]
    zone.apply(*(("CREATE", zone.alias("app", *each)) for each in zip(REGIONS, checks, strict=True)))
    found: list[tuple[str, str | None]] = []
    start: dict[str, str] = {}
    while True:
        page = zone.route53.list_resource_record_sets(HostedZoneId=zone.id, MaxItems="1", **start)
        found += [(record["Type"], record.get("SetIdentifier")) for record in page["ResourceRecordSets"]]
        if not page["IsTruncated"]:
            break
        start = {f"Start{key[4:]}": page[key] for key in page if key.startswith("NextRecord")}
    assert found == [("NS", None), ("SOA", None), ("A", "london"), ("A", "seoul"), ("A", "virginia")]
    zone.change(("DELETE", zone.alias("app", LONDON, checks[0])))
    assert len(zone.records()) == 2
    for check in checks:
        zone.route53.delete_health_check(HealthCheckId=check)


# --- health checks ---------------------------------------------------------------------------------------------------


def test_making_changing_and_deleting_a_health_check(zone: Zone) -> None:
    name = make_check(zone, LONDON, 8080)
    assert make_check(zone, LONDON, 8080) == name
    with pytest.raises(ClientError, match="already been created with the specified caller reference") as caught:
        make_check(zone, LONDON, 8081)
    assert code(caught) == ("HealthCheckAlreadyExists", 409)
    update = zone.route53.update_health_check
    shown = update(HealthCheckId=name, HealthCheckVersion=1, Disabled=True, Inverted=True)["HealthCheck"]
    assert shown == zone.route53.get_health_check(HealthCheckId=name)["HealthCheck"]
    assert shown["HealthCheckVersion"] == 2
    assert (shown["HealthCheckConfig"]["Disabled"], shown["HealthCheckConfig"]["Inverted"]) == (True, True)
    with pytest.raises(ClientError) as caught:
        update(HealthCheckId=name, HealthCheckVersion=1, Disabled=False)
    assert code(caught) == ("HealthCheckVersionMismatch", 409)
    tags = {"ResourceType": "healthcheck", "ResourceId": name}
    zone.route53.change_tags_for_resource(**tags, AddTags=[{"Key": "app", "Value": "x"}])
    assert zone.route53.list_tags_for_resource(**tags)["ResourceTagSet"]["Tags"] == [{"Key": "app", "Value": "x"}]
    zone.route53.delete_health_check(HealthCheckId=name)
    for call in ("get_health_check", "get_health_check_status", "delete_health_check"):
        with pytest.raises(ClientError) as caught:
            getattr(zone.route53, call)(HealthCheckId=name)
        assert code(caught) == ("NoSuchHealthCheck", 404)
    with pytest.raises(ClientError) as caught:
        make_check(zone, LONDON, 8080)
    assert code(caught) == ("HealthCheckAlreadyExists", 409)
    with pytest.raises(ClientError) as caught:
        zone.change(("CREATE", zone.alias("app", LONDON, name)))
    assert code(caught) == ("NoSuchHealthCheck", 404)


class Endpoints:
    """The app of the test: an HTTP server at each region's address, at the same port."""

    def __init__(self) -> None:
        with socket.socket() as free:
            free.bind((LONDON.address, 0))
            self.port = free.getsockname()[1]
        self._servers: dict[Region, http.server.ThreadingHTTPServer] = {}

    def start(self, region: Region) -> None:
        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.send_response(200)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        server = http.server.ThreadingHTTPServer((region.address, self.port), Handler)
        self._servers[region] = server
        threading.Thread(target=server.serve_forever, args=[0.05], daemon=True).start()

    def stop(self, region: Region) -> None:
        server = self._servers.pop(region)
        server.shutdown()
        server.server_close()

    def stop_all(self) -> None:
        for region in list(self._servers):
            self.stop(region)


@pytest.fixture
def endpoints() -> Iterator[Endpoints]:
    made = Endpoints()
    for region in REGIONS:
        made.start(region)
    yield made
    made.stop_all()


@pytest.fixture
def app(zone: Zone, endpoints: Endpoints) -> Iterator[dict[Region, str]]:
    """The app's health checks and records in the zone, as a deployment makes them."""
    checks = {region: make_check(zone, region, endpoints.port) for region in REGIONS}
    hosts = [("CREATE", zone.alias(f"app.{region.name}", region)) for region in REGIONS]
    zone.apply(*hosts, *(("CREATE", zone.alias("app", region, check)) for region, check in checks.items()))
    yield checks
    for check in checks.values():
        zone.route53.delete_health_check(HealthCheckId=check)


def seen(zone: Zone) -> list[str]:
    """Which region a client near each region is sent to."""
    names = {region.address: region.name for region in REGIONS}
    return [names[value] for region in REGIONS for value in ask(f"app.{zone.name}", region)]


def beginning(zone: Zone, check: str, status: str) -> int:
    """How many checkers report a status that begins so."""
    found = zone.route53.get_health_check_status(HealthCheckId=check)["HealthCheckObservations"]
    return sum(each["StatusReport"]["Status"].startswith(status) for each in found)


def test_traffic_follows_the_health_of_the_endpoints(zone: Zone, app: dict[Region, str], endpoints: Endpoints) -> None:
    assert seen(zone) == ["london", "virginia", "seoul"]
    within = 10 + 2  # interval × threshold, and what it takes to ask and to notice
    eventually(lambda: beginning(zone, app[LONDON], "Success: HTTP Status Code: 200"), 18, within)
    endpoints.stop(LONDON)
    eventually(lambda: seen(zone), ["virginia", "virginia", "seoul"], within)
    eventually(lambda: beginning(zone, app[LONDON], "Failure: "), 18, within)
    for region in (VIRGINIA, SEOUL):
        endpoints.stop(region)
    eventually(lambda: seen(zone), ["london", "virginia", "seoul"], within)  # all unhealthy: all healthy
    endpoints.start(SEOUL)
    eventually(lambda: seen(zone), ["seoul", "seoul", "seoul"], within)
    endpoints.start(LONDON)
    eventually(lambda: seen(zone), ["london", "london", "seoul"], within)


def test_a_region_is_drained_and_restored(zone: Zone, app: dict[Region, str]) -> None:
    update = zone.route53.update_health_check
    update(HealthCheckId=app[LONDON], Disabled=True)
    update(HealthCheckId=app[SEOUL], Disabled=True, Inverted=True)
    eventually(lambda: seen(zone), ["london", "virginia", "virginia"], seconds=2)
    update(HealthCheckId=app[LONDON], Inverted=True)
    update(HealthCheckId=app[VIRGINIA], Disabled=True, Inverted=True)
    eventually(lambda: seen(zone), ["london", "virginia", "seoul"], seconds=2)  # none is left: all are answered
    for check in app.values():
        update(HealthCheckId=check, Disabled=False, Inverted=False)
    eventually(lambda: seen(zone), ["london", "virginia", "seoul"], seconds=2)
