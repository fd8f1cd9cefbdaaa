"""Brings the sandbox up for all tests here, and gives them namespaces, artefacts and apps."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.sandbox.clusters import Namespace, namespaces
from tests.sandbox.helpers import Project
from tests.sandbox.lifecycle import pytest_sessionfinish, pytest_sessionstart
from tests.sandbox.surroundings import Put, artefacts, unique

__all__ = ["pytest_sessionfinish", "pytest_sessionstart"]


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
