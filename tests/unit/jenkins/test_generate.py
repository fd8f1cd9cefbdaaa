"""The texts of pipelines: what in them is a literal, and that they are the same each time."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

from deployer.config import Repository
from deployer.jenkins.content import content_of
from deployer.jenkins.generate import JOBS, MARK, PURPOSES, generate
from deployer.jenkins.groovy import literal, literals
from deployer.jenkins.settings import read_settings

EXAMPLE = Path(__file__).parents[3] / "examples/jenkins"


def made() -> dict[str, str]:
    settings = read_settings(EXAMPLE)
    return generate(content_of(Repository(EXAMPLE), settings), settings)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("plain", "'plain'"),
        ("it's", r"'it\'s'"),
        ("${x} $y", "'${x} $y'"),
        ("a\\u0041", r"'a\\u0041'"),
        ("a\nb\t", r"'a\nb\t'"),
        ("\x00\u2028", r"'\u0000\u2028'"),
        ("\U000e0001", r"'\udb40\udc01'"),
        ("é…", "'é…'"),
    ],
)
def test_texts_become_literals_in_which_nothing_is_interpolated(text: str, expected: str) -> None:
    assert literal(text) == expected
    assert literals([text, text]) == f"[{expected}, {expected}]"


def test_the_example_is_what_would_be_generated() -> None:
    files = {file.name: file.read_text() for file in (EXAMPLE / "jenkins").iterdir()}
    assert files == made(), "run `deploy jenkins generate -C examples/jenkins`"
    assert made() == made()


def test_a_repository_in_a_directory_of_a_larger_one_is_found_there() -> None:
    settings = read_settings(EXAMPLE)
    files = generate(content_of(Repository(EXAMPLE), settings), settings, prefix="team/dep/")
    assert "scriptPath('team/dep/jenkins/' + name" in files[JOBS]
    for purpose in PURPOSES:
        text = files[f"{purpose}.Jenkinsfile"]
        assert "DEPLOY = './team/dep/wrapper'\n        DEPLOY_DIRECTORY = 'team/dep'\n" in text
        assert "DEPLOY_DIRECTORY" not in made()[f"{purpose}.Jenkinsfile"]
    own = replace(settings, wrapper="deploy")
    assert "DEPLOY = 'deploy'" in generate(content_of(Repository(EXAMPLE), own), own, prefix="x/")["all.Jenkinsfile"]


def test_a_history_that_could_be_read_says_nothing_of_the_build() -> None:
    """Its report is read by the pipeline: `deploy jenkins report` takes it for none."""
    text = made()["rollback.Jenkinsfile"]
    assert "reported('history')" not in text
    assert text.count("always { ended('history') }\n") == text.count("failure { told('history') }\n") > 0


def test_there_is_a_file_per_purpose_that_says_how_it_was_made() -> None:
    files = made()
    assert list(files) == [*(f"{purpose}.Jenkinsfile" for purpose in PURPOSES), JOBS]
    assert all(text.startswith(f"{MARK}: ") for text in files.values())
    assert all(text.endswith("}\n") for text in files.values())


def test_scripts_of_the_shell_are_constants() -> None:
    """Groovy interpolates in double quotes: no script stands in these."""
    for text in made().values():
        scripts = re.findall(r"""(?:\bsh\b|script:)[\s(]*(['"])""", text)
        assert scripts or "pipelineJob" in text
        assert set(scripts) <= {"'"}
