"""Three regions of which one fails: the others end as asked, and nothing of any of them is lost."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from deployer.sandbox.layout import DNS_DOMAIN
from tests.faults.checks import no_secret, told_well
from tests.faults.project import FaultyProject
from tests.sandbox.clusters import Namespace
from tests.sandbox.locks import locks
from tests.sandbox.region import eventually
from tests.sandbox.surroundings import Put, ask, messages, unique
from tests.sandbox.tool import Done

REGIONS = ("london", "seoul", "virginia")


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory, clusters: dict[str, Namespace]) -> Iterator[FaultyProject]:
    """An app that runs in all regions."""
    with FaultyProject(tmp_path_factory.mktemp("fleet"), clusters) as project:
        init = {"name": "prepare", "image": "{{ BaseImage }}", "command": ["{{ Program }}"]}
        project.deployment["spec"]["template"]["spec"]["initContainers"].append(init)
        for region in project.regions.values():
            region["Program"] = "true"
        project.deploy(region="all").expect(0)
        yield project


def outcomes(done: Done) -> dict[str, str]:
    return {target["region"]: target["outcome"] for target in done.document["targets"]}


def snapshots(project: FaultyProject) -> object:
    return {name: cluster.snapshot() for name, cluster in project.clusters.items()}


def serves(project: FaultyProject, region: str, greeting: str) -> bool:
    host = f"{project.name}.{region}.{DNS_DOMAIN}"
    return bool(eventually(lambda: ask(host, region) == (200, greeting)))


def converges_everywhere(project: FaultyProject, **expected: str) -> Done:
    """The same command again: every region has what was asked for, and no lock is left."""
    done = project.deploy("--json", region="all").expect(0)
    assert outcomes(done) == expected
    for name, cluster in project.clusters.items():
        last = cluster.revisions(project.name)[-1]
        assert (last.status, last.verified) == ("deployed", True)
        assert serves(project, name, project.values["GREETING"])
    assert locks(project) == []
    return done


def test_one_region_with_a_broken_configuration(fleet: FaultyProject) -> None:
    before = {name: cluster.revisions(fleet.name)[-1] for name, cluster in fleet.clusters.items()}
    greeting = fleet.values["GREETING"]
    fleet.values["GREETING"] = unique("greeting")
    fleet.regions["seoul"]["Program"] = "absent"
    done = fleet.deploy("--json", region="all").expect(1)
    told_well(done)
    assert outcomes(done) == {"london": "deployed", "seoul": "rolled back", "virginia": "deployed"}

    # The two have what was asked for, the third what it had.
    for region in ("london", "virginia"):
        assert serves(fleet, region, fleet.values["GREETING"])
        assert fleet.clusters[region].revisions(fleet.name)[-1].verified
    last = fleet.clusters["seoul"].revisions(fleet.name)[-1]
    assert (last.status, last.verified, last.manifest) == ("deployed", True, before["seoul"].manifest)
    assert serves(fleet, "seoul", greeting)
    assert locks(fleet) == []

    # Why, with its evidence, where it is read: in the report, and in the thread of the announcement.
    (target,) = [one for one in done.document["targets"] if one["region"] == "seoul"]
    (error,) = target["errors"]
    assert "absent" in error["why"]
    assert any("absent" in line for line in target["evidence"]), target["evidence"]
    said = messages(fleet.channel)
    announced = [message for message in said if not message.get("thread_ts")][-1]
    assert announced["text"].startswith(":x:")
    assert any("absent" in one["text"] for one in said if one.get("thread_ts") == announced["ts"])

    fleet.regions["seoul"]["Program"] = "true"
    again = converges_everywhere(fleet, london="unchanged", seoul="deployed", virginia="unchanged")
    no_secret(fleet, None, done, again)


@pytest.mark.parametrize("phase", ["hook", "pods"])
def test_one_region_out_of_reach_while_all_are_changed(fleet: FaultyProject, phase: str) -> None:
    fleet.values["GREETING"] = unique("greeting")
    fleet.write()
    kind = {"hook": "Job", "pods": "Deployment"}[phase]
    with ExitStack() as held:
        held.enter_context(fleet.closed(phase))
        running = fleet.start("local", "all", fleet.name, "--json", "-v")
        for region in REGIONS:
            running.wait_for(f"[{region} {fleet.name}] {kind}/")
        with fleet.api["virginia"].failing("refuse"):
            held.close()
            done = running.done(120).expect(1)
    told_well(done)
    assert outcomes(done) == {"london": "deployed", "seoul": "deployed", "virginia": "failed"}
    again = converges_everywhere(fleet, london="unchanged", seoul="unchanged", virginia="deployed")
    no_secret(fleet, None, done, again)


def test_one_registry_out_of_reach_while_an_image_is_made(
    tmp_path: Path, clusters: dict[str, Namespace], put: Put
) -> None:
    """It is found out before anything is changed anywhere; the image is not built a second time."""
    with FaultyProject(tmp_path, clusters) as project:
        project.with_build(put(f"{unique()}.tgz", {"page": unique()}), hold=2)
        project.write()
        before = snapshots(project)
        running = project.start("local", "all", project.name, "--json", "-v")
        running.wait_for("] RUN --mount")
        with project.registries["virginia"].failing("refuse"):
            done = running.done(120).expect(5)
        told_well(done)
        assert "virginia" in done.stderr or project.registries["virginia"].address in done.stderr
        assert snapshots(project) == before
        again = converges_everywhere(project, london="deployed", seoul="deployed", virginia="deployed")
        assert "build image" not in again.document["phases"], again.output
        digests = {target["digest"] for target in again.document["targets"]}
        assert len(digests) == 1
        no_secret(project, None, done, again)
