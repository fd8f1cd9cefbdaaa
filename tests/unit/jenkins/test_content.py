"""What pipelines are made for, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from deployer.config import Repository
from deployer.errors import DeployError
from deployer.jenkins.content import Content, content_of
from deployer.jenkins.settings import read_settings

HELM = "Helm: []\n"
WAVES = "Rollout: {Waves: [seoul, london+virginia]}\n"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for name, text in {
        "apps/web.yml": 'Environments: ["prod.seoul", "prod.london", "dev.london", "local.london"]\n' + HELM,
        "apps/api.yml": 'Environments: ["prod.virginia", "qa.london"]\n' + HELM,
        "group_vars/prod.yml": WAVES,
    }.items():
        write(tmp_path, name, text)
    return tmp_path


def write(root: Path, name: str, text: str) -> None:
    (root / name).parent.mkdir(exist_ok=True)
    (root / name).write_text(text)


def content(root: Path, settings: str = "") -> Content:
    write(root, "deployer.yml", f"Jenkins: {{{settings}}}\n")
    return content_of(Repository(root), read_settings(root))


def test_stages_regions_and_apps_are_the_repositorys(root: Path) -> None:
    found = content(root)
    assert (found.staging, found.production) == (("dev", "qa"), ("prod",))
    assert found.apps["prod"] == {"london": ("web",), "seoul": ("web",), "virginia": ("api",)}
    assert (found.regions, found.applications) == (("london", "seoul", "virginia"), ("api", "web"))
    assert found.stages == ("dev", "qa", "prod")


def test_settings_say_which_stages_there_are_and_their_order(root: Path) -> None:
    found = content(root, "Staging: [qa, local], Production: [dev, prod]")
    assert found.stages == ("qa", "local", "dev", "prod")
    assert content(root, "Staging: [prod]").production == ()


def test_waves_count_where_they_become_stages(root: Path) -> None:
    assert content(root).waves["prod"] == (("london", "seoul", "virginia"),)
    waves = content(root, "Waves: stages").waves
    assert waves == {"dev": (("london",),), "qa": (("london",),), "prod": (("seoul",), ("london", "virginia"))}


@pytest.mark.parametrize(
    ("settings", "what", "hint"),
    [
        ("Production: [prd]", "no app is for a stage prd", "did you mean prod?"),
        ("Staging: [dev, dev]", "stage dev is named twice", ""),
        ("Agents: {Regions: {lodnon: x}}", "no app is for a region lodnon", "did you mean london?"),
        ("Credentials: {Stages: {pord: {Aws: x}}}", "no app is for a stage pord", "did you mean prod?"),
        ("Staging: [], Production: []", "there is no stage to deploy to but the sandbox", "name stages"),
    ],
)
def test_settings_that_fit_no_app_are_refused(root: Path, settings: str, what: str, hint: str) -> None:
    with pytest.raises(DeployError) as caught:
        content(root, settings)
    (error,) = caught.value.leaves()
    assert error.what == what
    assert error.exit_code == 2
    assert hint in (error.hint or "")


@pytest.mark.parametrize("waves", ['"{{ Shared }}"', '["{{ First }}", london]', "[]", "[1]"])
def test_waves_must_be_plain_where_they_become_stages(root: Path, waves: str) -> None:
    write(root, "group_vars/prod.yml", f"Rollout:\n  Waves: {waves}\n")
    content(root)
    with pytest.raises(DeployError, match=r"Rollout\.Waves must be a plain list here") as caught:
        content(root, "Waves: stages")
    assert str(caught.value.where).startswith("group_vars/prod.yml:2")


def test_a_repository_without_apps_or_with_broken_ones_is_refused(root: Path) -> None:
    write(root, "apps/broken.yml", "Environments: [prod]\n")
    with pytest.raises(DeployError, match="must be a list"):
        content(root)
    for file in (root / "apps").iterdir():
        file.unlink()
    with pytest.raises(DeployError, match="there is nothing to deploy"):
        content(root)


@pytest.mark.parametrize(
    ("waves", "what"),
    [
        ("[seoul, mars]", "the waves name mars, for which prod has no app"),
        ("[seoul, london+seoul]", "seoul is in two waves"),
        ('["+"]', "'+' names no region in one place"),
    ],
)
def test_waves_that_make_no_sense_are_told_with_their_place(root: Path, waves: str, what: str) -> None:
    write(root, "group_vars/prod.yml", f"Rollout:\n  Waves: {waves}\n")
    with pytest.raises(DeployError) as caught:
        content(root, "Waves: stages")
    assert caught.value.what == what
    assert str(caught.value.where).startswith("group_vars/prod.yml:2")


def test_regions_that_no_wave_names_come_last(root: Path) -> None:
    write(root, "group_vars/prod.yml", "Rollout: {Waves: [seoul]}\n")
    assert content(root, "Waves: stages").waves["prod"] == (("seoul",), ("london", "virginia"))
