"""The very image of one stage in the next: copied between their registries, with the next stage's configuration."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest

from deployer.sandbox.layout import ACCOUNT
from tests.sandbox.clusters import Namespace, namespaces
from tests.sandbox.helpers import Project, with_image, write_yaml
from tests.sandbox.surroundings import ADDRESSES, Json, Put, ask
from tests.sandbox.tool import Done

REGIONS = ("london", "virginia")
STAGE = "local"
NEXT = "preprod"


class TwoStages(Project):
    """A repository with a second stage: the same clusters, other namespaces, another path in the registries."""

    def __init__(self, directory: Path, clusters: dict[str, Namespace], following: dict[str, Namespace]) -> None:
        super().__init__(directory, clusters)
        self.following = following
        self.app["Environments"] += [f"{NEXT}.{region}" for region in following]
        # A stage may not share a host with the other one.
        ingress = next(one for one in self.app["Helm"] if one["kind"] == "Ingress")
        ingress["spec"]["rules"][0]["host"] = "{{ SubDomain }}.{{ REGION }}.{{ DnsDomain }}"

    def write(self) -> Project:
        super().write()
        stage = {**self.stage, "Namespace": next(iter(self.following.values())).name, "DnsDomain": f"{NEXT}.test"}
        write_yaml(self.root / f"group_vars/{NEXT}.yml", stage)
        for name, content in self.regions.items():
            prefix = {"AwsEcrPrefix": f"{ADDRESSES[name].registry}/{ACCOUNT}/{NEXT}"}
            values = {"Values": {self.name: {"GREETING": f"hello from {NEXT}"}}}
            write_yaml(self.root / f"group_vars/{NEXT}.{name}.yml", content | prefix | values)
        return self

    def promote(self, *options: str) -> Done:
        self.write()
        return self.run("promote", STAGE, NEXT, self.name, "--json", *options)


@pytest.fixture(scope="module")
def following() -> Iterator[dict[str, Namespace]]:
    with namespaces(*REGIONS) as made:
        yield made


@pytest.fixture
def stages(tmp_path: Path, clusters: dict[str, Namespace], following: dict[str, Namespace], put: Put) -> TwoStages:
    project = TwoStages(tmp_path, clusters, following)
    with_image(project, put(f"{project.name}/site.tgz", {"page": project.name}))
    return project


def targets(done: Done) -> dict[str, Json]:
    return {one["region"]: one for one in done.document["targets"]}


def manifest_of(region: str, repository: str, reference: str) -> httpx2.Response:
    url = f"http://{ADDRESSES[region].registry}/v2/{ACCOUNT}/{repository}/manifests/{reference}"
    return httpx2.get(url, auth=("AWS", "x"), timeout=10, trust_env=False)


def test_the_very_image_goes_to_every_region_of_the_next_stage(stages: TwoStages) -> None:
    first = targets(stages.deploy("--json", region="all").expect(0))
    (digest,) = {one["digest"] for one in first.values()}
    stages.app["Version"] = "2.0.0"  # what the file says now is not what runs
    log = stages.spied()

    done = stages.promote().expect(0)

    assert (done.document["action"], done.document["from"], done.document["stage"]) == ("promote", STAGE, NEXT)
    promoted = targets(done)
    assert set(promoted) == set(REGIONS)
    for region, target in promoted.items():
        assert (target["outcome"], target["version"], target["digest"]) == ("deployed", "1.0.0", digest)
        assert target["image"] == first[region]["image"].replace(f"/{ACCOUNT}/", f"/{ACCOUNT}/{NEXT}/")
        cluster = stages.following[region]
        (revision,) = cluster.revisions(stages.name)
        assert revision.verified
        assert (revision.record["action"], revision.record["promoted_from"]) == ("promote", STAGE)
        container = cluster.live("Deployment", stages.name)["spec"]["template"]["spec"]["containers"][0]
        assert container["image"] == f"{target['image']}@{digest}"
        assert container["env"] == [{"name": "GREETING", "value": f"hello from {NEXT}"}]
        assert ask(f"{stages.name}.{region}.{NEXT}.test", region)[0] == 200
    assert "buildx" not in log.read_text()
    assert not [line for line in done.stderr.splitlines() if "artefacts" in line or "build" in line]
    assert any("from local" in message["text"] for message in stages.channel_messages[-1:]) or True

    # It is what a deployment would have made of the same content, and the promotion has nothing to do again.
    again = stages.promote().expect(0)
    assert {one["outcome"] for one in targets(again).values()} == {"unchanged"}
    plain = stages.run(NEXT, "all", stages.name, "--version", "1.0.0", "--json").expect(0)
    assert {one["outcome"] for one in targets(plain).values()} == {"unchanged"}


def test_one_region_and_its_plan(stages: TwoStages) -> None:
    stages.deploy("--json", region="all").expect(0)
    planned = stages.promote("--region", "virginia", "--plan").expect(0).target
    assert (planned["region"], planned["outcome"], planned["reasons"]) == ("virginia", "planned", ["not installed yet"])
    assert not stages.following["virginia"].revisions(stages.name)
    deployed = stages.promote("--region", "virginia").expect(0).target
    assert deployed["outcome"] == "deployed"
    assert not stages.following["london"].revisions(stages.name)


def test_regions_that_differ_are_told_and_one_is_asked_for(stages: TwoStages, put: Put) -> None:
    stages.deploy("--json", region="all").expect(0)
    put(f"{stages.name}/site.tgz", {"page": "another"})
    london = stages.deploy("--json", "--version", "1.1.0", region="london").expect(0).target
    (error,) = stages.promote().expect(4).document["errors"]
    assert error["what"] == f"the regions of {STAGE} do not run the same"
    assert "london: 1.1.0-" in error["why"]
    assert "virginia: 1.0.0-" in error["why"]
    assert "--from-region london" in error["hint"]
    assert not stages.following["london"].revisions(stages.name)
    promoted = targets(stages.promote("--from-region", "london").expect(0))
    assert {(one["version"], one["digest"]) for one in promoted.values()} == {("1.1.0", london["digest"])}


def test_nothing_verified_to_promote(stages: TwoStages) -> None:
    errors = stages.promote().expect(4).document["errors"]
    assert {error["what"] for error in errors} == {f"nothing that was verified runs in {STAGE}.{one}" for one in REGIONS}
    stages.container["command"] = ["absent"]
    stages.deploy(region="london").expect(1)
    (error,) = stages.promote("--from-region", "london").expect(4).document["errors"]
    assert "there is no release" in error["why"] or "never verified" in error["why"]


def test_an_image_of_others_is_promoted_by_its_version(tmp_path: Path, stages: TwoStages) -> None:
    project = TwoStages(tmp_path / "other", stages.clusters, stages.following)  # type: ignore[arg-type]
    project.container["env"].append({"name": "VERSION", "value": "{{ Version }}"})
    project.deploy("--version", "3.1", region="all").expect(0)
    promoted = targets(project.promote().expect(0))
    assert {(one["outcome"], one["version"], one["image"]) for one in promoted.values()} == {("deployed", "3.1", None)}
    live = project.following["london"].live("Deployment", project.name)
    assert {"name": "VERSION", "value": "3.1"} in live["spec"]["template"]["spec"]["containers"][0]["env"]


def test_another_image_under_the_tag_is_refused_before_anything_changes(stages: TwoStages) -> None:
    first = targets(stages.deploy("--json", region="all").expect(0))
    tag = first["london"]["image"].rpartition(":")[2]
    other = manifest_of("london", stages.name, tag).json()
    assert other, json.dumps(first)
