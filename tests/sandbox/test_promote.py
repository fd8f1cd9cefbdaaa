"""The very image of one stage in the next: copied between their registries, with the next stage's configuration."""

from __future__ import annotations

import base64
import gzip
import json
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest

from deployer.sandbox.layout import ACCOUNT
from deployer.sandbox.registry import PASSWORD, USER
from tests.sandbox.clusters import Namespace, namespaces
from tests.sandbox.helpers import Project, with_image, write_yaml
from tests.sandbox.surroundings import ADDRESSES, Json, Put, ask
from tests.sandbox.tool import Done

REGIONS = ("london", "virginia")
STAGE = "local"
NEXT = "preprod"
_MANIFESTS = (
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
    "application/vnd.docker.distribution.manifest.v2+json",
)


class TwoStages(Project):
    """A repository with a second stage: the same clusters, other namespaces, another path in the registries."""

    def __init__(self, directory: Path, clusters: dict[str, Namespace], following: dict[str, Namespace]) -> None:
        super().__init__(directory, clusters)
        self.following = following
        self.app["Environments"] += [f"{NEXT}.{region}" for region in following]

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
    assert stages.channel_messages[-1]["text"].startswith(":white_check_mark:")

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
    assert "london: version 1.1.0, 1.1.0-" in error["why"]
    assert "virginia: version 1.0.0, 1.0.0-" in error["why"]
    assert "--from-region london" in error["hint"]
    assert not stages.following["london"].revisions(stages.name)
    promoted = targets(stages.promote("--from-region", "london").expect(0))
    assert {(one["version"], one["digest"]) for one in promoted.values()} == {("1.1.0", london["digest"])}


def test_nothing_verified_to_promote(stages: TwoStages) -> None:
    errors = stages.promote().expect(4).document["errors"]
    assert {error["what"] for error in errors} == {
        f"nothing that was verified runs in {STAGE}.{one}" for one in REGIONS
    }
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


def test_an_image_for_several_platforms_is_copied_whole_and_no_tag_is_ever_moved(stages: TwoStages) -> None:
    first = targets(stages.deploy("--json", region="london").expect(0))["london"]
    repository, tag = f"{ACCOUNT}/{stages.name}", first["image"].rpartition(":")[2]
    whole = registry("GET", f"{repository}/manifests/{first['digest']}")
    kind = whole.headers["Content-Type"]
    entry = {"mediaType": kind, "digest": first["digest"], "size": len(whole.content)}
    platforms = [{**entry, "platform": {"os": "linux", "architecture": one}} for one in ("amd64", "arm64")]
    media_type = "application/vnd.oci.image.index.v1+json"
    if "docker" in kind:
        media_type = "application/vnd.docker.distribution.manifest.list.v2+json"
    index = json.dumps({"schemaVersion": 2, "mediaType": media_type, "manifests": platforms})
    pushed = registry("PUT", f"{repository}/manifests/{tag}", index, media_type)
    digest = pushed.headers["Docker-Content-Digest"]
    assert digest != first["digest"]
    # As if it had been deployed so: its record is what says what runs.
    replace_digest(stages, digest)

    promoted = stages.promote("--from-region", "london", "--region", "virginia").expect(0).target
    assert (promoted["outcome"], promoted["digest"]) == ("deployed", digest)
    following = f"{ACCOUNT}/{NEXT}/{stages.name}"
    copied = registry("GET", f"{following}/manifests/{tag}", region="virginia")
    assert copied.text == index
    assert registry("GET", f"{following}/manifests/{first['digest']}", region="virginia").status_code == 200

    # The next stage has this tag now; what runs in the first is another image again.
    replace_digest(stages, first["digest"])
    before = stages.following["virginia"].snapshot()
    (error,) = stages.promote("--from-region", "london", "--region", "virginia").expect(2).document["errors"]
    assert error["what"] == f"the registry has another image under the tag {tag}"
    assert stages.following["virginia"].snapshot() == before


def registry(
    method: str, path: str, content: str | None = None, kind: str = "", *, region: str = "london"
) -> httpx2.Response:
    headers = {"Content-Type": kind} if kind else {"Accept": ", ".join(_MANIFESTS)}
    url = f"http://{ADDRESSES[region].registry}/v2/{path}"
    return httpx2.request(
        method, url, auth=(USER, PASSWORD), headers=headers, content=content, timeout=10, trust_env=False
    )


def replace_digest(project: Project, digest: str) -> None:
    """Let the record of what runs in London name this digest."""
    (newest,) = project.cluster.revisions(project.name)[-1:]
    name = f"sh.helm.release.v1.{project.name}.v{newest.number}"
    secret = project.cluster.live("Secret", name)
    release = json.loads(gzip.decompress(base64.b64decode(base64.b64decode(secret["data"]["release"]))))
    release["config"]["record"]["digest"] = digest
    data = base64.b64encode(base64.b64encode(gzip.compress(json.dumps(release).encode()))).decode()
    project.cluster.patch("Secret", name, {"data": {"release": data}})
