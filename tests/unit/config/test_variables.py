from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from deployer.config import document
from deployer.config.nodes import MappingNode, ScalarNode
from deployer.config.variables import builtins, extra_variables, refuse_builtins
from deployer.errors import ConfigurationError, UsageError
from deployer.model import Target

from .test_document import plain


@pytest.mark.parametrize(
    ("options", "values"),
    [
        ([], {}),
        (["A=1"], {"A": "1"}),
        (["A=true B=0123"], {"A": "true", "B": "0123"}),
        (["A="], {"A": ""}),
        (["A=b=c"], {"A": "b=c"}),
        (['A=\'b c\' B="d \\"e\\""'], {"A": "b c", "B": 'd "e"'}),
        (["A={{ Name }} B=x"], {"A": "{{ Name }}", "B": "x"}),
        (["A=1", "A=2"], {"A": "2"}),
        (['{"A": 1, "B": {"C": true}}'], {"A": 1, "B": {"C": True}}),
        (["{A: {x: 1}}", "{A: {y: 2}}"], {"A": {"x": 1, "y": 2}}),
        ([" A=1\tB=2 "], {"A": "1", "B": "2"}),
    ],
)
def test_options_are_read_as_ansible_reads_them(options: list[str], values: dict[str, Any]) -> None:
    assert plain(extra_variables(options)) == values


def test_a_file_is_read_with_its_types_and_places(tmp_path: Path) -> None:
    (tmp_path / "v.yml").write_text("A: 1\nB: [x]\n")
    layer = extra_variables([f"@{tmp_path}/v.yml", "C=x"])
    assert plain(layer) == {"A": 1, "B": ["x"], "C": "x"}
    assert str(layer.entries["B"].location) == f"{tmp_path}/v.yml:2:1"
    (tmp_path / "v.json").write_text('{"A": 2}')
    assert plain(extra_variables([f"@{tmp_path}/v.json"])) == {"A": 2}


@pytest.mark.parametrize(
    ("option", "words"),
    [
        ("", "empty"),
        ("A", "'A' has no '=' after it"),
        ("A=hello world", "'world' has no '=' after it"),
        ("A='b", "a quote is not closed"),
        ("A=it's", "a quote is not closed"),
        ("1A=b", "no name for a variable"),
        ("Values.myapp.Replicas=3", "write JSON"),
        ("{A: ", "not a JSON or YAML mapping"),
        ("[1]", "not a JSON or YAML mapping"),
        ("{A: 1, A: 2}", "twice"),
        ("{1: 2}", "cannot set 1"),
        ("STAGE=x", "built-in"),
        ("DockerHash=x", "built-in"),
        ("{GitCommit: x}", "built-in"),
    ],
)
def test_what_is_wrong_with_an_option_is_said(option: str, words: str) -> None:
    with pytest.raises(UsageError) as caught:
        extra_variables([option])
    assert words in f"{caught.value} {caught.value.hint}"


def test_a_file_that_is_wrong_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError) as caught:
        extra_variables(["@missing.yml"])
    assert str(caught.value.where) == "missing.yml"
    (tmp_path / "s.yml").write_text("A: x\nsops: {mac: x}\n")
    with pytest.raises(ConfigurationError, match="SOPS"):
        extra_variables([f"@{tmp_path}/s.yml"])


def test_the_version_option_is_literal_and_given_once() -> None:
    node = extra_variables(["Tag=t"], "1.{{ x }}").entries["Version"].value
    assert isinstance(node, ScalarNode)
    assert (node.value, node.is_template, node.file) == ("1.{{ x }}", False, "--version")
    with pytest.raises(UsageError, match="twice"):
        extra_variables(["Version=1"], "2")
    with pytest.raises(UsageError, match="empty"):
        extra_variables([], "")


def test_built_in_variables_cannot_be_set_by_files() -> None:
    text = "a: 1\nSTAGE: x\nVersion: y\nDeploymentId: z\n"
    in_group_vars = refuse_builtins(document.parse(text, "f.yml"), app=False)
    assert [str(error.where) for error in in_group_vars] == ["f.yml:2:1", "f.yml:3:1", "f.yml:4:1"]
    in_app = refuse_builtins(document.parse(text, "f.yml"), app=True)
    assert [str(error.where) for error in in_app] == ["f.yml:2:1", "f.yml:4:1"]


def test_built_in_variables_of_a_target() -> None:
    values = builtins(Target("prod", "london", "myapp"), lambda: "abc", lambda: "id")
    assert (values["STAGE"], values["REGION"], values["APPLICATION"]) == ("prod", "london", "myapp")
    assert (values["GitCommit"](), values["DeploymentId"]()) == ("abc", "id")


def test_no_option_gives_an_empty_layer() -> None:
    assert isinstance(extra_variables([]), MappingNode)
