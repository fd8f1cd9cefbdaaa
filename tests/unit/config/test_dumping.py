from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from deployer.config import dumping
from tests.unit.adapters.test_sops_changes import rules, sops

__all__ = ["rules"]

TEXTS = [
    "", "text", "two words", "1e5", "123e4", "1.5e3", "1E5", "0o17", "0x1F", "0b11", "012", "1_000", "1_e5", "+1", "1.",
    ".5", ".inf", ".NaN", "y", "N", "yes", "Off", "on", "null", "~", "1:30", "2020-01-01", "2020-1-2",
    "2020-1-2t1:2:3Z", "=", "<<", "*a", "!x", "#c", "a: b", "- x", "{{ x }}", "a\nb\n", " lead", "trail ", "\n\nx",
    "\t", "\x85y", "\u2028x", "\x7f", "\x80", "\ufeffz", "🔑", "\\n", "'", '"', "%x", "@x", "x y " * 100, "a" * 300,
    "\r\nq\r\n",
]  # fmt: skip


@pytest.mark.parametrize("text", TEXTS)
def test_text_is_text_to_a_reader_of_yaml_1_1(text: str) -> None:
    assert yaml.safe_load(dumping.quoted({"a": text})) == {"a": text}
    assert list(yaml.safe_load_all(dumping.documents([{"a": text}, {"b": [text]}]))) == [{"a": text}, {"b": [text]}]


@pytest.mark.parametrize("dump", [dumping.quoted, lambda values: dumping.documents([values])])
def test_text_is_text_to_sops(tmp_path: Path, rules: Path, dump: Any) -> None:
    values: dict[str, Any] = {"texts": TEXTS, "1e5": "key", "y": "key", "others": [1, 1.5, True, None, 1e22, {}]}
    one = sops(tmp_path)
    assert one.values(one.encrypt(dump(values), rules, "group_vars/secrets_prod.yml")) == values


def test_what_is_clearly_a_text_stays_readable() -> None:
    manifest = {"name": "myapp", "cpu": "50m", "memory": "64Mi", "port": 8080, "url": "https://x.test/a?b=c"}
    assert dumping.documents([manifest]) == (
        "name: myapp\ncpu: 50m\nmemory: 64Mi\nport: 8080\nurl: https://x.test/a?b=c\n"
    )


def test_what_is_equal_is_written_twice() -> None:
    same = {"a": 1}
    assert "&" not in dumping.documents([{"x": same, "y": same}])
