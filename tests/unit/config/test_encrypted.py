from __future__ import annotations

from typing import Any

import pytest

from deployer.config import document
from deployer.config.encrypted import is_encrypted, with_positions
from deployer.config.nodes import scalars, show_path
from deployer.errors import ConfigurationError

ENC = "ENC[AES256_GCM,data:x,type:str]"
FILE = f"""\
Slack:
  Token: {ENC}
  Channel: {ENC}
DnsDomain: {ENC}
Values:
  myapp:
    Replicas: {ENC}
    PASSWORD: {ENC}
    Note_unencrypted: open
    List:
      - {ENC}
      - deep: {ENC}
sops:
  mac: {ENC}
"""
VALUES = {
    "Slack": {"Token": "xoxb", "Channel": "#c"},
    "DnsDomain": "d.test",
    "Values": {"myapp": {"Replicas": 2, "PASSWORD": "pw", "Note_unencrypted": "open", "List": ["a", {"deep": True}]}},
}


def test_decrypted_values_stand_where_the_encrypted_file_has_them() -> None:
    tree = with_positions(document.parse(FILE, "s.yml"), VALUES)
    found = {show_path(path): (node.value, node.line, node.secret) for path, node in scalars(tree)}
    assert found == {
        "Slack.Token": ("xoxb", 2, True),
        "Slack.Channel": ("#c", 3, False),
        "DnsDomain": ("d.test", 4, False),
        "Values.myapp.Replicas": (2, 7, False),
        "Values.myapp.PASSWORD": ("pw", 8, True),
        "Values.myapp.Note_unencrypted": ("open", 9, False),
        "Values.myapp.List[0]": ("a", 11, True),
        "Values.myapp.List[1].deep": (True, 12, True),
    }


def test_sops_metadata_tells_an_encrypted_file() -> None:
    assert is_encrypted(document.parse(FILE, "s.yml"))
    assert not is_encrypted(document.parse("sops: {note: a variable of that name}", "s.yml"))
    assert not is_encrypted(document.parse("sops: 1", "s.yml"))


@pytest.mark.parametrize(
    "values",
    [
        None,
        [],
        {},
        {**VALUES, "Slack": None},
        {**VALUES, "Slack": {"Token": "xoxb"}},
        {**VALUES, "More": 1},
        {**VALUES, "DnsDomain": {"a": 1}},
        {**VALUES, "Values": {"myapp": {**VALUES["Values"]["myapp"], "List": ["a"]}}},  # type: ignore[index]
    ],
)
def test_values_of_another_file_are_refused(values: Any) -> None:
    with pytest.raises(ConfigurationError, match="SOPS") as caught:
        with_positions(document.parse(FILE, "s.yml"), values)
    assert str(caught.value.where).startswith("s.yml")


@pytest.mark.parametrize("value", [None, "", ENC])
def test_ciphertext_and_empty_values_never_pass(value: Any) -> None:
    with pytest.raises(ConfigurationError, match=r"Slack\.Token encrypted or empty") as caught:
        with_positions(document.parse(FILE, "s.yml"), {**VALUES, "Slack": {"Token": value, "Channel": "#c"}})
    assert str(caught.value.where) == "s.yml:2:10"
