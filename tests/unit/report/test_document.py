"""The JSON document and the announcement."""

import json
import re
from dataclasses import replace
from pathlib import Path

from deployer.errors import ConfigurationError, ErrorGroup, Location
from deployer.model import DeploymentResult
from deployer.plan.steps import Plan, TargetPlan
from deployer.report.announcement import finished, started
from deployer.report.document import error_document, json_document
from tests.unit.report.test_terminal import BAD, GOOD

RESULT = DeploymentResult("id-1", "prod", "anna@laptop", "0f76" * 10, 12.3456, (GOOD, BAD))
DOCUMENTATION = Path(__file__).parents[3] / "docs" / "json.md"


def test_the_document_has_exactly_the_fields_that_are_documented() -> None:
    example = json.loads(re.findall(r"```json\n(.*?)```", DOCUMENTATION.read_text(), re.DOTALL)[0])
    document = json_document(RESULT)
    assert document.keys() == example.keys()
    assert document["targets"][0].keys() == example["targets"][0].keys()
    assert document["targets"][0]["workloads"][0].keys() == example["targets"][0]["workloads"][0].keys()
    json.dumps(document)


def test_one_failed_target_makes_the_whole_not_ok() -> None:
    document = json_document(RESULT)
    assert [document["ok"], *(target["ok"] for target in document["targets"])] == [False, True, False]
    assert document["targets"][1]["errors"][0]["hint"] == "mend it"


def test_errors_before_any_target_are_documents_too() -> None:
    error = ErrorGroup([ConfigurationError("a", where=Location("apps/x.yml", 3, 1)), ConfigurationError("b")])
    document = error_document(error)
    assert document["exitCode"] == 2
    assert [one["where"] for one in document["errors"]] == ["apps/x.yml:3:1", None]


def test_the_announcement_names_regions_version_image_duration_who_and_commit() -> None:
    text = json.dumps(finished(RESULT).blocks, ensure_ascii=False)
    for expected in ("london and seoul", "0.0.1", "myapp:0.0.1-aaaaaaaaaa…", "12 s", "anna@laptop", "0f760f760f76"):
        assert expected in text


def test_evidence_goes_into_the_thread() -> None:
    announcement = finished(RESULT)
    assert "last" not in announcement.text
    assert "last" in announcement.thread[0]


def test_slack_s_control_characters_are_escaped() -> None:
    plan = Plan((TargetPlan(GOOD.target, reasons=("a <b> & c",)),))
    text = started(plan, deployment_id="id", stage="prod", who="anna", git_commit=None).text
    assert "a &lt;b&gt; &amp; c" in text


def test_a_message_has_no_more_blocks_than_slack_takes() -> None:
    many = replace(RESULT, targets=tuple(replace(GOOD, changes=("x" * 5000,)) for _ in range(60)))
    assert len(finished(many).blocks) <= 50


def test_a_rollback_is_told_as_one() -> None:
    plan = Plan((TargetPlan(GOOD.target, reasons=("from revision 2 back to revision 1",)),))
    text = started(plan, deployment_id="id", stage="prod", who="anna", git_commit=None, action="rollback").text
    assert "anna is rolling back myapp in prod london" in text
    ended = finished(replace(RESULT, action="rollback", targets=(replace(GOOD, outcome="restored"),))).text
    assert ended.startswith(":white_check_mark: myapp in prod london: restored")
