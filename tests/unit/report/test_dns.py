from __future__ import annotations

import json
import re
from pathlib import Path

from deployer.errors import UnreachableError
from deployer.model import Target
from deployer.model.drain import Drain
from deployer.model.traffic import TrafficStatus
from deployer.plan.dns import Seen, ServicePlan, plan_service
from deployer.report.dns import plan_document, plan_lines, traffic_document, traffic_lines
from tests.fake_dns import seen_by
from tests.unit.plan.dns import SERVICE, check, entrance, everything, latency

EXAMPLES = [
    json.loads(block)
    for block in re.findall(
        r"```json\n(.*?)```",
        (Path(__file__).parents[3] / "docs/json.md").read_text().partition("## `deploy dns`")[2],
        re.DOTALL,
    )[:2]
]
LONDON, SEOUL = (Target("prod", region, "myapp") for region in ("london", "seoul"))


def planned() -> ServicePlan:
    records = (*everything("paris"), latency(health_check="theirs"))
    return plan_service(SERVICE, [entrance("london"), entrance("seoul")], Seen(records, (check("paris"),)))


def test_a_plan_as_lines() -> None:
    lines = [*plan_lines([planned()])]
    assert lines[0] == "myapp.example.com  (myapp in prod)"
    assert "    + create the health check of myapp.seoul.example.com" in lines
    assert [line for line in lines if line.startswith("    !")] == [
        "    ! myapp.example.com A (london) → lb-london.eu-west-2.elb.amazonaws.com: made by somebody else, "
        "in the place of a record for london"
    ]
    assert "  left over (`deploy dns apply --prune` deletes it)" in lines
    assert lines[-1] == "    - health check check-paris of myapp.paris.example.com"


def test_what_is_done_is_said_so() -> None:
    (line,) = [line for line in plan_lines([planned()], pruned=True) if "left over" in line]
    assert line == "  deleted, was left over"
    right = plan_service(SERVICE, [entrance()], Seen(everything(), (check(),)))
    assert [*plan_lines([right])][1] == "  london  as it should be"


def test_the_documents_have_exactly_the_fields_that_are_documented() -> None:
    document = plan_document("prod", [planned()], [(SEOUL, UnreachableError("x"))], applied=True)
    assert document.keys() == EXAMPLES[0].keys()
    assert all(target.keys() == EXAMPLES[0]["targets"][0].keys() for target in document["targets"])
    assert [target["outcome"] for target in document["targets"]] == ["applied", "failed"]
    assert document["ok"] is False
    drain = Drain("anna@laptop", "2026-11-21T10:00:00+00:00", "a change", "20261121-100000-abcdef")
    found = TrafficStatus(LONDON, SERVICE.host, SERVICE.regional_host("london"), latency(), False, check(), None, drain)
    document = traffic_document("prod", [found])
    (wanted,) = EXAMPLES[1]["targets"]
    (target,) = document["targets"]
    assert (document.keys(), target.keys()) == (EXAMPLES[1].keys(), wanted.keys())
    for part in ("record", "healthCheck", "drained"):
        assert target[part].keys() == wanted[part].keys()


def test_a_target_that_could_not_be_planned_has_its_error() -> None:
    document = plan_document("prod", [], [(SEOUL, UnreachableError("Route 53 could not be reached"))])
    (target,) = document["targets"]
    assert (target["region"], target["outcome"]) == ("seoul", "failed")
    assert target["errors"][0]["what"] == "Route 53 could not be reached"


def test_the_traffic_as_a_table() -> None:
    drain = Drain("anna@laptop", "2026-11-21T10:00:00+00:00", "a change", "20261121-100000-abcdef")
    lines = [
        *traffic_lines(
            [
                TrafficStatus(LONDON, SERVICE.host, "l", latency(), False, check(), seen_by(1, 16), drain),
                TrafficStatus(SEOUL, SERVICE.host, "s", None, False, None),
            ]
        )
    ]
    assert lines[0] == "myapp → prod  myapp.example.com"
    assert re.split(r"  +", lines[2].strip()) == [
        "✘",
        "london",
        "unhealthy",
        "1/16 (Failure: Connection refused)",
        "A → lb-london.eu-west-2.elb.amazonaws.com",
    ]
    assert lines[3].strip().startswith("drained by anna@laptop since 2026-11-21T10:00:00+00:00 (a change")
    assert re.split(r"  +", lines[4].strip()) == ["-", "seoul", "no record", "-", "-"]


def test_foreign_text_does_nothing_to_a_terminal() -> None:
    record = latency(alias=None, values=("\x1b[2J",))
    assert "\x1b" not in "".join(traffic_lines([TrafficStatus(LONDON, "h", "l", record, True, check())]))
