"""Whole app files and what becomes of them. `UPDATE_GOLDEN=1 pytest …` writes the results anew, for the diff."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
import yaml

from deployer.model import Image
from deployer.plan.manifests import PreparedManifests
from tests.unit.plan.manifests import APP, PLAIN_APP, prepared

GOLDEN = Path(__file__).parents[3] / "golden" / "manifests"
NAMES = sorted(path.name.removesuffix(".in.yml") for path in GOLDEN.glob("*.in.yml"))
IMAGES = {
    "seed": Image(
        "my-prod-account-number.ecr.london.amazonaws.com",
        "myapp",
        "0.0.1-5ae768241ccef13c9166b804bfe440f6",
        "sha256:" + "0f764241465e3b55" * 4,
    ),
    "completed": Image("registry.example.com", "myapp", "1.0-abc", "sha256:" + "ab" * 32),
}


def prepare_golden(name: str) -> PreparedManifests:
    contents = yaml.safe_load((GOLDEN / f"{name}.in.yml").read_text())
    image = IMAGES.get(name)
    return prepared(*contents, app=APP if image else PLAIN_APP, image=image)


@pytest.mark.parametrize("name", NAMES)
def test_prepared_manifests(name: str) -> None:
    result = prepare_golden(name)
    shown = "".join(f"# {warning}\n#   {warning.hint}\n" for warning in result.warnings)
    shown += yaml.safe_dump_all(result.objects, allow_unicode=True)
    file = GOLDEN / f"{name}.out.yml"
    if os.environ.get("UPDATE_GOLDEN"):
        file.write_text(shown)
    assert shown == file.read_text()


@pytest.mark.parametrize("name", NAMES)
def test_texts_are_the_objects(name: str) -> None:
    result = prepare_golden(name)
    assert [json.loads(text) for text in result.texts] == list(result.objects)
    # What Helm reads is YAML: the same text must mean the same there.
    assert [yaml.safe_load(text) for text in result.texts] == list(result.objects)


@pytest.mark.parametrize("name", NAMES)
def test_what_was_prepared_once_stays_as_it_is(name: str) -> None:
    once = prepare_golden(name)
    twice = prepared(*once.objects)
    assert twice.texts == once.texts
    assert twice.warnings == ()
