"""Manifests as Helm stores them: YAML, read as Go reads it."""

from __future__ import annotations

from typing import Any

import pytest

from deployer.errors import ConfigurationError
from deployer.model.stored import stored_documents
from deployer.plan.revisions import manifest_texts
from tests.fakes import make_revision


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("2024-01-01", "2024-01-01"),
        ("2024-01-01T00:00:00Z", "2024-01-01T00:00:00Z"),
        ("=", "="),
        ("12:30", "12:30"),
        ("12:30:45.5", "12:30:45.5"),
        ("8080", 8080),
        ("0x10", 16),
        ("017", 15),
        ("1.5", 1.5),
        ("yes", True),
        ("~", None),
        ("'8080'", "8080"),
    ],
)
def test_a_value_is_what_kubernetes_was_given(text: str, value: Any) -> None:
    assert stored_documents(f"a: {text}\n---\nb: [{text}]") == [{"a": value}, {"b": [value]}]


def test_what_is_no_object_is_passed_over() -> None:
    assert stored_documents("---\n# nothing\n---\n- a\n---\nb: 1\n") == [{"b": 1}]


@pytest.mark.parametrize("text", ["a: [", "a: 1\n b: 2", "\x00"])
def test_what_cannot_be_read_is_an_error_and_not_nothing(text: str) -> None:
    with pytest.raises(ConfigurationError, match="manifest of revision 3 cannot be read"):
        make_revision(3, manifest=text).objects()


def test_another_tools_release_may_have_dates_and_the_like() -> None:
    manifest = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c, annotations: {built: 2024-01-01}}\ndata: {op: =}\n"
    (text,) = manifest_texts(make_revision(1, manifest=manifest))
    assert '"built":"2024-01-01"' in text
    assert '"op":"="' in text
