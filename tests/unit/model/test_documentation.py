"""docs/configuration.md explains every key that a user may write."""

from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path

import pytest
import yaml

from deployer import model
from deployer.config.apps import KEYS

TEXT = (Path(__file__).parents[3] / "docs" / "configuration.md").read_text("utf-8")
CLASSES = [each for each in vars(model).values() if isinstance(each, type) and hasattr(each, "__pydantic_config__")]


@pytest.mark.parametrize("each", CLASSES, ids=lambda each: each.__name__)
def test_every_key_has_an_example(each: type) -> None:
    config = each.__pydantic_config__  # type: ignore[attr-defined]
    names = [config["alias_generator"](field.name) for field in fields(each)]
    assert names
    assert [name for name in names if not re.search(rf"\b{name}:", TEXT)] == []


def test_every_key_of_an_app_has_an_example() -> None:
    assert [key for key in KEYS if f"\n{key}:" not in TEXT] == []


def test_the_examples_are_yaml() -> None:
    examples = re.findall(r"```yaml\n(.*?)```", TEXT, re.DOTALL)
    assert len(examples) == 4
    for example in examples:
        assert isinstance(yaml.safe_load(example), dict)
