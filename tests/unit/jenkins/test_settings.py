"""The block `Jenkins` of deployer.yml."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]

from deployer.config.schema import deployer_schema
from deployer.errors import DeployError
from deployer.jenkins.settings import read_settings
from deployer.model.jenkins import JenkinsSettings

ROOT = Path(__file__).parents[3]


def test_without_a_file_or_a_block_there_are_the_defaults(tmp_path: Path) -> None:
    assert read_settings(tmp_path) == JenkinsSettings()
    (tmp_path / "deployer.yml").write_text("Lint: {Disable: []}\n")
    assert read_settings(tmp_path) == JenkinsSettings()


def test_the_example_is_read_and_fits_its_schema() -> None:
    settings = read_settings(ROOT / "examples/jenkins")
    assert settings.credentials.stages["prod"].ssh == "builder"
    assert settings.agents.regions["seoul"] == "deploy && seoul"
    content = yaml.safe_load((ROOT / "examples/jenkins/deployer.yml").read_text())
    Draft202012Validator(deployer_schema()).validate(content)


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("Jenkin: {}", "Jenkin is not known"),
        ("Jenkins: yes", "Jenkins must be a mapping"),
        ("Jenkins: {Wraper: x}", "Jenkins.Wraper is not known"),
        ("Jenkins: {Waves: never}", "Jenkins.Waves must be deployment or stages"),
        ("Jenkins: {Timeouts: {Deploy: soon}}", "Jenkins.Timeouts.Deploy must be a whole number"),
        ("Jenkins: {Timeouts: {Deploy: 0}}", "Jenkins.Timeouts.Deploy must be minutes, between 1 and 10080"),
        ("Jenkins: {Timeouts: {Lock: 120}}", "Jenkins.Timeouts.Lock must be below Deploy"),
        ("Jenkins: {Directory: ../else}", "Jenkins.Directory must lie in the repository"),
        ("Jenkins: {Directory: /etc}", "Jenkins.Directory must lie in the repository"),
        ('Jenkins: {Wrapper: ""}', "Jenkins.Wrapper must be a line of text"),
        ('Jenkins: {Schedule: "H 3\\n* * *"}', "Jenkins.Schedule must be a line of text"),
        ("Jenkins: {Approvers: ['a,b']}", "Jenkins.Approvers must be a list of names"),
        ("Jenkins: {Repository: {Url: 'https://a:b@x/y'}}", "Jenkins.Repository.Url holds a password"),
        ("Jenkins: {KeepBuilds: 0}", "Jenkins.KeepBuilds must be 1 or more"),
    ],
)
def test_what_is_wrong_is_told_with_its_place(tmp_path: Path, text: str, what: str) -> None:
    (tmp_path / "deployer.yml").write_text(text + "\n")
    with pytest.raises(DeployError) as caught:
        read_settings(tmp_path)
    errors = list(caught.value.leaves())
    assert [error.what for error in errors] == [what]
    assert str(errors[0].where).startswith("deployer.yml:1")


def test_a_file_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    (tmp_path / "deployer.yml").symlink_to("deployer.yml")
    with pytest.raises(DeployError) as caught:
        read_settings(tmp_path)
    assert str(caught.value.where) == "deployer.yml"
