"""Containers that name the app's image get it with its digest, however templates spell it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from deployer.model import App, Image
from deployer.plan.manifests import prepare
from tests.unit.plan.manifests import APP, SETTINGS, deployment, sources

IMAGE = Image("registry.test", "team/myapp", "1-abc", "sha256:1")
PINNED = "registry.test/team/myapp:1-abc@sha256:1"
BRANCH = replace(APP, app_name="myapp-x-2d7116", image_name="myapp")


def image_of(spelt: str, app: App, image: Image = IMAGE) -> tuple[str, int]:
    """What becomes of a container's image, and how many warnings there are."""
    result = prepare(sources(deployment(image=spelt)), SETTINGS, app, image)
    (container,) = result.objects[0]["spec"]["template"]["spec"]["containers"]
    return container["image"], len(result.warnings)


@pytest.mark.parametrize("spelt", ["registry.test/team/myapp:1-abc", "registry.test/team/myapp-x-2d7116:1-abc"])
def test_a_branch_runs_the_apps_image_however_it_is_spelt(spelt: str) -> None:
    assert image_of(spelt, BRANCH) == (PINNED, 0)


def test_an_image_right_below_the_registry() -> None:
    image = replace(IMAGE, repository="myapp")
    spelt = "registry.test/myapp-x-2d7116:1-abc"
    assert image_of(spelt, BRANCH, image) == ("registry.test/myapp:1-abc@sha256:1", 0)


def test_a_digest_that_is_not_known_yet() -> None:
    spelt = "registry.test/team/myapp-x-2d7116:1-abc"
    assert image_of(spelt, BRANCH, replace(IMAGE, digest=None)) == ("registry.test/team/myapp:1-abc", 0)


@pytest.mark.parametrize(
    ("spelt", "app"),
    [
        ("registry.test/team/myapp-x-2d7116:1-abc", APP),  # the app itself has nothing to do with it
        ("registry.test/team/myapp-y-a1fce4:1-abc", BRANCH),
        ("registry.test/team/myapp-x-2d7116:1-abd", BRANCH),
        ("registry.test/other/myapp-x-2d7116:1-abc", BRANCH),
        ("elsewhere.test/team/myapp-x-2d7116:1-abc", BRANCH),
        ("myapp-x-2d7116:1-abc", BRANCH),
    ],
)
def test_other_images_stay_as_they_are(spelt: str, app: App) -> None:
    assert image_of(spelt, app) == (spelt, 1)
