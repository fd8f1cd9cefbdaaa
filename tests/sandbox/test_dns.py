"""`deploy dns`, and deployments that write DNS: a real app behind real Ingresses, and a simulated Route 53."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from typing import Any

import pytest

from deployer.sandbox.layout import DNS_PORT, INGRESS_PORT, SHARED_ADDRESS
from deployer.sandbox.layout import REGIONS as ALL
from tests.sandbox.helpers import Project
from tests.sandbox.route53 import LONDON, SEOUL, VIRGINIA, Zone, ask, client, eventually, make_check, zone_of_its_own
from tests.sandbox.surroundings import Json, unique

REGIONS = tuple(region.name for region in ALL)


@pytest.fixture
def zone() -> Iterator[Zone]:
    with zone_of_its_own() as made:
        yield made
    for check in checks_of(made):
        made.route53.delete_health_check(HealthCheckId=check["Id"])


@pytest.fixture
def app(project: Project, zone: Zone) -> Project:
    """`app.ZONE`, with both hosts in its Ingress; not deployed yet."""
    project.stage["DnsDomain"] = zone.name
    project.stage["HealthCheck"] |= {"Port": INGRESS_PORT, "Interval": 10, "FailureThreshold": 1}
    project.app["SubDomain"] = "app"
    ingress = next(one for one in project.app["Helm"] if one["kind"] == "Ingress")
    rule = copy.deepcopy(ingress["spec"]["rules"][0])
    ingress["spec"]["rules"].append({**rule, "host": "{{ SubDomain }}.{{ DnsDomain }}"})
    return project


def dns(app: Project, *arguments: str, region: str = "all", code: int = 0) -> Json:
    """The document of a `deploy dns` command, in the files' newest state."""
    app.write()
    verb, *options = arguments
    return app.run("dns", verb, "local", region, app.name, "--json", *options).expect(code).document


def of(document: Json, region: str = "london") -> Json:
    (found,) = (each for each in document["targets"] if each["region"] == region)
    target: Json = found
    return target


def checks_of(zone: Zone) -> list[dict[str, Any]]:
    pages = zone.route53.get_paginator("list_health_checks").paginate()
    return [
        check
        for page in pages
        for check in page["HealthChecks"]
        if check["HealthCheckConfig"].get("FullyQualifiedDomainName", "").endswith(zone.name)
    ]


def names(zone: Zone) -> set[tuple[str, str, str]]:
    return {
        (record["Name"].removesuffix(f".{zone.name}."), record["Type"], record.get("SetIdentifier", ""))
        for record in zone.records()
    }


ALL_NAMES = {
    *(("app", "A", region) for region in REGIONS),
    *((f"app.{region}", "A", "") for region in REGIONS),
    *((f"_deploy.app.{region}", "TXT", "") for region in REGIONS),
}


def test_clients_are_led_to_a_new_app_and_nothing_is_left_to_do(app: Project, zone: Zone) -> None:
    refused = dns(app, "apply", code=4)
    assert "no Ingress serves" in refused["errors"][0]["what"]
    assert zone.records() == []

    app.deploy(region="all").expect(0)
    planned = dns(app, "plan", "--exit-code", code=3)
    assert len(of(planned)["changes"]) == 4
    assert zone.records() == []

    applied = dns(app, "apply")
    assert {each["outcome"] for each in applied["targets"]} == {"applied"}
    assert names(zone) == ALL_NAMES
    for region in ALL:
        assert ask(f"app.{zone.name}", region) == [region.address]
        assert ask(f"app.{region.name}.{zone.name}") == [region.address]

    assert {each["outcome"] for each in dns(app, "plan", "--exit-code")["targets"]} == {"unchanged"}
    dns(app, "apply")
    assert len(checks_of(zone)) == 3

    def seen() -> set[str]:
        return {each["health"] for each in dns(app, "status")["targets"]}

    eventually(seen, {"healthy"}, 30)

    app.clusters["london"].patch("Deployment", app.name, {"spec": {"replicas": 0}})
    eventually(lambda: of(dns(app, "status"))["health"], "unhealthy", 60)
    assert of(dns(app, "status"))["healthCheck"]["reasons"]
    eventually(lambda: ask(f"app.{zone.name}", LONDON), [VIRGINIA.address], 20)


def test_a_deployment_writes_dns_where_it_is_managed(app: Project, zone: Zone) -> None:
    app.stage["Dns"] = {"Manage": True}
    first = app.deploy("--json", region="london,virginia").expect(0).document
    assert sum(change.startswith("dns: create") for change in of(first)["changes"]) == 4
    assert names(zone) == {one for one in ALL_NAMES if "seoul" not in "".join(one)}
    assert ask(f"app.{zone.name}", SEOUL) == [VIRGINIA.address]

    again = app.deploy("--json", region="london,virginia").expect(0).document
    assert (of(again)["outcome"], of(again)["changes"]) == ("unchanged", [])

    app.stage["HealthCheck"]["FailureThreshold"] = 5
    changed = app.deploy("--json", region="london,virginia").expect(0).document
    assert of(changed)["outcome"] == "unchanged"
    assert [change.partition(": ")[0] for change in of(changed)["changes"]] == ["dns"]
    assert {check["HealthCheckConfig"]["FailureThreshold"] for check in checks_of(zone)} == {5}

    rows = app.run("status", "local", app.name, "--json").expect(0).document["targets"]
    assert {row["region"]: row["dns"]["health"] for row in rows if row["dns"]["record"]}.keys() == {
        "london",
        "virginia",
    }


def test_the_checkers_judge_a_first_deployment_and_one_whose_health_path_moves(app: Project, zone: Zone) -> None:
    app.stage["Dns"] = {"Manage": True}
    app.stage["HealthCheck"]["Port"] = 9  # where the checkers look; our own look is led elsewhere
    refused = app.deploy("--json").expect(1).document["targets"][0]
    assert refused["outcome"] == "uninstalled"
    assert f"Route 53's checkers do not see app.london.{zone.name} healthy" in refused["errors"][0]["what"]
    assert "0 of 18 see it healthy" in refused["errors"][0]["why"]
    assert names(zone) == {one for one in ALL_NAMES if one[0] in ("app.london", "_deploy.app.london")}
    assert app.revisions == []

    app.stage["HealthCheck"]["Port"] = INGRESS_PORT
    first = app.deploy("--json").expect(0).document["targets"][0]
    assert "checkers" in first["phases"]
    assert ask(f"app.{zone.name}") == [LONDON.address]

    app.stage["HealthCheck"]["Path"] = app.container["readinessProbe"]["httpGet"]["path"] = "/up"
    app.container["command"][2] = "mkdir -p /www && echo ok > /www/up && exec httpd -f -p 80 -h /www"
    moved = app.deploy("--json").expect(0).document["targets"][0]
    assert (moved["outcome"], "checkers" in moved["phases"]) == ("deployed", True)
    assert [check["HealthCheckConfig"]["ResourcePath"] for check in checks_of(zone)] == ["/up"]
    eventually(lambda: ask(f"app.{zone.name}"), [LONDON.address], 20)


def test_a_release_stays_when_its_dns_cannot_be_written(app: Project, zone: Zone) -> None:
    app.stage["Dns"] = {"Manage": True}
    app.app["Helm"][2]["spec"]["rules"].pop()  # without the global host there is no record to write at first
    app.deploy().expect(0)
    assert names(zone) == {("app.london", "A", ""), ("_deploy.app.london", "TXT", "")}
    app.stage["Dns"]["HostedZoneId"] = "Z00000000000000000000"
    errors = app.deploy("--json").expect(2).document["errors"]
    assert "there is no hosted zone Z00000000000000000000" in errors[0]["what"]
    assert '"Manage": false' in errors[0]["hint"]
    app.deploy("-e", json.dumps({"Dns": {"Manage": False}})).expect(0)


def test_what_somebody_else_has_made_is_never_touched_unless_asked(app: Project, zone: Zone) -> None:
    app.deploy(region="all").expect(0)
    by_hand = {"Name": f"app.{zone.name}.", "Type": "A", "TTL": 60, "ResourceRecords": [{"Value": "192.0.2.1"}]}
    other = zone.text("other", "not ours")
    zone.apply(("CREATE", by_hand), ("CREATE", other))
    before = zone.records()

    refused = dns(app, "apply", code=4)
    assert len(refused["errors"]) == 3
    assert all("192.0.2.1: made by somebody else" in error["why"] for error in refused["errors"])
    assert zone.records() == before

    dns(app, "apply", "--adopt", code=4)  # nobody is there to be asked
    assert zone.records() == before
    dns(app, "apply", "--adopt", "--yes")
    assert names(zone) == ALL_NAMES | {("other", "TXT", "")}


def test_a_health_check_made_by_hand_is_taken_over_with_its_record(app: Project, zone: Zone) -> None:
    app.deploy().expect(0)
    check = make_check(zone, LONDON, INGRESS_PORT)
    zone.apply(("CREATE", zone.alias("app.london", LONDON)), ("CREATE", zone.alias("app", LONDON, check)))
    assert dns(app, "plan", region="london")["targets"][0]["conflicts"]
    taken = dns(app, "apply", "--adopt", "--yes", region="london")
    assert [one["Id"] for one in checks_of(zone)] == [check]
    assert ["health check" in change for change in taken["targets"][0]["changes"]].count(True) == 1
    assert dns(app, "plan", "--exit-code", region="london")["targets"][0]["outcome"] == "unchanged"


def test_a_wildcard_serves_the_regional_host(app: Project, zone: Zone) -> None:
    app.deploy().expect(0)
    zone.apply(("CREATE", zone.alias("*.london", LONDON)))
    dns(app, "apply", region="london")
    assert names(zone) == {("\\052.london", "A", ""), ("app", "A", "london")}
    assert ask(f"app.london.{zone.name}") == [LONDON.address]


def test_a_region_that_left_the_app_is_shown_and_pruned(app: Project, zone: Zone) -> None:
    app.deploy(region="all").expect(0)
    dns(app, "apply")
    app.app["Environments"] = ["local.london", "local.virginia"]
    assert len(dns(app, "plan", "--exit-code", code=3)["leftovers"]) == 4
    dns(app, "apply")
    assert names(zone) == ALL_NAMES
    dns(app, "apply", "--prune", "--yes")
    assert names(zone) == {one for one in ALL_NAMES if "seoul" not in "".join(one)}
    assert len(checks_of(zone)) == 2
    assert ask(f"app.{zone.name}", SEOUL) == [VIRGINIA.address]


def test_no_record_leads_to_a_region_that_does_not_answer(app: Project, zone: Zone) -> None:
    app.deploy(region="all").expect(0)
    app.clusters["seoul"].patch("Deployment", app.name, {"spec": {"replicas": 0}})
    app.stage["HealthCheck"]["Timeout"] = 2
    document = dns(app, "apply", code=1)
    assert {each["region"]: each["outcome"] for each in document["targets"]} == {
        "london": "applied",
        "virginia": "applied",
        "seoul": "failed",
    }
    assert ("app", "A", "seoul") not in names(zone)
    assert ask(f"app.{zone.name}", SEOUL) == [VIRGINIA.address]


def test_a_removal_takes_dns_away_before_the_release(app: Project, zone: Zone) -> None:
    app.stage["Dns"] = {"Manage": True, "NameServers": [f"{SHARED_ADDRESS}:{DNS_PORT}"]}
    app.stage["Rollout"]["DrainGrace"] = 0
    app.deploy(region="london,virginia").expect(0)
    london = [name for name in names(zone) if "london" in "".join(name)]
    before = app.clusters["london"].snapshot()

    aws = (app.root / ".sandbox/aws-config").read_text()
    away = "services = away\n[services away]\nroute_53 =\n  endpoint_url = http://127.0.0.1:9\n"
    (app.root / ".sandbox/aws-config").write_text(aws + away)
    refused = app.run("remove", "local", "london", app.name, "--yes", "--json").expect(5).document
    assert '"Manage": false' in refused["errors"][0]["hint"]
    (app.root / ".sandbox/aws-config").write_text(aws)
    assert app.clusters["london"].snapshot() == before
    assert {*london} <= names(zone)

    removal = app.start("remove", "local", "london", app.name, "--yes", "--json")
    (removed,) = removal.done(300).expect(0).document["targets"]  # clients keep the record for its minute
    assert removed["outcome"] == "removed"
    assert sum(change.startswith("dns: delete") for change in removed["changes"]) == 4
    assert list(removed["phases"])[:3] == ["dns", "clients", "uninstall"]
    assert names(zone) == {one for one in ALL_NAMES if "virginia" in "".join(one)}
    assert ask(f"app.{zone.name}", LONDON) == [VIRGINIA.address]
    assert len(checks_of(zone)) == 1

    last = app.run("remove", "local", "virginia", app.name, "--json").expect(4).document["errors"][0]
    assert f"app.{zone.name} leads nowhere afterwards" in last["why"]
    app.start("remove", "local", "virginia", app.name, "--yes").done(300).expect(0)
    assert (zone.records(), checks_of(zone)) == ([], [])


def test_an_adoption_takes_records_over_too(app: Project, zone: Zone) -> None:
    app.stage["Dns"] = {"Manage": False}
    app.deploy().expect(0)
    by_hand = {"Name": f"app.{zone.name}.", "Type": "A", "TTL": 60, "ResourceRecords": [{"Value": "192.0.2.1"}]}
    zone.apply(("CREATE", by_hand))
    app.stage["Dns"] = {"Manage": True}

    app.write()
    asked = app.run("adopt", "local", "london", app.name, "--json").expect(4).document["errors"][0]
    assert "192.0.2.1: made by somebody else" in asked["why"]
    assert len(zone.records()) == 1

    (taken,) = app.run("adopt", "local", "london", app.name, "--json", "--yes").expect(0).document["targets"]
    assert f"dns: delete app.{zone.name} A" in taken["changes"]
    assert names(zone) == {one for one in ALL_NAMES if "london" in "".join(one)}
    assert ask(f"app.{zone.name}", SEOUL) == [LONDON.address]


@pytest.fixture
def dual_stack() -> Iterator[str]:
    """The name of a load balancer in London's AWS region that has IPv6 as well."""
    elb, name = client("elbv2"), unique("six")
    [lb] = elb.describe_load_balancers(Names=[LONDON.load_balancer])["LoadBalancers"]
    subnets = [zone["SubnetId"] for zone in lb["AvailabilityZones"]]
    [made] = elb.create_load_balancer(Name=name, Subnets=subnets, IpAddressType="dualstack")["LoadBalancers"]
    yield made["DNSName"]
    elb.delete_load_balancer(LoadBalancerArn=made["LoadBalancerArn"])


def test_a_load_balancer_with_ipv6_gets_both_kinds_of_records(app: Project, zone: Zone, dual_stack: str) -> None:
    app.deploy().expect(0)
    served = app.cluster.live("Ingress", app.name)
    other = {"metadata": {"name": f"a-{app.name}"}, "spec": {**served["spec"], "ingressClassName": "nobody"}}
    app.cluster.create("Ingress", {**other, "apiVersion": "networking.k8s.io/v1", "kind": "Ingress"})
    status = {"status": {"loadBalancer": {"ingress": [{"hostname": dual_stack}]}}}
    app.cluster.request(
        "PATCH",
        f"/apis/networking.k8s.io/v1/namespaces/{app.cluster.name}/ingresses/a-{app.name}/status",
        status,
        content_type="application/merge-patch+json",
    )
    dns(app, "apply", region="london")
    six = {("app", "AAAA", "london"), ("app.london", "AAAA", "")}
    assert names(zone) == {one for one in ALL_NAMES if "london" in "".join(one)} | six
    assert of(dns(app, "plan", "--exit-code", region="london"))["outcome"] == "unchanged"
    app.cluster.delete("Ingress", f"a-{app.name}")
    dns(app, "apply", region="london")
    assert not [one for one in names(zone) if one[1] == "AAAA"]
