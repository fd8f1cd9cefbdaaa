from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from deployer.errors import ConfigurationError
from deployer.model import HealthCheckSettings
from deployer.model.dns import AliasTarget, HealthCheck, RecordChange, RecordSet
from deployer.plan.dns import RegionPlan, Seen, ServicePlan, heritage, marker_name, plan_service, tags_of
from tests.unit.plan.dns import (
    HEALTH,
    SERVICE,
    alias,
    balancer,
    check,
    entrance,
    everything,
    latency,
    marker,
    regional,
)


def plan(
    *records: RecordSet,
    checks: tuple[HealthCheck, ...] = (),
    region: str = "london",
    adopt: bool = False,
    **fields: Any,
) -> RegionPlan:
    seen = Seen(records, checks)
    (one,) = plan_service(
        SERVICE, [entrance(region, **fields)], seen, adopt=["london", "seoul"] if adopt else ()
    ).regions
    return one


def changes(made: tuple[RecordChange, ...]) -> list[tuple[str, RecordSet]]:
    return [(change.action, change.record) for change in made]


def test_a_new_region_gets_its_host_its_sign_its_check_and_its_record() -> None:
    made = plan()
    assert changes(made.regional) == [("CREATE", regional()), ("CREATE", marker())]
    assert made.check.action == "create"
    assert made.check.config == check().config
    assert made.check.tags == check().tags
    assert changes(made.latency) == [("CREATE", latency(health_check=None))]  # it is made with the health check
    assert not made.conflicts


def test_what_is_as_it_should_be_is_left_alone() -> None:
    made = plan(*everything(), checks=(check(),))
    assert not made.changes_anything
    assert made.record == latency()


def test_names_are_compared_as_dns_compares_them() -> None:
    target = AliasTarget(balancer("london").zone_id, f"dualstack.{balancer('london').name}", True)
    assert not plan(regional(), marker(), latency(alias=target), checks=(check(),)).changes_anything


def test_a_load_balancer_with_ipv6_gets_both_records() -> None:
    both = balancer("london", dual_stack=True)
    made = plan(*everything(), checks=(check(),), balancer=both)
    assert changes(made.latency) == [("CREATE", latency(type="AAAA"))]
    assert changes(made.regional) == [("CREATE", regional(type="AAAA"))]
    six = [regional(type="AAAA"), latency(type="AAAA")]
    assert not plan(*everything(), *six, checks=(check(),), balancer=both).changes_anything
    back = plan(*everything(), *six, checks=(check(),))
    assert changes(back.regional) == [("DELETE", regional(type="AAAA"))]
    assert changes(back.latency) == [("DELETE", latency(type="AAAA"))]


def test_ipv6_in_some_regions_only_is_told() -> None:
    both = [entrance("london", balancer=balancer("london", dual_stack=True)), entrance("seoul")]
    assert plan_service(SERVICE, both, Seen()).notes == ("only london has IPv6: clients that use it all go there",)


def test_a_load_balancer_that_moved_changes_what_is_ours() -> None:
    moved = replace(balancer("london"), name="new.eu-west-2.elb.amazonaws.com")
    target = AliasTarget(moved.zone_id, moved.name, True)
    made = plan(*everything(), checks=(check(),), balancer=moved)
    assert changes(made.latency) == [("UPSERT", latency(alias=target))]
    assert changes(made.regional) == [("UPSERT", regional(alias=replace(target, evaluate_health=False)))]


# Health checks.


@pytest.mark.parametrize(
    ("health", "action", "differences"),
    [
        ({"failure_threshold": 5}, "update", ("threshold 3 → 5",)),
        ({"path": "/ok", "port": 8443}, "update", ("port 443 → 8443", "path /up → /ok")),
        ({"interval": 10}, "replace", ("interval 30 → 10",)),
        ({"protocol": "HTTP"}, "replace", ("protocol HTTPS → HTTP", "port 443 → 80", "SNI True → False")),
        ({"search_string": "ok"}, "replace", ("protocol HTTPS → HTTPS_STR_MATCH", "search string none → ok")),
    ],
)
def test_what_cannot_be_changed_is_replaced(health: dict[str, Any], action: str, differences: tuple[str, ...]) -> None:
    made = plan(*everything(), checks=(check(),), health=replace(HEALTH, **health))
    assert (made.check.action, made.check.differences) == (action, differences)
    assert [change.action for change in made.latency] == (["UPSERT"] if action == "replace" else [])


def test_a_drain_is_never_undone() -> None:
    out = replace(check().config, disabled=True, inverted=True)
    tags = {**check().tags, "deployer/drained-by": "anna"}
    drained = check(config=out, tags=tags)
    assert not plan(*everything(), checks=(drained,)).changes_anything
    other = plan(*everything(), checks=(drained,), health=replace(HEALTH, interval=10))
    assert other.check.action == "replace"
    assert (other.check.config.disabled, other.check.config.inverted) == (True, True)
    assert other.check.tags["deployer/drained-by"] == "anna"


def test_a_check_that_was_made_and_not_tagged_any_more_is_found_again() -> None:
    made = plan(*everything(), checks=(check(tags={}),))
    assert (made.check.action, made.check.differences) == ("update", ("tags",))
    assert made.check.live == check(tags={})


def test_the_one_that_the_record_uses_is_kept_of_two() -> None:
    twin = replace(check(), id="check-a")
    made = plan(*everything(), checks=(twin, check()))
    assert made.check.live == check()
    assert made.obsolete == (twin,)


def test_checks_of_others_are_none_of_ours() -> None:
    others = [
        check(tags={**check().tags, "deployer/stage": "dev"}),
        check(tags={**check().tags, "deployer/domain": "example.org"}),
        replace(check(tags={}), reference="by-hand"),
    ]
    for other in others:
        made = plan(checks=(other,))
        assert (made.check.action, made.obsolete) == ("create", ())


@pytest.mark.parametrize("health", [{"path": "/" + "a" * 255}, {"search_string": "a" * 256}])
def test_what_route53_would_refuse_is_refused_before(health: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError, match="Route 53 would not take this health check"):
        plan(health=replace(HealthCheckSettings(), **health))


# The regional host.


def wildcard(region: str = "london", **fields: Any) -> RecordSet:
    return replace(RecordSet(f"*.{region}.example.com", "A", alias=alias(region, evaluate=False)), **fields)


def test_a_wildcard_to_the_load_balancer_serves_the_host() -> None:
    assert plan(wildcard()).regional == ()
    name = RecordSet("*.london.example.com", "CNAME", 60, (f"{balancer('london').name.upper()}.",))
    assert plan(name).regional == ()


def test_a_wildcard_that_goes_elsewhere_is_told_and_outdone() -> None:
    made = plan(wildcard(alias=alias("seoul", evaluate=False)))
    assert changes(made.regional) == [("CREATE", regional()), ("CREATE", marker())]
    assert "*.london.example.com goes to lb-seoul" in made.notes[0]


def test_a_wildcard_of_the_whole_domain_is_not_relied_on() -> None:
    """It does not serve a name once any other name below `london.example.com` exists."""
    assert plan(wildcard(name="*.example.com")).regional != ()


def test_a_host_of_somebody_else_that_leads_to_the_load_balancer_is_left_alone() -> None:
    made = plan(regional(), latency(), checks=(check(),))
    assert (made.changes_anything, made.conflicts) == (False, ())


def test_a_host_of_somebody_else_that_leads_elsewhere_stands_against_it() -> None:
    other = RecordSet("myapp.london.example.com", "A", 60, ("192.0.2.1",))
    made = plan(other)
    assert made.regional == ()
    assert "myapp.london.example.com A → 192.0.2.1: made by somebody else" in made.conflicts[0]
    adopted = plan(other, adopt=True)
    assert changes(adopted.regional) == [("UPSERT", regional()), ("CREATE", marker())]


def test_a_cname_gives_way_in_the_same_batch() -> None:
    other = RecordSet("myapp.london.example.com", "CNAME", 60, ("elsewhere.example.net",))
    adopted = plan(other, adopt=True)
    assert changes(adopted.regional) == [("DELETE", other), ("CREATE", regional()), ("CREATE", marker())]


def test_a_host_that_was_deleted_by_hand_comes_back() -> None:
    assert changes(plan(marker(), latency(), checks=(check(),)).regional) == [("CREATE", regional())]


# The global host.


@pytest.mark.parametrize(
    "other",
    [
        RecordSet(SERVICE.host, "A", 60, ("192.0.2.1",)),
        RecordSet(SERVICE.host, "CNAME", 60, ("elsewhere.example.net",)),
        latency(health_check=None),
        latency(health_check="somebody-else's"),
        latency(set_identifier="by hand", health_check=None),
        RecordSet(SERVICE.host, "A", 60, ("192.0.2.1",), set_identifier="x", other={"Weight": 1}),
    ],
    ids=["simple", "cname", "no check", "other check", "same AWS region", "weighted"],
)
def test_a_record_of_somebody_else_is_never_touched(other: RecordSet) -> None:
    made = plan(regional(), marker(), other, checks=(check(),))
    assert made.latency == ()
    assert "made by somebody else" in made.conflicts[0]
    adopted = plan(regional(), marker(), other, checks=(check(),), adopt=True)
    assert adopted.conflicts == ()
    if other.key == latency().key:
        assert changes(adopted.latency) == [("UPSERT", latency())]
    else:
        assert changes(adopted.latency) == [("DELETE", other), ("CREATE", latency(health_check="check-london"))]


def test_records_of_other_regions_are_nobodys_business() -> None:
    made = plan(*everything(), *everything("seoul"), latency("paris", health_check=None), checks=(check(),))
    assert (made.changes_anything, made.conflicts) == (False, ())


def test_two_regions_in_one_aws_region_are_refused() -> None:
    made = plan(latency(set_identifier="seoul", health_check="check-seoul"), checks=(check("seoul"),), adopt=True)
    assert made.latency == ()
    assert "is in the same AWS region, eu-west-2" in made.conflicts[0]


def test_a_check_made_by_hand_is_taken_over_with_its_record() -> None:
    by_hand = replace(check(tags={"Name": "by hand"}), id="theirs", reference="console-1")
    seen = (regional(), latency(health_check="theirs"))
    assert plan(*seen, checks=(by_hand,)).conflicts
    made = plan(*seen, checks=(by_hand,), adopt=True)
    assert (made.check.action, made.check.live, made.check.differences) == ("update", by_hand, ("tags",))
    assert made.check.tags == tags_of(SERVICE, "london")
    assert made.latency == ()  # it is as it should be


def test_an_app_whose_ingress_lacks_the_global_host_gets_no_record_there() -> None:
    made = plan(global_too=False)
    assert made.latency == ()
    assert made.notes == ("no Ingress in london serves myapp.example.com: it gets no record there",)


# What is left over.


def whole(*records: RecordSet, checks: tuple[HealthCheck, ...]) -> ServicePlan:
    return plan_service(SERVICE, [entrance()], Seen(records, checks))


def test_a_region_that_the_app_no_longer_has_is_left_over() -> None:
    made = whole(*everything(), *everything("paris"), checks=(check(), check("paris")))
    assert not made.regions[0].changes_anything
    assert {each.key for each in made.leftovers.records} == {each.key for each in everything("paris")}
    assert made.leftovers.checks == (check("paris"),)


def test_a_region_that_was_not_asked_for_is_not_left_over() -> None:
    assert not whole(*everything(), *everything("seoul"), checks=(check(), check("seoul"))).leftovers


def test_a_host_of_a_region_that_is_no_more_is_kept_where_it_is_not_ours() -> None:
    made = whole(*everything(), regional("paris"), latency("paris"), checks=(check(), check("paris")))
    assert made.leftovers.records == (latency("paris"),)


def test_a_region_that_never_got_a_health_check_is_left_over() -> None:
    made = whole(*everything(), regional("paris"), marker("paris"), checks=(check(),))
    assert made.leftovers.records == (regional("paris"), marker("paris"))


def test_the_sign_of_another_service_is_none_of_ours() -> None:
    others = [
        replace(SERVICE, stage="dev"),
        replace(SERVICE, application="other"),
        replace(SERVICE, domain="eu.example.com"),  # in the same zone
    ]
    for other in others:
        host = other.regional_host("paris")
        sign = RecordSet(marker_name(host), "TXT", 300, (heritage(other, "paris"),))
        assert not whole(*everything(), sign, RecordSet(host, "A"), checks=(check(),)).leftovers, other


def test_what_an_old_sub_domain_had_is_left_over() -> None:
    old = replace(SERVICE, sub_domain="old")
    before = check(
        service=old,
        tags=tags_of(SERVICE, "london"),
    )
    record = latency(name="old.example.com", health_check="before")
    made = whole(*everything(), record, checks=(check(), replace(before, id="before")))
    assert made.leftovers.records == (record,)
    assert [each.id for each in made.leftovers.checks] == ["before"]


def test_a_record_that_gives_way_is_not_deleted_twice() -> None:
    """A region of another name, in the same AWS region, takes the place of one that is no more."""
    gone = latency(set_identifier="paris", health_check="check-paris")
    made = whole(regional(), marker(), gone, checks=(check(), check("paris")))
    assert [change.action for change in made.regions[0].latency] == ["DELETE", "CREATE"]
    assert made.leftovers.records == ()
