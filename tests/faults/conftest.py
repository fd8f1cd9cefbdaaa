"""Keeps the sandbox up while any worker uses it, and gives the tests their apps."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.faults.project import FaultyProject, faulty
from tests.sandbox.clusters import Namespace, namespaces
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
    with artefacts(unique("faults")) as made:
        yield made


@pytest.fixture(scope="module")
def victim(tmp_path_factory: pytest.TempPathFactory, clusters: dict[str, Namespace]) -> Iterator[FaultyProject]:
    """An app that runs, without an image of its own."""
    with faulty(tmp_path_factory.mktemp("victim"), clusters) as project:
        yield project


@pytest.fixture(scope="module")
def builder(
    tmp_path_factory: pytest.TempPathFactory, clusters: dict[str, Namespace], put: Put
) -> Iterator[FaultyProject]:
    """An app that runs, with an image that is made from an artefact."""
    with FaultyProject(tmp_path_factory.mktemp("builder"), clusters) as project:
        project.with_build(put("site.tgz", {"page": unique()}))
        project.deploy().expect(0)
        yield project
