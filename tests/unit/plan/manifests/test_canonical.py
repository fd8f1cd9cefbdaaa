"""Manifests as texts that Helm reads as YAML."""

from __future__ import annotations

import json
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from deployer.plan.manifests.canonical import canonical_text

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.text(max_size=5), VALUES, max_size=4))
def test_nothing_is_damaged(manifest: dict[str, Any]) -> None:
    text = canonical_text(manifest)
    assert json.loads(text) == manifest
    assert "\n" not in text
    assert canonical_text(json.loads(text)) == text


@given(st.text())
def test_every_text_is_read_as_yaml(value: str) -> None:
    assert yaml.safe_load(canonical_text({"key": value})) == {"key": value}


def test_order_of_keys_does_not_matter() -> None:
    assert canonical_text({"b": 1, "a": {"d": 1, "c": 2}}) == canonical_text({"a": {"c": 2, "d": 1}, "b": 1})


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1.0, "1.0"),
        (12345678901234567890, "12345678901234567890"),
        ("\x85", '"\\u0085"'),
        ("🙂", '"🙂"'),
        ("{{ x }}", '"{{ x }}"'),
    ],
)
def test_as_written(value: Any, text: str) -> None:
    assert canonical_text({"v": value}) == f'{{"v":{text}}}'
