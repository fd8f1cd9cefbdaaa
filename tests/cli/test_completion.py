"""What a shell completes, as bash asks for it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.test_main_job import ROOT, Repository


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    repository = Repository(tmp_path)
    repository.write("apps/other.yml", 'Environments: ["prod.seoul"]\nGroups: [back]\nHelm: []\n')
    repository.write("apps/broken.yml", "Environments: [")
    return repository


def completed(repository: Repository, typed: str, **environment: str) -> list[str]:
    words = typed.split()
    place = len(words) if typed.endswith(" ") else len(words) - 1
    asked = {"_DEPLOY_COMPLETE": "complete_bash", "COMP_WORDS": typed, "COMP_CWORD": str(place)}
    done = repository.deploy(env={**asked, **environment})
    assert done.stderr == ""
    return done.stdout.split()


def test_the_first_word_is_a_stage_or_a_command(repository: Repository) -> None:
    found = completed(repository, "deploy ")
    assert {"prod", "status", "branches"} <= set(found)
    assert completed(repository, "deploy pr") == ["prod", "promote"]
    assert "prod" in completed(repository, "deploy plan ")
    assert "status" not in completed(repository, "deploy plan ")


def test_no_command_but_the_main_job_is_imported_for_the_first_word() -> None:
    code = (
        "import sys, typer; from deployer.cli.application import application;"
        "group = typer.main.get_command(application);"
        "context = group.make_context('deploy', [], resilient_parsing=True);"
        "assert group.shell_complete(context, 'sta');"
        "print(sorted(name for name in sys.modules if name in ('deployer.cli.deploy', 'deployer.cli.status')))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "['deployer.cli.deploy']"


def test_regions_also_after_a_comma(repository: Repository) -> None:
    assert set(completed(repository, "deploy prod ")) == {"london", "seoul", "all"}
    assert completed(repository, "deploy prod london,") == ["london,seoul"]
    assert set(completed(repository, "deploy status prod ")) == {"broken", "site", "other"}


def test_apps_that_have_the_region_and_are_not_named_yet(repository: Repository) -> None:
    assert completed(repository, "deploy prod london ") == ["broken", "site"]
    assert completed(repository, "deploy prod seoul,london o") == ["other"]
    assert completed(repository, "deploy prod all site ") == ["broken", "other"]
    assert completed(repository, "deploy rollback prod london s") == ["site"]
    assert completed(repository, "deploy plan prod all --group b") == ["back"]


def test_where_nothing_is_known_nothing_is_said(
    repository: Repository, tmp_path_factory: pytest.TempPathFactory
) -> None:
    elsewhere = str(tmp_path_factory.mktemp("elsewhere"))
    assert completed(repository, "deploy nowhere ") == ["all"]
    assert completed(repository, "deploy prod ", DEPLOY_DIRECTORY=elsewhere) == ["all"]
    assert completed(repository, "deploy rollback prod london site --to ") == []
