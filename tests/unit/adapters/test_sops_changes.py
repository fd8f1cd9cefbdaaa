from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from deployer.adapters.sops import SopsFile
from deployer.errors import ConfigurationError, UnreachableError
from deployer.tools import require
from tests.unit.adapters.test_sops import PRIVATE, PUBLIC

TEXT = "# of the team\nA: 1\nB:\n    C: x-secret-x\n    # why\n    D: [one, two]\n"


def sops(tmp_path: Path, **environ: str) -> SopsFile:
    around = {"PATH": os.environ["PATH"], "SOPS_AGE_KEY": PRIVATE, "HOME": "/", "TMPDIR": str(tmp_path), **environ}
    return SopsFile(lambda: require("sops"), "group_vars/secrets_prod.yml", environ=around)


@pytest.fixture
def rules(tmp_path: Path) -> Path:
    path = tmp_path / ".sops.yaml"
    path.write_text(f"creation_rules:\n  - path_regex: ^group_vars/secrets_prod\n    age: {PUBLIC}\n")
    return path


@pytest.fixture
def content(tmp_path: Path, rules: Path) -> bytes:
    return sops(tmp_path).encrypt(TEXT, rules, "group_vars/secrets_prod.yml")


def lines(content: bytes) -> set[bytes]:
    return {line for line in content.splitlines() if b"ENC[" in line and b"mac:" not in line}


def test_a_new_file_is_encrypted_by_the_rules_and_keeps_comments(tmp_path: Path, content: bytes) -> None:
    assert b"x-secret-x" not in content
    assert b"team" not in content
    text = sops(tmp_path).text(content)
    assert text.index("# of the team") < text.index("A: 1") < text.index("C: x-secret-x") < text.index("# why")


def test_without_a_rule_no_file_is_made(tmp_path: Path, rules: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"no rule of \.sops\.yaml"):
        sops(tmp_path).encrypt(TEXT, rules, "group_vars/secrets_dev.yml")


@pytest.mark.parametrize("value", ["", "a\nb\n", "pässwörd 🔑", "'\"\\$(id)%s", 3, True, 1.5, {"k": ["v", 1]}])
def test_a_value_is_set_as_it_is_and_all_others_keep_their_ciphertext(
    tmp_path: Path, content: bytes, value: object
) -> None:
    after = sops(tmp_path).set_value(content, ["B", "my.new key"], value)
    assert sops(tmp_path).values(after)["B"] == {"C": "x-secret-x", "D": ["one", "two"], "my.new key": value}
    assert lines(content) <= lines(after)


def test_a_value_is_taken_away(tmp_path: Path, content: bytes) -> None:
    after = sops(tmp_path).unset_value(content, ["B", "D", 0])
    assert sops(tmp_path).values(after) == {"A": 1, "B": {"C": "x-secret-x", "D": ["two"]}}


def test_another_text_keeps_the_ciphertext_of_what_is_the_same(tmp_path: Path, content: bytes) -> None:
    editing = sops(tmp_path)
    assert editing.replace(content, editing.text(content)) == content
    after = editing.replace(content, editing.text(content).replace("x-secret-x", "y"))
    assert editing.values(after)["B"]["C"] == "y"
    assert len(lines(content) - lines(after)) == 1


@pytest.mark.parametrize("text", ["A: [", "", "- a\n", "A: 1\nA: 2\n"])
def test_a_text_that_sops_does_not_take_changes_nothing_and_does_not_hang(
    tmp_path: Path, content: bytes, text: str
) -> None:
    with pytest.raises(ConfigurationError, match="sops could not make the change") as raised:
        sops(tmp_path).replace(content, text)
    assert "AWS_PROFILE shows" in str(raised.value.hint)


def test_rotation_renews_all_ciphertext_and_no_value(tmp_path: Path, content: bytes) -> None:
    after = sops(tmp_path).rotate(content)
    assert not lines(content) & lines(after)
    assert sops(tmp_path).values(after) == sops(tmp_path).values(content)


def test_recipients_become_those_of_the_rules(tmp_path: Path, content: bytes, rules: Path) -> None:
    other = "age1lggyhqrw2nlhcxprm67z43rta597azn8gknawjehu9d9dl0jq3yqqvfafg"
    rules.write_text(f"creation_rules:\n  - path_regex: ^group_vars/secrets_prod\n    age: {PUBLIC},{other}\n")
    after = sops(tmp_path).update_keys(content, rules, "group_vars/secrets_prod.yml")
    assert other.encode() in after
    assert lines(content) == lines(after)


def test_without_the_key_the_error_is_that_of_decryption(tmp_path: Path, content: bytes) -> None:
    changes: tuple[Callable[[SopsFile], object], ...] = (
        lambda one: one.set_value(content, ["A"], "s3cr3t-value"),
        lambda one: one.rotate(content),
        lambda one: one.values(content),
        lambda one: one.replace(content, "A: s3cr3t-value\n"),
    )
    for change in changes:
        with pytest.raises(UnreachableError) as raised:
            change(sops(tmp_path, SOPS_AGE_KEY=""))
        assert "s3cr3t-value" not in str(raised.value)
        assert raised.value.where == "group_vars/secrets_prod.yml"


def test_no_plaintext_reaches_the_disk_or_a_process(tmp_path: Path, content: bytes) -> None:
    """sops is stood in for by a program that writes down its arguments and environment first."""
    spy = tmp_path / "spy"
    spy.write_text(
        f'#!/bin/sh\nprintf \'%s\\n\' "$@" >> {tmp_path}/seen\nenv >> {tmp_path}/seen\nexec {require("sops")} "$@"\n'
    )
    spy.chmod(0o755)
    environ = {"PATH": os.environ["PATH"], "SOPS_AGE_KEY": PRIVATE, "HOME": "/"}
    one = SopsFile(lambda: spy, "x", environ=environ)
    after = one.set_value(content, ["B", "E"], "canary-1234")
    one.replace(after, json.dumps(one.values(after)).replace("canary-1234", "canary-5678"))
    seen = (tmp_path / "seen").read_text()
    assert "set" in seen
    assert "canary" not in seen
    temporary = [line.removeprefix("TMPDIR=") for line in seen.splitlines() if line.startswith("TMPDIR=")]
    assert temporary
    assert all(name.startswith(("/dev/shm/", "/run/user/")) and not Path(name).exists() for name in temporary)
