"""`PlainKeys`: what is no secret although SOPS encrypts it."""

from __future__ import annotations

from typing import Any

import pytest

from deployer.config import document
from deployer.config.encrypted import with_positions
from deployer.config.nodes import scalars, show_path
from deployer.config.plain_keys import plain_keys
from deployer.errors import DeployError

ENC = "ENC[AES256_GCM,data:aGk=,iv:aaaa,tag:bbbb,type:str]"


def names(text: str) -> frozenset[str]:
    return plain_keys(document.parse(text, "group_vars/prod.yml"))


def test_named_keys_are_open_with_what_is_below_them_and_no_others() -> None:
    values: Any = {
        "Values": {"myapp": {"LEVEL": "x", "HOSTS": {"a": "x"}, "PASSWORD": "x"}},
        "FingerprintKey": "x",
        "Slack": {"LEVEL": "x"},
        "LEVEL": ["x"],
    }
    encrypted = document.parse(str(values).replace("'x'", f"'{ENC}'"), "s.yml")
    tree = with_positions(encrypted, values, plain=names("PlainKeys: [LEVEL, HOSTS]"))
    assert [show_path(path) for path, node in scalars(tree) if node.secret] == [
        "Values.myapp.PASSWORD",
        "FingerprintKey",
        "Slack.LEVEL",
    ]


def test_without_it_nothing_more_is_open() -> None:
    assert names("A: 1") == frozenset()


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("PlainKeys: LEVEL", "PlainKeys must be a list"),
        ("PlainKeys: [1]", "PlainKeys must have names of keys"),
        ("PlainKeys: ['{{ X }}']", "PlainKeys must have names of keys"),
        ("PlainKeys: [A, FingerprintKey]", "PlainKeys may not have FingerprintKey"),
        ("PlainKeys: [Values]", "PlainKeys may not have Values"),
        ("PlainKeys: [Token]", "PlainKeys may not have Token"),
    ],
)
def test_anything_but_names_of_single_keys_is_refused(text: str, problem: str) -> None:
    with pytest.raises(DeployError) as caught:
        names(text)
    (error,) = caught.value.leaves()
    assert error.what == problem
    assert str(error.where).startswith("group_vars/prod.yml:1")
