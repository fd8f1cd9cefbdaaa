"""Brings the sandbox up for all tests here: they fail, and are not skipped, where it cannot run."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from deployer.events import Event, PhaseFinished
from deployer.sandbox.sandbox import down, state, up
from tests.sandbox.clusters import Namespace, namespaces
from tests.sandbox.helpers import Project
from tests.sandbox.surroundings import Put, artefacts, unique

REPOSITORY = Path(__file__).parents[2]


class Progress:
    """Tells on standard error what takes long: on a machine without the tools that is half an hour."""

    def emit(self, event: Event) -> None:
        if isinstance(event, PhaseFinished) and event.seconds > 5:
            print(f"{event.phase}: {event.seconds:.0f} s", file=sys.__stderr__, flush=True)


@pytest.fixture(scope="session", autouse=True)
def sandbox() -> Iterator[Path]:
    """The repository that the sandbox gives access to itself. Where it was down before, it goes down afterwards."""
    before = state()
    up(Progress(), REPOSITORY)
    yield REPOSITORY
    if before in ("never started", "down"):
        down(Progress())


@pytest.fixture(scope="module")
def clusters(request: pytest.FixtureRequest) -> Iterator[dict[str, Namespace]]:
    """A namespace of the module's own in each of its `REGIONS` (default: london)."""
    with namespaces(*getattr(request.module, "REGIONS", ("london",))) as made:
        yield made


@pytest.fixture(scope="module")
def put() -> Iterator[Put]:
    """Puts artefacts into the bucket, for as long as the module's tests last."""
    with artefacts(unique("tests")) as made:
        yield made


@pytest.fixture
def project(tmp_path: Path, clusters: dict[str, Namespace]) -> Project:
    """An app without an image of its own, not deployed yet."""
    return Project(tmp_path, clusters)


@pytest.fixture(scope="module")
def good_project(tmp_path_factory: pytest.TempPathFactory, clusters: dict[str, Namespace]) -> Project:
    return Project(tmp_path_factory.mktemp("good"), clusters)


@pytest.fixture
def good(good_project: Project) -> Iterator[Project]:
    """An app that runs well; what a test changes in its files is taken back."""
    good_project.deploy().expect(0)
    before = json.dumps([good_project.stage, good_project.regions, good_project.values, good_project.app])
    token = good_project.token
    yield good_project
    good_project.token = token
    good_project.stage, good_project.regions, good_project.values, good_project.app = json.loads(before)
