"""What lint writes: lines for people, JSON, SARIF, and GitHub's workflow commands; and its exit codes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from deployer.cli import main
from deployer.lint.finding import RULES, Finding
from deployer.report.lint import github, json_text, sarif, text
from tests.unit.lint.conftest import FILES

ERROR = Finding(
    "apps/a.yml", 14, 10, "undefined-variable", "Values has no VALUE1", "did you mean VALUES1?",
    ("apps/a.yml:14 Version", "apps/a.yml:14 Version"), tuple(f"prod.r{number}" for number in range(6)),
)  # fmt: skip
WARNING = Finding("group_vars/all.yml", 3, 0, "unused-value", "100%: odd,\nname", "", severity="warning")
BOTH = [ERROR, WARNING]


def test_text_has_the_place_first_as_compilers_write_it() -> None:
    assert text(BOTH).splitlines() == [
        "apps/a.yml:14:10: error: Values has no VALUE1 [undefined-variable]",
        "    did you mean VALUES1?",
        "    by apps/a.yml:14 Version",
        "    in prod.r0, prod.r1, prod.r2, prod.r3 and 2 more",
        "group_vars/all.yml:3: warning: 100%: odd,",
        "name [unused-value]",
        "1 error, 1 warning",
    ]
    assert text([]) == "nothing found"


def test_json_has_every_field() -> None:
    document = json.loads(json_text(BOTH))
    assert (document["ok"], document["errors"], document["warnings"]) == (False, 1, 1)
    assert document["findings"][1]["column"] is None
    assert document["findings"][0]["environments"] == list(ERROR.environments)


def test_sarif_names_rules_and_places() -> None:
    (run,) = json.loads(sarif(BOTH))["runs"]
    assert [rule["id"] for rule in run["tool"]["driver"]["rules"]] == list(RULES)
    first, second = run["results"]
    assert run["tool"]["driver"]["rules"][first["ruleIndex"]]["id"] == first["ruleId"] == "undefined-variable"
    assert first["locations"][0]["physicalLocation"] == {
        "artifactLocation": {"uri": "apps/a.yml"},
        "region": {"startLine": 14, "startColumn": 10},
    }
    assert second["level"] == "warning"


def test_github_gets_escaped_commands() -> None:
    first, second, _ = github(BOTH).splitlines()
    assert first.startswith(
        "::error file=apps/a.yml,line=14,col=10,title=undefined-variable::Values has no VALUE1. did"
    )
    assert second == "::warning file=group_vars/all.yml,line=3,title=unused-value::100%25: odd,%0Aname"


@pytest.mark.parametrize(
    ("leftover", "options", "code"),
    [("", [], 0), ("Leftover: 1\n", [], 0), ("Leftover: 1\n", ["--strict"], 2), ("Rollout: 5\n", [], 2)],
)
def test_exit_codes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], leftover: str, options: list[str], code: int
) -> None:
    for name, content in FILES.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(content + (leftover if name == "group_vars/all.yml" else ""))
    assert main(["lint", "-C", str(tmp_path), "--json", *options]) == code
    assert json.loads(capsys.readouterr().out)["ok"] is (code == 0)
