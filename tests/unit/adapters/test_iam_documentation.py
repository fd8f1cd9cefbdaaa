from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from botocore.session import Session

ROOT = Path(__file__).parents[3]
DOCUMENT = (ROOT / "docs" / "iam.md").read_text()
POLICIES: list[dict[str, Any]] = [json.loads(block) for block in re.findall(r"```json\n(.*?)```", DOCUMENT, re.DOTALL)]
MODELS = {"elasticloadbalancing": "elbv2"}
OTHER_NAMES = {"s3:ListBucket": "ListObjectsV2", "s3:GetObjectVersion": "GetObject", "sts:TagSession": "AssumeRole"}


def actions(policy: dict[str, Any]) -> set[str]:
    found: set[str] = set()
    for statement in policy["Statement"]:
        action = statement["Action"]
        found |= {action} if isinstance(action, str) else set(action)
    return found


ALL = set().union(*map(actions, POLICIES))


@pytest.mark.parametrize("action", sorted(ALL - {"kms:*"}))
def test_each_action_is_one_of_aws(action: str) -> None:
    service, _, operation = action.partition(":")
    model = Session().get_service_model(MODELS.get(service, service))
    assert OTHER_NAMES.get(action, operation) in model.operation_names


def test_the_policies_are_whole() -> None:
    for policy in POLICIES:
        assert policy["Version"] == "2012-10-17"
        for statement in policy["Statement"]:
            assert statement["Effect"] == "Allow"
            assert re.fullmatch(r"[A-Za-z0-9]+", statement["Sid"])


def test_each_action_that_an_error_names_is_documented() -> None:
    named = set()
    for file in (ROOT / "deployer" / "adapters").rglob("*.py"):
        named |= set(re.findall(r'"((?:ecr|eks|elasticloadbalancing|kms|route53|s3|sts):[A-Z]\w+)"', file.read_text()))
    assert {"ecr:CreateRepository", "eks:DescribeCluster", "sts:GetCallerIdentity"} <= named
    assert {action for action in named if action not in DOCUMENT} == set()
