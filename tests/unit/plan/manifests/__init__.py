"""What the tests of manifests share."""

from __future__ import annotations

from typing import Any

import yaml

from deployer.errors import DeployError, Location
from deployer.model import App, DockerSpec, Image, Json, Settings
from deployer.plan.manifests import PreparedManifests, SourceManifest, prepare

APP = App("myapp", "myapp", ("prod.london",), docker=DockerSpec("FROM scratch"))
PLAIN_APP = App("myapp", "myapp", ("prod.london",))
SETTINGS = Settings("eu-west-2")


def sources(*contents: Any) -> list[SourceManifest]:
    """Manifests as if each stood on a line of its own."""
    return [SourceManifest(content, Location("apps/myapp.yml", line)) for line, content in enumerate(contents, 1)]


def prepared(*contents: Any, app: App = PLAIN_APP, image: Image | None = None) -> PreparedManifests:
    return prepare(sources(*contents), SETTINGS, app, image)


def problems(*contents: Any) -> list[str]:
    """What is wrong with the manifests, as `where: what | hint`."""
    try:
        prepared(*contents)
    except DeployError as error:
        return [f"{leaf.where}: {leaf.what} | {leaf.hint}" for leaf in error.leaves()]
    return []


def parse(text: str) -> Any:
    return yaml.safe_load(text)


def deployment(**changes: Any) -> Json:
    """A good Deployment; `changes` go into its container."""
    container = {"name": "web", "image": "example.com/web:1", **changes}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "web"},
        "spec": {
            "selector": {"matchLabels": {"app": "web"}},
            "template": {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [container]}},
        },
    }
