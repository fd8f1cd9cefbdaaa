from __future__ import annotations

from pathlib import Path

import pytest

from deployer.config import Repository
from deployer.config.secret_files import access, all_secret_files, secret_file
from deployer.errors import ConfigurationError, UsageError


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for name in ("apps", "group_vars"):
        (tmp_path / name).mkdir()
    (tmp_path / "apps/myapp.yml").write_text("Environments: [prod.london, prod.seoul]\n")
    for name in ("all", "prod", "prod.london", "prod.seoul"):
        write(tmp_path, name, "{}")
    return tmp_path


def write(root: Path, name: str, text: str) -> None:
    (root / f"group_vars/{name}.yml").write_text(text + "\n")


def choose(named: str | None, stage: str, config_file: str | None) -> str:
    return named or f"the profile called {stage}"


def profile(root: Path, region: str | None) -> str | None:
    repository = Repository(root)
    return access(repository, secret_file(repository, "prod", region), choose).profile


def test_the_profile_is_that_of_a_deployment(root: Path) -> None:
    assert profile(root, None) == profile(root, "london") == "the profile called prod"
    write(root, "prod.london", "AwsProfile: '{{ STAGE }}-{{ REGION }}'")
    assert profile(root, "london") == "prod-london"
    assert profile(root, None) == "prod-london"  # as the first region says: the shared layers say nothing
    write(root, "prod", "AwsProfile: shared")
    assert profile(root, None) == "shared"
    assert profile(root, "seoul") == "shared"
    assert profile(root, "london") == "prod-london"


def test_a_config_file_is_below_the_repository(root: Path) -> None:
    write(root, "all", "AwsConfigFile: .aws/config")
    repository = Repository(root)
    found = access(repository, secret_file(repository, "prod", None), choose)
    assert found.config_file == str(root / ".aws/config")


@pytest.mark.parametrize(("stage", "region"), [("prdo", None), ("prod", "lodnon"), ("prod", ""), ("../x", None)])
def test_unknown_places_are_refused(root: Path, stage: str, region: str | None) -> None:
    with pytest.raises(UsageError):
        secret_file(Repository(root), stage, region)


def test_two_files_for_one_place_are_refused(root: Path) -> None:
    write(root, "secrets_prod", "a: b")
    (root / "group_vars/secrets_prod.yaml").write_text("a: b")
    with pytest.raises(ConfigurationError, match="are both there"):
        secret_file(Repository(root), "prod", None)


def test_files_are_found_by_stage_and_region(root: Path) -> None:
    for name in ("prod", "prod.london", "prod.seoul", "other"):
        write(root, f"secrets_{name}", "a: b")
    repository = Repository(root)

    def names(*place: str) -> list[str]:
        return [file.place for file in all_secret_files(repository, *place)]

    assert names() == ["other", "prod.london", "prod.seoul", "prod"]
    assert names("prod") == names("prod", "all") == ["prod.london", "prod.seoul", "prod"]
    assert names("prod", "seoul") == ["prod.seoul", "prod"]
    assert names("prod", "seoul, london") == ["prod.london", "prod.seoul", "prod"]
