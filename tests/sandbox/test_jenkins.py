"""Every generated pipeline runs in JenkinsPipelineUnit; one with the real command, on the sandbox."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

import pytest
import yaml

from deployer.cli import main
from tests.sandbox.helpers import Project, write_yaml
from tests.sandbox.pipelines import run_pipelines
from tests.sandbox.surroundings import CHECKOUT

EXAMPLE = CHECKOUT / "examples/jenkins"

HOSTILE = {
    "Agents": {"Default": "a'b\"${throw new Error()}$c\\u0041\\"},
    "Credentials": {"Default": {"Aws": "id'${1/0}"}},
    "Approvers": ["o'neill ${x}"],
    "Folder": "it's $here",
    "Repository": {"Url": "ssh://x'${y}"},
}


def generated(directory: Path, settings: dict[str, object], out: Path) -> None:
    """The example's pipelines, made with other settings."""
    repository = Path(shutil.copytree(EXAMPLE, directory))
    (repository / "deployer.yml").write_text(yaml.safe_dump({"Jenkins": settings}))
    assert main(["jenkins", "generate", "-C", str(repository), "--out", str(out)]) == 0


@pytest.fixture(scope="module")
def pipelines(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("pipelines")
    shutil.copytree(EXAMPLE / "jenkins", made / "jenkins")
    agents = {"Default": "deploy", "Regions": {"seoul": "deploy && seoul", "virginia": "deploy && virginia"}}
    generated(made / "stages-repository", {"Waves": "stages", "Agents": agents}, made / "stages")
    generated(made / "hostile-repository", HOSTILE, made / "hostile")
    return made


def test_each_pipeline_does_its_purpose(pipelines: Path, tmp_path: Path) -> None:
    cases = run_pipelines(pipelines, tmp_path / "target", "PipelinesTest,JobsTest")
    assert [f"{case.name}: {case.trouble}" for case in cases if case.trouble] == []
    assert len(cases) > 25


def test_the_real_command_is_called_by_the_pipelines(project: Project, tmp_path: Path) -> None:
    wrapper = tmp_path / "a wrapper"
    wrapper.write_text(f'#!/bin/sh\nexec {sys.executable} -m deployer "$@"\n')
    wrapper.chmod(0o755)
    project.container["env"] = [{"name": "GREETING", "value": "{{ Values[Name].GREETING }}, {{ Version }}"}]
    project.app["Version"] = "1"
    project.write()
    write_yaml(project.root / "deployer.yml", {"Jenkins": {"Staging": ["local"], "Wrapper": str(wrapper)}})
    assert main(["jenkins", "generate", "-C", str(project.root)]) == 0
    known = {"repository": str(project.root), "environment": project.environment, "app": project.name}
    (project.root / "sandbox.json").write_text(json.dumps(known))

    (case,) = run_pipelines(project.root, tmp_path / "target", "SandboxTest")
    assert case.trouble == ""
    assert [one.version for one in project.revisions if one.verified][-1:] == ["1"]
    assert project.answers(f"hello from {project.name}, 1")
