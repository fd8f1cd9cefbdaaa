"""Manifests of any shape end in a message, never in a traceback."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from deployer.errors import DeployError
from deployer.model import Json
from deployer.plan.manifests import immutable_changes
from deployer.plan.manifests.canonical import copy
from deployer.plan.paths import Path
from tests.unit.plan.manifests import prepared
from tests.unit.plan.manifests.test_golden import GOLDEN, NAMES

ODD: st.SearchStrategy[Any] = st.sampled_from(
    [None, "", "text", "8080", 0, -1, 1.5, True, [], [None], ["x"], [[]], {}, {"x": None}, {"name": 1}]
)
INPUTS: list[list[Any]] = [yaml.safe_load((GOLDEN / f"{name}.in.yml").read_text()) for name in NAMES]


def paths(value: Any, here: Path = ()) -> Iterator[Path]:
    yield here
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in inner:
        yield from paths(item, (*here, key))


def replaced(value: Any, path: Path, odd: Any) -> Any:
    if not path:
        return odd
    value = copy(value)
    parent = value
    for part in path[:-1]:
        parent = parent[part]
    parent[path[-1]] = odd
    return value


PLACES = [(number, path) for number, contents in enumerate(INPUTS) for path in paths(contents) if path]


@settings(max_examples=400)
@given(st.sampled_from(PLACES), ODD)
def test_any_part_may_be_anything(place: tuple[int, Path], odd: Any) -> None:
    number, path = place
    try:
        result = prepared(*replaced(INPUTS[number], path, odd))
    except DeployError as error:
        assert error.exit_code == 2
        return
    assert isinstance(result.hosts, tuple)
    assert prepared(*result.objects).texts == result.texts


@settings(max_examples=200)
@given(st.sampled_from(PLACES), ODD)
def test_live_objects_may_be_anything(place: tuple[int, Path], odd: Any) -> None:
    number, path = place
    try:
        objects = prepared(*INPUTS[number]).objects
    except DeployError:  # pragma: no cover -- the golden files are good
        pytest.fail("a golden file is refused")
    for manifest in objects:
        live: Json = {key: copy(value) for key, value in manifest.items()}
        for part in paths(manifest):
            if part == path[1:]:
                live = replaced(manifest, part, odd)
        if isinstance(live, dict):
            immutable_changes(manifest, live)
