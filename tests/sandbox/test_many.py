"""Many apps in one command: chosen, in the order of their needs, those left out that cannot be deployed."""

from __future__ import annotations

import subprocess

import pytest

from tests.sandbox.helpers import Project, write_yaml
from tests.sandbox.surroundings import Json
from tests.sandbox.tool import Done

REGIONS = ("london", "seoul")
IMAGE = "{{ AwsEcrPrefix }}/{{ AppName }}:{{ Tag }}-{{ DockerHash }}"


class Apps:
    """A repository with several small apps, each a Deployment without pods."""

    def __init__(self, project: Project) -> None:
        self.project = project.write()
        (project.root / f"apps/{project.name}.yml").unlink()
        self.regions = list(project.clusters)

    def name(self, short: str) -> str:
        return f"{self.project.name}-{short}"

    def write(self, short: str, **keys: object) -> None:
        labels = {"app": "{{ AppName }}"}
        container = {"name": "main", "image": IMAGE if "Docker" in keys else "{{ BaseImage }}"}
        workload = {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {"name": "{{ AppName }}"},
            "spec": {
                "replicas": 0,
                "selector": {"matchLabels": labels},
                "template": {"metadata": {"labels": labels}, "spec": {"containers": [container]}},
            },
        }
        content: Json = {
            "Environments": [f"local.{region}" for region in self.regions],
            "Version": "1.0.0",
            "Helm": [workload],
            **keys,
        }
        write_yaml(self.project.root / f"apps/{self.name(short)}.yml", content)

    def run(self, *options: str, region: str = "all") -> Done:
        return self.project.run("local", region, *options, "--json")

    def outcomes(self, done: Done) -> dict[str, str]:
        """`app region` → outcome."""
        targets = done.document["targets"]
        prefix = f"{self.project.name}-"
        return {f"{one['application'].removeprefix(prefix)} {one['region']}": one["outcome"] for one in targets}

    def changed(self, done: Done, short: str, region: str) -> int:
        """Where the plain output tells that its release was made."""
        return done.stderr.index(f"[{region} {self.name(short)}] release done")


@pytest.fixture
def apps(project: Project) -> Apps:
    return Apps(project)


def test_all_apps_in_the_order_of_their_needs(apps: Apps) -> None:
    apps.write("web", Needs=[apps.name("api")], Groups=["front"])
    apps.write("api", Needs=[apps.name("store")])
    apps.write("store")
    apps.write("broken", Needs=[apps.name("store")], Tag="{{ Missing }}")
    apps.write("behind", Needs=[apps.name("broken")], Groups=["front"])
    done = apps.run("--all").expect(1)
    assert apps.outcomes(done) == {
        **{f"{app} {region}": "deployed" for app in ("web", "api", "store") for region in REGIONS},
        **{f"{app} {region}": "not started" for app in ("broken", "behind") for region in REGIONS},
    }
    for region in REGIONS:
        assert (
            apps.changed(done, "store", region) < apps.changed(done, "api", region) < apps.changed(done, "web", region)
        )
    errors = {
        one["application"].rpartition("-")[2]: one["errors"][0] for one in done.document["targets"] if one["errors"]
    }
    assert "Missing" in errors["broken"]["what"]
    assert f"it needs {apps.name('broken')}" in errors["behind"]["why"]
    (message,) = apps.project.channel_messages
    assert "6 deployed" in message["text"]
    assert "4 not started" in message["text"]

    # Once mended, the same command brings what was left out, and does nothing to the others.
    apps.write("broken", Needs=[apps.name("store")])
    again = apps.outcomes(apps.run("--all").expect(0))
    assert {key for key, outcome in again.items() if outcome == "deployed"} == {
        f"{app} {region}" for app in ("broken", "behind") for region in REGIONS
    }
    assert apps.outcomes(apps.run("--group", "front", region="london").expect(0)) == {
        "web london": "unchanged",
        "behind london": "unchanged",
    }


def test_one_build_serves_apps_of_the_same_content_and_a_failed_one_stops_no_other(apps: Apps) -> None:
    docker = {"Dockerfile": "FROM {{ BaseImage }}\nRUN echo " + apps.project.name}
    apps.write("one", Docker=docker)
    apps.write("two", Docker=docker, Version="2.0.0")
    apps.write("bad", Docker={"Dockerfile": "FROM {{ BaseImage }}\nRUN false"})
    apps.write("needy", Needs=[apps.name("bad")])
    done = apps.run("--all", region="london").expect(1)
    assert apps.outcomes(done) == {
        "one london": "deployed",
        "two london": "deployed",
        "bad london": "not started",
        "needy london": "not started",
    }
    digests = {one["application"]: one["digest"] for one in done.document["targets"]}
    assert digests[apps.name("one")] == digests[apps.name("two")] != ""
    assert done.stderr.count("build image done") == 1
    assert done.stderr.count("build image failed") == 1


def test_what_has_changed_since_a_commit(apps: Apps) -> None:
    root = apps.project.root

    def git(*arguments: str) -> None:
        identity = ["-c", "user.name=Test", "-c", "user.email=test@example.test"]
        subprocess.run(["git", "-C", root, *identity, *arguments], check=True, capture_output=True)

    apps.write("one")
    apps.write("two")
    (root / ".gitignore").write_text(".sandbox/\n*.known\n")
    git("init", "-q")
    git("add", "-A")
    git("commit", "-qm", "as it was")
    assert apps.outcomes(apps.run("--changed-since", "HEAD").expect(0)) == {}
    apps.project.values["unused"] = "a secret that no app uses"
    apps.project.write()
    (root / f"apps/{apps.project.name}.yml").unlink()
    apps.write("two", Tag="2.0.0-{{ Version }}")
    planned = apps.run("--changed-since", "HEAD", "--plan").expect(0)
    assert apps.outcomes(planned) == {"two london": "planned", "two seoul": "planned"}
    assert apps.outcomes(apps.run("--changed-since", "HEAD", region="seoul").expect(0)) == {"two seoul": "deployed"}
