from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from deployer.config import document
from deployer.config.nodes import MappingNode, Node, ScalarNode, SequenceNode, locate, node_at
from deployer.errors import ConfigurationError


def plain(node: Node) -> Any:
    match node:
        case ScalarNode():
            return node.value
        case SequenceNode():
            return [plain(item) for item in node.items]
    return {key: plain(entry.value) for key, entry in node.entries.items()}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1", 1),
        ("0777", 511),
        ("0x1f", 31),
        ("1_000", 1000),
        ("1.5", 1.5),
        ("1e5", "1e5"),
        ("yes", True),
        ("Off", False),
        ("y", "y"),
        ("~", None),
        ("", None),
        ("'0123'", "0123"),
        ('"true"', "true"),
        ("2024-01-01", "2024-01-01"),
        ("2024-01-01T10:00:00Z", "2024-01-01T10:00:00Z"),
        ("0.0.1", "0.0.1"),
        ("!!str 5", "5"),
        ("!!int '5'", 5),
        ("=", "="),
        ("<<", "<<"),
        ("[1, a, {b: c}]", [1, "a", {"b": "c"}]),
    ],
)
def test_scalars_have_the_types_of_yaml_1_1_and_timestamps_stay_text(text: str, value: object) -> None:
    parsed = plain(document.parse(f"key: {text}", "f.yml"))["key"]
    assert (parsed, type(parsed)) == (value, type(value))


def test_an_empty_file_is_an_empty_mapping() -> None:
    for text in ("", "\n", "# nothing\n", "---\n", "\ufeff"):
        assert plain(document.parse(text, "f.yml")) == {}


def test_a_byte_order_mark_and_windows_line_ends_are_read() -> None:
    assert plain(document.parse(b"\xef\xbb\xbfa: 1\r\nb: x\r\n", "f.yml")) == {"a": 1, "b": "x"}


def test_every_node_knows_its_place() -> None:
    root = document.parse("a:\n  b:\n    - x\n    - k: |\n        one\n        two\n", "f.yml")
    assert str(locate(root, ("a", "b"))) == "f.yml:2:3"
    assert str(locate(root, ("a", "b", 1, "k"))) == "f.yml:4:7"
    assert str(locate(root, ("a", "b", 1, "nothing", "below"))) == "f.yml:4:7"
    block = node_at(root, ("a", "b", 1, "k"))
    assert isinstance(block, ScalarNode)
    assert str(block.line_of(2)) == "f.yml:6"


def test_merge_keys_give_way_to_what_stands_beside_them() -> None:
    text = "one: &one {a: 1, b: 1}\ntwo: &two {b: 2, c: 2}\nall:\n  <<: [*one, *two]\n  c: 3\nsingle: {<<: *two}\n"
    parsed = plain(document.parse(text, "f.yml"))
    assert parsed["all"] == {"a": 1, "b": 1, "c": 3}
    assert parsed["single"] == {"b": 2, "c": 2}


def test_unsafe_marks_a_text_that_is_no_template() -> None:
    root = document.parse('a: !unsafe "{{ x }}"\nb: "{{ x }}"\n', "f.yml")
    safe, template = (node_at(root, (key,)) for key in "ab")
    assert isinstance(safe, ScalarNode)
    assert isinstance(template, ScalarNode)
    assert (safe.is_template, template.is_template) == (False, True)


@pytest.mark.parametrize(
    ("text", "place", "words"),
    [
        ("a: b\n\tc: d", "f.yml:2:1", "indent with spaces"),
        ("a: 1\nb: 2\na: 3", "f.yml:3:1", "first in line 1"),
        ("a: {b: 1, b: 2}", "f.yml:1:11", "twice"),
        ("- 1", "f.yml:1:1", "it is a list"),
        ("a:b", "f.yml:1:1", "space after each colon"),
        ("a: 1\n---\nb: 2", "f.yml:2:1", "more than one YAML document"),
        ("a: 1\n--- !x\nb: 2", "f.yml:2:1", "more than one YAML document"),
        ("a: {{ b }}", "f.yml:1:5", "must be quoted"),
        ("? [1, 2]\n: b", "f.yml:1:3", "a key must be a single value"),
        ("a: b: c", "f.yml:1:5", "must be quoted"),
        ("a: @b", "f.yml:1:4", "begins with '@' must be quoted"),
        ("a: %b", "f.yml:1:4", "begins with '%' must be quoted"),
        ("a: 'b", "f.yml:1:6", "quotes"),
        ("a: [b", "f.yml:2:1", "brackets"),
        ("a: \x01", "f.yml:1", "control character"),
        ("\n\na: \x00", "f.yml:3", "control character"),
        ("a: !vault x", "f.yml:1:4", "Ansible Vault"),
        ("a: !!python/object:os.system x", "f.yml:1:4", "is not known"),
        ("a: !!binary aGk=", "f.yml:1:4", "is not known"),
        ("a: !mine {b: c}", "f.yml:1:4", "the tag !mine"),
        ("a: !!int x", "f.yml:1:4", "not an int"),
        ("a: " + "1" * 5000, "f.yml:1:4", "not an int"),
        ("a: *b", "f.yml:1:4", "no anchor"),
        ("a: &b [*b]", "f.yml:1:8", "inside its own anchor"),
        ("<<: 1", "f.yml:1:5", "merge key"),
        ("<<: [{a: 1}, 2]", "f.yml:1:5", "merge key"),
        ('a: "\\ud800"', "f.yml:1:7", "Unicode"),
    ],
)
def test_what_is_wrong_is_named_with_its_place(text: str, place: str, words: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        document.parse(text, "f.yml")
    error = caught.value
    assert str(error.where) == place
    assert words in f"{error.what} {error.why} {error.hint}"


def test_what_is_not_utf_8_is_named_with_its_place() -> None:
    with pytest.raises(ConfigurationError, match="0xff") as caught:
        document.parse(b"a: 1\nb: \xff", "f.yml")
    assert str(caught.value.where) == "f.yml:2:4"
    with pytest.raises(ConfigurationError, match="not UTF-8"):
        document.parse("a: 1".encode("utf-16"), "f.yml")
    with pytest.raises(ConfigurationError, match="not UTF-8"):
        document.parse("{a: '\udcff'}", "f.yml")


@pytest.mark.parametrize("text", ["a: " + "[" * 100_000, "\n".join(" " * i + "a:" for i in range(200)), "{a: " * 5000])
def test_deep_nesting_is_refused_and_does_not_end_the_process(text: str) -> None:
    with pytest.raises(ConfigurationError, match="levels deep"):
        document.parse(text, "f.yml")


def test_aliases_that_repeat_each_other_are_refused() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]" for i in range(1, 10)]
    with pytest.raises(ConfigurationError, match="more than 200,000 values"):
        document.parse("\n".join(lines), "f.yml")


def test_levels_behind_aliases_count() -> None:
    deep = "[" * 40 + "{last}" + "]" * 40
    lines = ["a0: &a0 " + deep.format(last="x")] + [f"a{i}: &a{i} " + deep.format(last=f"*a{i - 1}") for i in (1, 2)]
    assert document.parse("\n".join(lines[:2]), "f.yml").entries
    with pytest.raises(ConfigurationError, match="more than 100 levels deep") as caught:
        document.parse("\n".join(lines), "f.yml")
    assert str(caught.value.where) == "f.yml:3:49"
    beside = "a: &a [[x]]\nb: &b [*a, x]\nc: " + "[" * 96 + "*b" + "]" * 96
    assert document.parse(beside, "f.yml").entries
    with pytest.raises(ConfigurationError, match="more than 100 levels deep"):
        document.parse(beside.replace("[x]", "[[x]]"), "f.yml")


def test_a_file_that_cannot_be_read_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for path in (tmp_path, tmp_path / "missing.yml"):
        with pytest.raises(ConfigurationError):
            document.read(path, "f.yml")
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(ConfigurationError, match="not an ordinary file"):
        document.read(tmp_path / "pipe", "f.yml")
    monkeypatch.setattr(document, "MAX_BYTES", 10)
    (tmp_path / "large.yml").write_text("a: 12345678")
    with pytest.raises(ConfigurationError, match="larger than"):
        document.read(tmp_path / "large.yml", "f.yml")


def test_values_do_not_show_in_representations() -> None:
    root = document.parse("a: hunter2\nb: [hunter2]", "f.yml")
    assert isinstance(root, MappingNode)
    assert "hunter2" not in repr(root) + repr(root.entries)
