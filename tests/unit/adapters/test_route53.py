from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from threading import Event
from typing import Any

import pytest
from botocore.stub import Stubber

from deployer.adapters.aws.load_balancers import ElasticLoadBalancers
from deployer.adapters.aws.route53 import Route53
from deployer.adapters.aws.session import Session, Sessions
from deployer.errors import ConfigurationError, ConflictError, DeployError, DeploymentFailed, UnreachableError
from deployer.model.dns import (
    AliasTarget,
    HealthCheck,
    HealthCheckConfig,
    HostedZone,
    LoadBalancer,
    RecordChange,
    RecordSet,
)

ZONE = HostedZone("Z1", "example.com")
CONFIG = HealthCheckConfig("HTTPS_STR_MATCH", "myapp.london.example.com", 443, "/up", "ok", 10, 3, True)
WIRE = {
    "Type": "HTTPS_STR_MATCH",
    "FullyQualifiedDomainName": "myapp.london.example.com",
    "Port": 443,
    "ResourcePath": "/up",
    "SearchString": "ok",
    "RequestInterval": 10,
    "FailureThreshold": 3,
    "EnableSNI": True,
    "Inverted": False,
    "Disabled": False,
}
CHECK = HealthCheck("check-1", "reference-1", 4, CONFIG, {"Name": "myapp"})
ALIAS = RecordSet(
    "myapp.example.com",
    "A",
    alias=AliasTarget("ZELB", "lb.eu-west-2.elb.amazonaws.com", True),
    set_identifier="london",
    region="eu-west-2",
    health_check="check-1",
)
TEXT = RecordSet("_deploy.myapp.london.example.com", "TXT", 300, ('"heritage=deployer"',))


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> Session:
    config = tmp_path_factory.mktemp("aws") / "config"
    config.write_text("[profile test]\naws_access_key_id = a\naws_secret_access_key = b\n")
    return Sessions().of("eu-west-2", "test", str(config))


class Stubbed(Stubber):
    """Botocore checks each request and each answer against the service's model."""

    def answer(self, operation: str, expected: dict[str, Any], **answer: Any) -> None:
        self.add_response(operation, answer, expected)

    def refuse(self, operation: str, code: str, message: str = "", status: int = 400) -> None:
        self.add_client_error(operation, code, message, status)


@pytest.fixture
def stub(session: Session) -> Iterator[Stubbed]:
    with Stubbed(session.client("route53")) as stubbed:
        yield stubbed
        stubbed.assert_no_pending_responses()


@pytest.fixture
def dns(session: Session, stub: Stubbed) -> Route53:
    return Route53(session)


def zones(*named: tuple[str, str, bool]) -> dict[str, Any]:
    found = [
        {"Id": f"/hostedzone/{id_}", "Name": name, "CallerReference": "x", "Config": {"PrivateZone": private}}
        for id_, name, private in named
    ]
    return {"HostedZones": found, "Marker": "", "IsTruncated": False, "MaxItems": "100"}


def test_the_zone_is_the_public_one_with_the_longest_name(stub: Stubbed, dns: Route53) -> None:
    known = [
        ("Z1", "example.com.", False),
        ("Z2", "eu.example.com.", False),
        ("Z3", "prod.eu.example.com.", True),
        ("Z4", "notexample.com.", False),
    ]
    stub.answer("list_hosted_zones", {}, **zones(*known))
    assert dns.zone("prod.EU.example.com") == HostedZone("Z2", "eu.example.com")


@pytest.mark.parametrize(
    ("known", "message"),
    [
        ([("Z1", "example.com.", False), ("Z2", "example.com.", False)], "there are 2 public hosted zones"),
        ([("Z1", "example.com.", True)], "no public hosted zone for prod.example.com"),
        ([("Z1", "ample.com.", False)], "no public hosted zone for prod.example.com: the account's are ample.com"),
    ],
)
def test_a_zone_that_is_not_one_and_one_only_is_refused(
    stub: Stubbed, dns: Route53, known: list[tuple[str, str, bool]], message: str
) -> None:
    stub.answer("list_hosted_zones", {}, **zones(*known))
    with pytest.raises(ConfigurationError, match=message):
        dns.zone("prod.example.com")


def test_a_zone_that_was_named_has_to_fit(stub: Stubbed, dns: Route53) -> None:
    (found,) = zones(("Z1", "example.com.", False))["HostedZones"]
    stub.answer("get_hosted_zone", {"Id": "Z1"}, HostedZone=found)
    assert dns.zone("prod.example.com", "Z1") == HostedZone("Z1", "example.com")
    stub.answer("get_hosted_zone", {"Id": "Z1"}, HostedZone=found)
    with pytest.raises(ConfigurationError, match="its name is example"):
        dns.zone("example.org", "Z1")
    stub.refuse("get_hosted_zone", "NoSuchHostedZone", status=404)
    with pytest.raises(ConfigurationError, match="there is no hosted zone Z9"):
        dns.zone("example.org", "Z9")


def wire(*records: RecordSet) -> list[dict[str, Any]]:
    from deployer.adapters.aws.route53.records import request

    return [request(record) for record in records]


def test_records_of_a_small_zone_are_read_at_once(stub: Stubbed, dns: Route53) -> None:
    other = RecordSet("other.example.com", "A", 60, ("192.0.2.1",))
    wildcard = {"Name": "\\052.Example.com.", "Type": "A", "TTL": 60, "ResourceRecords": [{"Value": "192.0.2.2"}]}
    stub.answer(
        "list_resource_record_sets",
        {"HostedZoneId": "Z1", "MaxItems": "300"},
        ResourceRecordSets=[wildcard, *wire(ALIAS, other, TEXT)],
        IsTruncated=False,
        MaxItems="300",
    )
    found = dns.records(ZONE, ["*.example.com", ALIAS.name, TEXT.name])
    assert found == (RecordSet("*.example.com", "A", 60, ("192.0.2.2",)), ALIAS, TEXT)


def test_names_are_looked_up_in_a_zone_that_is_big(stub: Stubbed, dns: Route53) -> None:
    other = RecordSet("other.example.com", "A", 60, ("192.0.2.1",))

    def page(start: dict[str, str], *records: RecordSet, following: str | None = None, size: str = "100") -> None:
        more = {"IsTruncated": following is not None}
        more |= {"NextRecordName": following, "NextRecordType": "A", "NextRecordIdentifier": "x"} if following else {}  # type: ignore[dict-item]
        expected = {"HostedZoneId": "Z1", "MaxItems": size, **start}
        stub.answer("list_resource_record_sets", expected, ResourceRecordSets=wire(*records), MaxItems=size, **more)

    page({}, other, following="more.example.com.", size="300")
    page({"StartRecordName": f"{TEXT.name}."}, other)  # what comes after a name that is not there
    page({"StartRecordName": f"{ALIAS.name}."}, ALIAS, following=f"{ALIAS.name}.")
    rest = {"StartRecordName": f"{ALIAS.name}.", "StartRecordType": "A", "StartRecordIdentifier": "x"}
    page(rest, replace(ALIAS, set_identifier="seoul"), other)
    assert dns.records(ZONE, [ALIAS.name, TEXT.name]) == (ALIAS, replace(ALIAS, set_identifier="seoul"))


def test_changes_go_in_one_batch(stub: Stubbed, dns: Route53) -> None:
    alias = {
        "Name": "myapp.example.com.",
        "Type": "A",
        "SetIdentifier": "london",
        "Region": "eu-west-2",
        "AliasTarget": {
            "HostedZoneId": "ZELB",
            "DNSName": "lb.eu-west-2.elb.amazonaws.com.",
            "EvaluateTargetHealth": True,
        },
        "HealthCheckId": "check-1",
    }
    text = {"Name": f"{TEXT.name}.", "Type": "TXT", "TTL": 300, "ResourceRecords": [{"Value": '"heritage=deployer"'}]}
    weighted = {**text, "SetIdentifier": "x", "Weight": 5}
    changes = [("UPSERT", alias), ("DELETE", weighted)]
    stub.answer(
        "change_resource_record_sets",
        {
            "HostedZoneId": "Z1",
            "ChangeBatch": {
                "Comment": "why",
                "Changes": [{"Action": action, "ResourceRecordSet": record} for action, record in changes],
            },
        },
        ChangeInfo={"Id": "/change/C1", "Status": "PENDING", "SubmittedAt": "2026-11-21T00:00:00Z"},
    )
    deleted = replace(TEXT, set_identifier="x", other={"Weight": 5})
    assert dns.change(ZONE, [RecordChange("UPSERT", ALIAS), RecordChange("DELETE", deleted)], "why") == "C1"


@pytest.mark.parametrize(
    ("code", "message", "error"),
    [
        (
            "InvalidChangeBatch",
            "[Tried to create resource record set [name='x.'] but it already exists]",
            ConflictError,
        ),
        ("InvalidChangeBatch", "[Tried to delete resource record set [name='x.'] but it was not found]", ConflictError),
        ("InvalidChangeBatch", "[… but the values provided do not match the current values]", ConflictError),
        ("InvalidChangeBatch", "[RRSet with DNS name x. is not permitted in zone y.]", ConfigurationError),
        ("NoSuchHealthCheck", "A health check with id x does not exist.", ConflictError),
        ("AccessDenied", "User: a is not authorized to perform: route53:ChangeResourceRecordSets", UnreachableError),
        ("PriorRequestNotComplete", "another change is under way", UnreachableError),
    ],
)
def test_a_refused_batch_says_what_to_do(
    stub: Stubbed, dns: Route53, code: str, message: str, error: type[DeployError]
) -> None:
    stub.refuse("change_resource_record_sets", code, message)
    with pytest.raises(error) as raised:
        dns.change(ZONE, [RecordChange("CREATE", TEXT)], "")
    assert type(raised.value) is error


def test_the_wait_for_insync_ends(stub: Stubbed, dns: Route53) -> None:
    def status(word: str) -> None:
        info = {"Id": "/change/C1", "Status": word, "SubmittedAt": "2026-11-21T00:00:00Z"}
        stub.answer("get_change", {"Id": "C1"}, ChangeInfo=info)

    status("PENDING")
    status("INSYNC")
    dns.wait_in_sync("C1", timeout=60, stop=Event())
    status("PENDING")
    with pytest.raises(DeploymentFailed, match="within 0 s"):
        dns.wait_in_sync("C1", timeout=0, stop=Event())
    stopped = Event()
    stopped.set()
    status("PENDING")
    with pytest.raises(DeploymentFailed, match="stopped"):
        dns.wait_in_sync("C1", timeout=60, stop=stopped)


def listed(*checks: HealthCheck) -> dict[str, Any]:
    found = [answered(check) for check in checks]
    return {"HealthChecks": found, "Marker": "", "IsTruncated": False, "MaxItems": "100"}


def answered(check: HealthCheck) -> dict[str, Any]:
    config = {**WIRE, "FullyQualifiedDomainName": check.config.host, "MeasureLatency": False}
    return {
        "Id": check.id,
        "CallerReference": check.reference,
        "HealthCheckConfig": config,
        "HealthCheckVersion": check.version,
    }


def test_tags_are_asked_of_ten_at_a_time_and_only_of_those_that_are_wanted(stub: Stubbed, dns: Route53) -> None:
    ours = [replace(CHECK, id=f"ours-{number:02}") for number in range(11)]
    others = [replace(CHECK, id=f"other-{number}", config=replace(CONFIG, host="example.org")) for number in range(5)]
    stub.answer("list_health_checks", {}, **listed(*others, *ours))
    for batch in (ours[:10], ours[10:]):
        tags = [
            {"ResourceType": "healthcheck", "ResourceId": each.id, "Tags": [{"Key": "Name", "Value": each.id}]}
            for each in batch
        ]
        expected = {"ResourceType": "healthcheck", "ResourceIds": [each.id for each in batch]}
        stub.answer("list_tags_for_resources", expected, ResourceTagSets=tags)
    found = dns.health_checks(lambda check: check.config.host == CONFIG.host)
    assert [check.tags for check in found] == [{"Name": each.id} for each in ours]
    assert replace(found[0].config, other={}) == CONFIG


def test_a_health_check_that_is_deleted_meanwhile_does_not_hide_the_others(stub: Stubbed, dns: Route53) -> None:
    gone, here = replace(CHECK, id="gone"), replace(CHECK, id="here")
    stub.answer("list_health_checks", {}, **listed(gone, here))
    stub.refuse("list_tags_for_resources", "NoSuchHealthCheck", status=404)
    stub.refuse("list_tags_for_resources", "NoSuchHealthCheck", status=404)
    tags = [{"ResourceType": "healthcheck", "ResourceId": "here", "Tags": [{"Key": "a"}]}]
    stub.answer(
        "list_tags_for_resources", {"ResourceType": "healthcheck", "ResourceIds": ["here"]}, ResourceTagSets=tags
    )
    assert [check.id for check in dns.health_checks(lambda check: True)] == ["here"]


def test_a_new_health_check_takes_the_first_reference_that_is_not_used_up(stub: Stubbed, dns: Route53) -> None:
    stub.refuse("create_health_check", "HealthCheckAlreadyExists", status=409)
    stub.answer(
        "create_health_check",
        {"CallerReference": "b", "HealthCheckConfig": WIRE},
        HealthCheck=answered(replace(CHECK, reference="b", version=1)),
        Location="https://route53.amazonaws.com/2013-04-01/healthcheck/check-1",
    )
    added = [{"Key": "Name", "Value": "myapp"}, {"Key": "deployer/why", "Value": "anna_s _laptop_"}]
    stub.answer("change_tags_for_resource", {"ResourceType": "healthcheck", "ResourceId": "check-1", "AddTags": added})
    made = dns.create_health_check(["a", "b", "c"], CONFIG, {"Name": "myapp", "deployer/why": "anna's (laptop)"})
    assert (made.id, made.reference) == ("check-1", "b")
    assert made.tags == {"Name": "myapp", "deployer/why": "anna_s _laptop_"}


def test_it_says_when_all_references_are_used_up(stub: Stubbed, dns: Route53) -> None:
    stub.refuse("create_health_check", "HealthCheckAlreadyExists", status=409)
    with pytest.raises(DeploymentFailed, match="makes no health check for myapp"):
        dns.create_health_check(["a"], CONFIG, {})


def test_an_update_holds_only_for_what_was_seen(stub: Stubbed, dns: Route53) -> None:
    mutable = {name: value for name, value in WIRE.items() if name not in ("Type", "RequestInterval")}
    drained = replace(CONFIG, disabled=True, inverted=True, other={"MeasureLatency": True})
    stub.answer(
        "update_health_check",
        {**mutable, "HealthCheckId": "check-1", "HealthCheckVersion": 4, "Disabled": True, "Inverted": True},
        HealthCheck=answered(replace(CHECK, version=5)),
    )
    assert dns.update_health_check(CHECK, drained).tags == CHECK.tags
    for code in ("HealthCheckVersionMismatch", "NoSuchHealthCheck"):
        stub.refuse("update_health_check", code, "it is 5, not 4", status=409)
        with pytest.raises(ConflictError, match="somebody else has changed the health check"):
            dns.update_health_check(CHECK, drained)


def test_a_deletion_of_what_is_gone_is_done(stub: Stubbed, dns: Route53) -> None:
    stub.answer("delete_health_check", {"HealthCheckId": "check-1"})
    dns.delete_health_check(CHECK)
    stub.refuse("delete_health_check", "NoSuchHealthCheck", status=404)
    dns.delete_health_check(CHECK)


def test_only_tags_that_differ_are_written(stub: Stubbed, dns: Route53) -> None:
    stub.answer(
        "change_tags_for_resource",
        {
            "ResourceType": "healthcheck",
            "ResourceId": "check-1",
            "AddTags": [{"Key": "new", "Value": "1"}],
            "RemoveTagKeys": ["old"],
        },
    )
    check = replace(CHECK, tags={"Name": "myapp", "old": "0"})
    tagged = dns.tag_health_check(check, {"Name": "myapp", "new": "1", "old": None, "never": None})
    assert tagged.tags == {"Name": "myapp", "new": "1"}
    assert dns.tag_health_check(tagged, {"Name": "myapp", "old": None}) == tagged


@pytest.mark.parametrize(("well", "checkers", "healthy"), [(3, 16, True), (2, 16, False), (0, 0, None)])
def test_the_checkers_outvote_each_other_as_route53_says(
    stub: Stubbed, dns: Route53, well: int, checkers: int, healthy: bool | None
) -> None:
    texts = ["Success: HTTP Status Code 200, OK"] * well + ["Failure: Connection refused"] * (checkers - well)
    found = [
        {"Region": "eu-west-1", "IPAddress": "192.0.2.1", "StatusReport": {"Status": text, "CheckedTime": "2026-11-21"}}
        for text in texts
    ]
    stub.answer("get_health_check_status", {"HealthCheckId": "check-1"}, HealthCheckObservations=found)
    status = dns.status(CHECK)
    assert (status.agreeing, status.healthy) == (well, healthy)


@pytest.fixture
def balancers(session: Session) -> Iterator[tuple[Stubbed, Stubbed, ElasticLoadBalancers]]:
    with Stubbed(session.client("elbv2")) as new, Stubbed(session.client("elb")) as classic:
        yield new, classic, ElasticLoadBalancers(session)


def balancer(name: str, **fields: str) -> dict[str, str]:
    return {"DNSName": name, "CanonicalHostedZoneId": "ZELB", **fields}


def test_a_load_balancer_is_found_on_any_page_in_any_spelling(
    balancers: tuple[Stubbed, Stubbed, ElasticLoadBalancers],
) -> None:
    new, _, found = balancers
    new.answer("describe_load_balancers", {}, LoadBalancers=[balancer("other.elb.amazonaws.com")], NextMarker="more")
    wanted = balancer("MyLb-1.eu-west-2.elb.amazonaws.com", IpAddressType="dualstack")
    new.answer("describe_load_balancers", {"Marker": "more"}, LoadBalancers=[wanted])
    known = LoadBalancer("mylb-1.eu-west-2.elb.amazonaws.com", "ZELB", True)
    assert found.find("dualstack.MYLB-1.eu-west-2.elb.amazonaws.com.") == known
    assert found.find("mylb-1.eu-west-2.elb.amazonaws.com") == known  # not asked again


def test_a_classic_load_balancer_is_found_too(balancers: tuple[Stubbed, Stubbed, ElasticLoadBalancers]) -> None:
    new, classic, found = balancers
    new.answer("describe_load_balancers", {}, LoadBalancers=[])
    old = {"DNSName": "a1.eu-west-2.elb.amazonaws.com", "CanonicalHostedZoneNameID": "ZOLD"}
    classic.answer("describe_load_balancers", {}, LoadBalancerDescriptions=[old])
    assert found.find("a1.eu-west-2.elb.amazonaws.com") == LoadBalancer("a1.eu-west-2.elb.amazonaws.com", "ZOLD")


def test_a_load_balancer_of_nobody_is_none(balancers: tuple[Stubbed, Stubbed, ElasticLoadBalancers]) -> None:
    new, classic, found = balancers
    new.answer("describe_load_balancers", {}, LoadBalancers=[])
    classic.answer("describe_load_balancers", {}, LoadBalancerDescriptions=[])
    assert found.find("lb.example.net") is None


def test_a_load_balancer_without_a_name_is_passed_over(
    balancers: tuple[Stubbed, Stubbed, ElasticLoadBalancers],
) -> None:
    new, classic, found = balancers
    gateway = {"LoadBalancerArn": "arn:gateway", "LoadBalancerName": "inspection", "Type": "gateway"}
    new.answer("describe_load_balancers", {}, LoadBalancers=[gateway, balancer("ours.elb.amazonaws.com")])
    classic.answer("describe_load_balancers", {}, LoadBalancerDescriptions=[])
    assert found.find("nobodys.elb.amazonaws.com") is None
    assert found.find("ours.elb.amazonaws.com") == LoadBalancer("ours.elb.amazonaws.com", "ZELB", False)
