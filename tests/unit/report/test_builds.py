"""Reports for build servers: descriptions, test results, choices."""

from __future__ import annotations

from typing import Any
from xml.etree import ElementTree

from deployer.report.builds import choices, description
from deployer.report.junit import junit

ERROR = {"what": "the rollout failed", "where": "london", "why": "pods\x1b crash", "hint": "look"}


def target(region: str, outcome: str, app: str = "web", **more: Any) -> dict[str, Any]:
    ok = outcome in ("deployed", "unchanged", "planned")
    phases = {"release": 1.5, "rollout": 2}
    return {"application": app, "region": region, "outcome": outcome, "ok": ok, "phases": phases, "errors": []} | more


def deployment(*targets: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"action": "deploy", "stage": "prod", "targets": list(targets), **more}


def suite(document: dict[str, Any]) -> ElementTree.Element:
    (found,) = ElementTree.fromstring(junit(document))
    return found


def test_a_description_tells_what_became_of_each_app_where() -> None:
    document = deployment(
        target("london", "deployed", version="2"),
        target("seoul", "deployed", version="2"),
        target("virginia", "rolled back", version="2", errors=[ERROR]),
    )
    assert description(document) == "prod web 2: deployed in london, seoul; rolled back in virginia"


def test_apps_of_which_there_is_nothing_to_tell_are_counted() -> None:
    idle = [target("london", "unchanged", f"app{number}") for number in range(99)]
    document = deployment(target("london", "deployed"), *idle, stoppedBy="SIGTERM")
    assert description(document).splitlines() == [
        "stopped by SIGTERM",
        "prod web: deployed in london",
        "prod: 99 apps unchanged",
    ]
    assert description(deployment(idle[0])) == "prod app0: unchanged in london"


def test_a_description_is_short() -> None:
    lines = description(deployment(*(target("london", "failed", f"app{number}") for number in range(50)))).splitlines()
    assert len(lines) == 13
    assert lines[-1] == "… and 38 more"


def test_a_command_that_ended_early_tells_its_errors() -> None:
    document = {"ok": False, "errors": [ERROR], "exitCode": 5}
    assert description(document) == "the rollout failed"
    (case,) = suite(document)
    error = case.find("error")
    assert error is not None
    assert error.get("message") == "the rollout failed"
    assert description({"stage": "prod", "targets": []}) == "prod: nothing to do"


def test_each_region_is_a_test_case() -> None:
    document = deployment(
        target("london", "deployed"),
        target("seoul", "rolled back", errors=[ERROR], evidence=["pod web-1: CrashLoopBackOff"]),
        target("virginia", "not started"),
        target("tokyo", "not started", errors=[ERROR]),
    )
    found = suite(document)
    assert found.attrib == {
        "name": "deploy prod", "tests": "4", "failures": "1", "errors": "1", "skipped": "1", "time": "14.000"
    }  # fmt: skip
    assert [(case.get("classname"), case.get("name")) for case in found][:2] == [
        ("prod.web", "london"),
        ("prod.web", "seoul"),
    ]
    well, failed, skipped, refused = found
    assert (len(well), skipped[0].tag, refused[0].tag) == (0, "skipped", "error")
    assert failed[0].get("message") == "rolled back: the rollout failed"
    assert failed[0].text == "the rollout failed\nlondon\npods\ufffd crash\nlook\npod web-1: CrashLoopBackOff"


def test_what_a_plan_would_change_is_a_failure() -> None:
    planned, same = suite(
        deployment(target("london", "planned", changes=["Deployment/web: replicas"]), target("seoul", "unchanged"))
    )
    assert planned[0].tag == "failure"
    assert planned[0].text == "Deployment/web: replicas"
    assert len(same) == 0


def test_what_a_plan_says_cannot_be_deployed_is_an_error() -> None:
    refused = target("london", "planned", ok=False, changes=["Deployment/web: selector"], errors=[ERROR])
    (case,) = suite(deployment(refused))
    assert [told.tag for told in case] == ["error"]
    assert case[0].get("message") == "cannot be deployed like this: the rollout failed"
    assert str(case[0].text).startswith("the rollout failed\nlondon\n")


def test_regions_that_differ_are_failures() -> None:
    skew = [{"what": "version", "here": "1", "elsewhere": "2"}]
    seen = {"london": "well", "seoul": "skewed", "tokyo": "absent", "virginia": "unknown", None: "busy"}
    targets = [
        {
            "application": "web",
            "region": region,
            "health": health,
            "errors": [ERROR] if health == "unknown" else [],
            "skew": skew,
            "version": "1",
        }
        for region, health in seen.items()
    ]
    document = {"stage": "prod", "skew": True, "targets": targets}
    found = suite(document)
    assert [case[0].tag if len(case) else "" for case in found] == ["", "failure", "skipped", "error", ""]
    assert found[1][0].text == "version: 1, elsewhere 2"
    assert description(document).startswith("prod web 1: well in london; skewed in seoul; absent in tokyo; ")


def revision(number: int, deployment: str | None, **more: Any) -> dict[str, Any]:
    return {
        "revision": number,
        "deployment": deployment,
        "outcome": "good",
        "running": False,
        "version": f"v{number}",
    } | more


def test_choices_are_what_ran_well_and_does_not_run() -> None:
    london = [
        revision(4, "d4", running=True, when="4"),
        revision(3, "d3", outcome="failed", when="3"),
        revision(2, "d2", when="2", who="anna"),
        revision(1, "d1", when="1"),
    ]
    seoul = [revision(9, "d2", running=True, when="2"), revision(8, "d1", when="1"), revision(7, None, when="0")]
    both = {"regions": [{"region": "london", "revisions": london}, {"region": "seoul", "revisions": seoul}]}
    assert choices(both) == ["d2 · v2 · 2 · anna · london", "d1 · v1 · 1 · london, seoul"]
    assert choices({"regions": both["regions"][1:]}) == ["d1 · v8 · 1 · seoul", "7 · v7 · 0 · seoul"]
    assert choices({"regions": []}) == []
