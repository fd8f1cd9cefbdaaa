"""The published schemas: they are the code's, take what the tool takes, and refuse what it refuses."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]

from deployer.config.schema import app_schema, group_vars_schema, schema_files

ROOT = Path(__file__).parents[3]


def problems(schema: dict[str, Any], content: Any) -> list[str]:
    Draft202012Validator.check_schema(schema)
    return [str(error.json_path) for error in Draft202012Validator(schema).iter_errors(content)]


@pytest.mark.parametrize("name", ["app.json", "deployer.json", "group-vars.json"])
def test_what_is_published_is_what_the_code_says(name: str) -> None:
    assert (ROOT / "docs/schema" / name).read_text() == schema_files()[name], "run `make schema`"


@pytest.mark.parametrize("file", sorted((ROOT / "apps").glob("*.yml")), ids=lambda file: str(file.name))
def test_our_apps_fit(file: Path) -> None:
    assert problems(app_schema(), yaml.safe_load(file.read_text())) == []


@pytest.mark.parametrize(
    "file",
    [one for one in sorted((ROOT / "group_vars").glob("*.yml")) if not one.name.startswith("secrets")],
    ids=lambda file: str(file.name),
)
def test_our_group_vars_fit(file: Path) -> None:
    assert problems(group_vars_schema(), yaml.safe_load(file.read_text()) or {}) == []


@pytest.mark.parametrize(
    "content",
    [
        {"Rollout": {"Timeout": "{{ 60 * 10 }}"}},
        {"Ecr": {"CreateRepositories": "{{ STAGE == 'dev' }}"}},
        {"HealthCheck": "{{ Shared }}", "Mine": [1]},
        {"Values": {"myapp": {"Replicas": 2}}, "Slack": {"Token": "xoxb"}},
    ],
)
def test_templates_and_own_variables_fit(content: Any) -> None:
    assert problems(group_vars_schema(), content) == []


@pytest.mark.parametrize(
    ("content", "place"),
    [
        ({"Rollout": {"Timout": 5}}, "$.Rollout"),
        ({"Rollout": {"OnFailure": "explode"}}, "$.Rollout"),
        ({"HealthCheck": {"Port": "eighty"}}, "$.HealthCheck"),
        ({"AwsRegion": 5}, "$.AwsRegion"),
    ],
)
def test_mistakes_in_group_vars_do_not(content: Any, place: str) -> None:
    assert problems(group_vars_schema(), content) == [place]


@pytest.mark.parametrize(
    ("change", "place"),
    [
        ({"Environments": ["prod"]}, "$.Environments[0]"),
        ({"Helm": []}, "$.Helm"),
        ({"Docker": {"Dockerfile": "FROM x", "Downloads": []}}, "$.Docker"),
        ({"Slack": {"Token": "x"}}, "$.Slack"),
    ],
)
def test_mistakes_in_an_app_do_not(change: Any, place: str) -> None:
    assert problems(app_schema(), {"Environments": ["prod.london"], "Helm": [{}], **change}) == [place]
