"""Every generated pipeline runs in JenkinsPipelineUnit; some with the real command, on the sandbox."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

import pytest
import yaml

from deployer.cli import main
from tests.sandbox.clusters import Namespace
from tests.sandbox.helpers import Project, write_yaml
from tests.sandbox.pipelines import Case, run_pipelines
from tests.sandbox.surroundings import CHECKOUT, Json

EXAMPLE = CHECKOUT / "examples/jenkins"

HOSTILE: Json = {
    "Agents": {"Default": "a'b\"${throw new Error()}$c\\u0041\\"},
    "Credentials": {"Default": {"Aws": "id'${1/0}"}},
    "Approvers": ["o'neill ${x}"],
    "Folder": "it's $here",
    "Repository": {"Url": "ssh://x'${y}"},
}
STAGES: Json = {
    "Waves": "stages",
    "Agents": {"Default": "deploy", "Regions": {"seoul": "deploy && seoul", "virginia": "deploy && virginia"}},
}


def generate(repository: Path, out: Path) -> None:
    assert main(["jenkins", "generate", "-C", str(repository), "--out", str(out)]) == 0


def changed_example(directory: Path, settings: Json) -> Path:
    """The example with other settings."""
    shutil.copytree(EXAMPLE, directory)
    (directory / "deployer.yml").write_text(yaml.safe_dump({"Jenkins": settings}))
    return directory


@pytest.fixture(scope="module")
def deployed(tmp_path_factory: pytest.TempPathFactory, clusters: dict[str, Namespace]) -> Project:
    """What the pipelines deploy. Their wrapper's name has a blank in it."""
    directory = tmp_path_factory.mktemp("project")
    project = Project(directory, clusters)
    wrapper = directory / "a wrapper"
    wrapper.write_text(f'#!/bin/sh\nexec {sys.executable} -m deployer "$@"\n')
    wrapper.chmod(0o755)
    project.container["env"] = [{"name": "GREETING", "value": "{{ Values[Name].GREETING }}, {{ Version }}"}]
    project.container["command"][2] = "case $GREETING in *slow) sleep 60 ;; esac; " + project.container["command"][2]
    project.app["Version"] = "1"
    write_yaml(project.root / "deployer.yml", {"Jenkins": {"Staging": ["local"], "Wrapper": str(wrapper)}})
    return project.write()


@pytest.fixture(scope="module")
def cases(tmp_path_factory: pytest.TempPathFactory, deployed: Project) -> list[Case]:
    """All of it in one run of Maven, which takes a while to start."""
    made = tmp_path_factory.mktemp("pipelines")
    shutil.copytree(EXAMPLE / "jenkins", made / "jenkins")
    generate(changed_example(made / "stages-repository", STAGES), made / "stages")
    generate(changed_example(made / "hostile-repository", HOSTILE), made / "hostile")
    generate(deployed.root, made / "sandbox")
    known: Json = {"repository": str(deployed.root), "environment": deployed.environment, "app": deployed.name}
    known["wrapper"] = yaml.safe_load((deployed.root / "deployer.yml").read_text())["Jenkins"]["Wrapper"]
    (made / "sandbox.json").write_text(json.dumps(known))
    return run_pipelines(made, tmp_path_factory.mktemp("target"))


def test_each_pipeline_does_its_purpose(cases: list[Case]) -> None:
    assert [f"{case.name}: {case.trouble}" for case in cases if case.trouble] == []
    assert {case.suite for case in cases} == {"PipelinesTest", "JobsTest", "SandboxTest"}


def test_the_real_command_has_deployed_and_rolled_back(cases: list[Case], deployed: Project) -> None:
    assert [one.verified for one in deployed.revisions][-1:] == [True], [case.trouble for case in cases]
    assert deployed.answers(f"hello from {deployed.name}, 1")
