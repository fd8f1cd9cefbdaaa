"""A new repository: lint finds nothing in it, it fits the schemas, it holds no secret, and nothing is overwritten."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]

from deployer.cli import main
from deployer.config.schema import app_schema, group_vars_schema
from deployer.errors import UsageError
from deployer.lint.run import lint
from deployer.scaffold.answers import QUESTIONS, checked
from deployer.scaffold.files import files
from deployer.scaffold.write import write

DEFAULTS = {one.key: one.default for one in QUESTIONS}

ANSWERS = [
    DEFAULTS,
    {"name": "a-b-c", "port": "80", "environments": "prod.sydney", "domain": "team.example.org"},
    {"name": "on", "port": "8080", "environments": "yes.no", "domain": "example.com"},
    {"name": "x" * 53, "port": "65535", "environments": "dev.nowhere, dev.london,qa.mars", "domain": "a.b"},
]


@pytest.mark.parametrize("answers", ANSWERS)
def test_lint_finds_nothing_in_it(tmp_path: Path, answers: dict[str, str]) -> None:
    write(tmp_path, files(checked(**answers)))
    assert lint(tmp_path) == []


def test_its_files_fit_the_schemas() -> None:
    for name, text in files(checked(**DEFAULTS)).items():
        schema = app_schema() if name.startswith("apps/") else group_vars_schema()
        if name.startswith(("apps/", "group_vars/")):
            assert list(Draft202012Validator(schema).iter_errors(yaml.safe_load(text))) == []


def test_its_sandbox_is_the_one_of_this_repository() -> None:
    made, root = files(checked(**DEFAULTS)), Path(__file__).parents[3]
    for name in ("local.yml", "local.london.yml", "local.virginia.yml", "local.seoul.yml"):
        assert yaml.safe_load(made[f"group_vars/{name}"]) == yaml.safe_load((root / "group_vars" / name).read_text())


def test_it_tells_of_no_way_to_secrets_that_leads_over_the_disk() -> None:
    told = "".join(files(checked(**DEFAULTS)).values())
    assert "deploy secrets set dev Values.hello.PASSWORD" in told
    assert not re.search(r"(?m)(^|`)sops ", told)


def test_each_stage_has_a_key_of_its_own() -> None:
    rules = yaml.safe_load(files(checked(**DEFAULTS | {"environments": "dev.london,prod.london"}))[".sops.yaml"])
    patterns = {
        stage: [rule["kms"] for rule in rules["creation_rules"] if re.search(rule["path_regex"], file)]
        for stage in ("local", "dev", "prod")
        for file in [f"group_vars/secrets_{stage}.london.yml"]
    }
    assert all(len(keys) == 1 for keys in patterns.values())
    assert len({keys[0] for keys in patterns.values()}) == 3


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("name", "My App"), ("name", "lint"), ("name", "1a"), ("name", ""), ("name", "x" * 54), ("name", "../x"),
        ("port", "0"), ("port", "http"), ("port", "65536"), ("port", "٣"),
        ("environments", "prod"), ("environments", "all.london"), ("environments", "local.london"),
        ("environments", ","), ("environments", "plan.london"), ("environments", "../x.y"),
        ("domain", "example"), ("domain", "https://example.com"), ("domain", "a b.com"),
    ],
)  # fmt: skip
def test_an_answer_that_does_not_do_is_refused(key: str, value: str) -> None:
    with pytest.raises(UsageError, match=f"--{key}"):
        checked(**DEFAULTS | {key: value})


def test_nothing_is_overwritten_and_then_nothing_is_written(tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text("mine")
    with pytest.raises(UsageError) as caught:
        write(tmp_path, files(checked(**DEFAULTS)))
    assert "README.md" in str(caught.value.why)
    assert [path.name for path in tmp_path.iterdir()] == ["README.md"]
    assert (tmp_path / "README.md").read_text() == "mine"


def test_what_cannot_be_written_leaves_nothing_behind(tmp_path: Path) -> None:
    (tmp_path / "group_vars").write_text("in the way")
    with pytest.raises(UsageError, match="cannot be written"):
        write(tmp_path, files(checked(**DEFAULTS)))
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == [tmp_path / "group_vars"]


def test_at_most_four_questions_are_asked_and_none_with_yes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    import io

    monkeypatch.setattr("sys.stdin", io.StringIO("shop\n\n\n\n"))
    assert main(["init", str(tmp_path / "asked")]) == 0
    assert capsys.readouterr().err.count("?") == len(QUESTIONS) <= 4
    assert (tmp_path / "asked/apps/shop.yml").is_file()
    monkeypatch.setattr("sys.stdin", None)
    assert main(["init", str(tmp_path / "silent"), "--yes"]) == 0
    assert "?" not in capsys.readouterr().err
    assert main(["init", str(tmp_path / "silent"), "--yes"]) == 2


def test_its_playbooks_are_those_of_this_repository() -> None:
    root = Path(__file__).parents[3]
    made = files(checked("shop", "80", "prod.london", "example.com"))
    names = [name for name in made if name.startswith("playbooks/")]
    assert {"playbooks/deploy.yml", "playbooks/rollback.yml", "playbooks/action_plugins/deploy.py"} <= set(names)
    for name in (*names, "ansible.cfg"):
        assert made[name] == (root / name).read_text()
