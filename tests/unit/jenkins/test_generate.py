"""The texts of pipelines: what in them is a literal, and that they are the same each time."""

from __future__ import annotations

import re
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
