"""Commands that are told to stop while a cluster or Slack hangs: they end in time, and the other regions are well."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from signal import SIGTERM

import pytest

from tests.faults.checks import ENDING, end
from tests.faults.project import FaultyProject, faulty
from tests.sandbox.clusters import Namespace
from tests.sandbox.locks import locks
from tests.sandbox.processes import Watch
from tests.sandbox.surroundings import unique

REGIONS = ("london", "seoul")


@pytest.fixture
def project(tmp_path: Path, clusters: dict[str, Namespace]) -> Iterator[FaultyProject]:
    """An app that runs in two regions, and a change to it."""
    with faulty(tmp_path, clusters) as made:
        made.deploy(region="all").expect(0)
        made.values["GREETING"] = unique("greeting")
        yield made


def test_a_cluster_that_hangs_keeps_nobody_from_ending(project: FaultyProject) -> None:
    with project.closed("hook"):
        running = project.write().start("local", "all", project.name, "-v", "--json")
        with Watch(running.process.pid, pause=0.02) as watch:
            for region in REGIONS:
                running.wait_for(f"[{region} {project.name}] Job/")
            with project.proxy("api").failing("stall"), project.slack.failing("stall"):
                running.signal(SIGTERM)
                done = end(running, watch, ENDING)
    assert done.code == 128 + SIGTERM, done.output
    london, seoul = done.document["targets"]
    assert (london["outcome"], seoul["outcome"]) == ("interrupted", "interrupted")
    assert "did not stop in time" in london["errors"][0]["what"]
    assert "deploy recover local london" in london["errors"][0]["hint"]
    assert [one["metadata"]["namespace"] for one in locks(project)] == [project.clusters["london"].name]
    seouls = project.clusters["seoul"].revisions(project.name)
    assert [(one.number, one.status) for one in seouls[1:]] == [(2, "failed"), (3, "deployed")]

    done = project.run("recover", "local", "all", project.name, "--json").expect(0)
    assert {target["outcome"] for target in done.document["targets"]} == {"repaired"}
    for cluster in project.clusters.values():
        assert cluster.revisions(project.name)[-1].verified
    assert locks(project) == []


def test_two_signals_end_it_at_once_also_while_a_cluster_hangs(project: FaultyProject) -> None:
    with project.closed("pods"):
        running = project.write().start("local", "all", project.name, "-v")
        with Watch(running.process.pid, pause=0.02) as watch:
            running.wait_for("] Deployment/")
            with project.proxy("api").failing("stall"):
                running.signal(SIGTERM)
                running.wait_for("] rollback")
                time.sleep(0.3)  # two of a kind in a moment are one
                running.signal(SIGTERM)
                done = end(running, watch, 8)
    assert done.code == 128 + SIGTERM, done.output
    assert "stopped by SIGTERM" in done.stdout
    done = project.run("recover", "local", "all", project.name, "--json").expect(0)
    assert all(target["ok"] for target in done.document["targets"])
    assert locks(project) == []
