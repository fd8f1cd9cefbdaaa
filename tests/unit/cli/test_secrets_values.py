from __future__ import annotations

import io
import sys
from typing import Any

import pytest

from deployer.cli.secrets_values import MOST, read_value, typed
from deployer.errors import UsageError


class Piped(io.TextIOWrapper):
    def isatty(self) -> bool:
        return False


def piped(monkeypatch: pytest.MonkeyPatch, content: bytes, kind: str = "text") -> Any:
    monkeypatch.setattr(sys, "stdin", Piped(io.BytesIO(content)))
    return read_value("Values.myapp.A", "prod", kind)


@pytest.mark.parametrize(
    ("content", "value"),
    [
        (b"one\n", "one"),
        (b"one\r\n", "one"),
        (b"one", "one"),
        (b" one ", " one "),
        (b"one\ntwo\n", "one\ntwo\n"),
        (b"one\ntwo", "one\ntwo"),
        ("pässwörd 🔑\n".encode(), "pässwörd 🔑"),
        (b"0123\n", "0123"),
    ],
)
def test_a_line_loses_its_end_and_a_text_of_lines_stays(
    monkeypatch: pytest.MonkeyPatch, content: bytes, value: str
) -> None:
    assert piped(monkeypatch, content) == value


@pytest.mark.parametrize("content", [b"", b"\n", b"  \n", b"\xffs3cr3t", b"s3cr3t\0", b"s3cr3t" * MOST])
def test_what_is_no_value_is_refused_without_it(monkeypatch: pytest.MonkeyPatch, content: bytes) -> None:
    with pytest.raises(UsageError) as raised:
        piped(monkeypatch, content)
    assert "s3cr3t" not in f"{raised.value}{raised.value.hint}"


@pytest.mark.parametrize(
    ("text", "kind", "value"),
    [
        ("3", "number", 3),
        ("-1.5", "number", -1.5),
        ("9223372036854775807", "number", 2**63 - 1),
        ("0.10", "number", 0.1),
        ("TRUE", "boolean", True),
        ('{"a": [1]}', "json", {"a": [1]}),
    ],
)
def test_values_have_the_wanted_type(text: str, kind: str, value: object) -> None:
    assert typed(text, kind) == value


@pytest.mark.parametrize(
    ("text", "kind"),
    [("s3cr3t", "number"), ("true", "number"), ("NaN", "number"), ("s3cr3t", "boolean"), ('{"s3cr3t', "json"),
     ("null", "json"), ('["s3cr3t"]', "json"), ("ENC[AES256_GCM,data:s3cr3t", "text"),
     ("12345678901234567890", "number"), ("0.12345678901234567890", "number"), ("1e400", "number"),
     ('{"a": 1, "a": "s3cr3t"}', "json")],
)  # fmt: skip
def test_values_of_another_type_are_refused_without_them(text: str, kind: str) -> None:
    with pytest.raises(UsageError) as raised:
        typed(text, kind)
    assert "s3cr3t" not in f"{raised.value}{raised.value.hint}"


def test_a_text_that_is_a_template_is_told(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert piped(monkeypatch, b"s3cr3t{#x#}") == "s3cr3t{#x#}"
    told = capsys.readouterr().err
    assert told.startswith("warning: Values.myapp.A is a template")
    assert "s3cr3t" not in told
    assert piped(monkeypatch, b"s3cr3t{x}") == "s3cr3t{x}"
    assert capsys.readouterr().err == ""


def test_a_generated_value_is_new_each_time() -> None:
    first, second = (read_value("A", "prod", "text", generate=True) for _ in range(2))
    assert first != second
    assert len(first) == 64
