from __future__ import annotations

from pathlib import Path

import pytest

from deployer.config import Repository
from deployer.config.repository import COMMANDS
from deployer.errors import ConfigurationError, DeployError, ErrorGroup, UsageError
from deployer.model import Target

from .conftest import APP, MakeRepository


def test_the_repository_is_found_from_below(make_repository: MakeRepository, tmp_path: Path) -> None:
    make_repository()
    below = tmp_path / "apps" / "deep"
    below.mkdir()
    assert Repository.find(below).root == tmp_path
    assert Repository.find(Path("/"), tmp_path).root == tmp_path
    with pytest.raises(UsageError, match="is not in a deployment repository"):
        Repository.find(Path("/"))
    with pytest.raises(UsageError, match="is not a deployment repository"):
        Repository.find(tmp_path, below)


def test_an_app_behind_a_link_that_leads_nowhere_is_not_left_out(make_repository: MakeRepository) -> None:
    repository = make_repository()
    (repository.root / "apps/other.yml").symlink_to("nowhere")
    (repository.root / "apps/directory.yml").symlink_to(".")
    assert repository.apps == ("myapp", "other")
    with pytest.raises(ConfigurationError, match="cannot be read"):
        repository.app("other")


def test_what_there_is_can_be_listed(make_repository: MakeRepository) -> None:
    repository = make_repository(
        {
            "apps/other.yaml": 'Environments: ["prod.tokyo"]',
            "apps/broken.yml": "a: [",
            "apps/notes.txt": "",
            "group_vars/secrets_preprod.london.yml": "",
            "group_vars/dev.london.yml.bak": "",
            "group_vars/a.b.c.yml": "",
        }
    )
    assert repository.apps == ("broken", "myapp", "other")
    assert repository.stages == ("preprod", "prod")
    assert repository.regions("prod") == ("london",)
    assert repository.regions("prod", repository.apps) == ("london", "seoul", "tokyo")


def test_an_empty_directory_lists_nothing(tmp_path: Path) -> None:
    repository = Repository(tmp_path)
    assert (repository.apps, repository.stages, repository.regions("prod")) == ((), (), ())


@pytest.mark.parametrize(
    ("regions", "expected"),
    [
        ("london", ["london"]),
        ("seoul,london", ["seoul", "london"]),
        ("all", ["london", "seoul"]),
        ("london,london", ["london"]),
    ],
)
def test_regions_become_targets(make_repository: MakeRepository, regions: str, expected: list[str]) -> None:
    targets = make_repository().targets("prod", regions, ["myapp", "myapp"])
    assert targets == tuple(Target("prod", region, "myapp") for region in expected)


def test_all_means_each_apps_own_regions(make_repository: MakeRepository) -> None:
    repository = make_repository({"apps/other.yml": 'Environments: ["prod.london"]'})
    assert [str(target) for target in repository.targets("prod", "all", ["myapp", "other"])] == [
        "prod london myapp",
        "prod seoul myapp",
        "prod london other",
    ]


@pytest.mark.parametrize(
    ("stage", "regions", "app", "what", "hint"),
    [
        ("prd", "london", "myapp", "there is no stage prd", "did you mean prod?"),
        ("../prod", "london", "myapp", "there is no stage ../prod", "did you mean prod?"),
        ("xyz", "london", "myapp", "there is no stage xyz", "the stages are prod"),
        ("prod", "lodnon", "myapp", "there is no region lodnon in stage prod", "did you mean london?"),
        ("prod", "", "myapp", "'' names no regions", "all"),
        ("prod", "london,", "myapp", "'london,' names no regions", "all"),
        ("prod", "../x", "myapp", "'../x' names no regions", "all"),
        ("prod", "all,london", "myapp", "'all,london' names no regions", "all"),
        ("prod", "london", "myap", "there is no app myap", "did you mean myapp?"),
        ("prod", "london", "../myapp", "there is no app ../myapp", "did you mean myapp?"),
        ("prod", "london", "x" * 500, "there is no app", "the apps are myapp"),
    ],
)
def test_what_does_not_exist_is_a_usage_error(
    make_repository: MakeRepository, stage: str, regions: str, app: str, what: str, hint: str
) -> None:
    with pytest.raises(UsageError) as caught:
        make_repository().targets(stage, regions, [app])
    assert caught.value.what.startswith(what)
    assert hint in (caught.value.hint or "")


def test_an_app_that_is_not_for_an_environment_says_which_are_its(make_repository: MakeRepository) -> None:
    repository = make_repository({"group_vars/prod.tokyo.yml": "", "group_vars/preprod.yml": ""})
    for stage, region in (("prod", "tokyo"), ("preprod", "all"), ("dev", "seoul")):
        with pytest.raises(DeployError) as caught:
            repository.targets(stage, region, ["myapp"])
        assert caught.value.exit_code == 2
    with pytest.raises(
        ConfigurationError, match=r"myapp is not for prod\.tokyo: its Environments are prod\.london"
    ) as seen:
        repository.targets("prod", "tokyo", ["myapp"])
    assert str(seen.value.where) == "apps/myapp.yml:4:1"


def test_every_wrong_app_is_named(make_repository: MakeRepository) -> None:
    with pytest.raises(ErrorGroup) as caught:
        make_repository({"apps/broken.yml": "a: ["}).targets("prod", "london", ["myapp", "nothing", "broken"])
    assert len(caught.value.errors) == 2


@pytest.mark.parametrize(
    "environments",
    [
        "[]",
        "prod.london",
        "[prod]",
        "[prod.london.x]",
        "[1]",
        "[{a: b}]",
        '["{{ x }}.london"]',
        "[prod.all]",
        "['../a.b']",
        "~",
    ],
)
def test_environments_must_be_a_list_of_names(make_repository: MakeRepository, environments: str) -> None:
    repository = make_repository({"apps/other.yml": f"Name: other\nEnvironments: {environments}"})
    with pytest.raises(ConfigurationError, match="Environments must be") as caught:
        repository.environments_of("other")
    assert str(caught.value.where).startswith("apps/other.yml:2")


def test_names_of_commands_are_taken(make_repository: MakeRepository) -> None:
    assert "plan" in COMMANDS
    repository = make_repository({"apps/plan.yml": APP, "apps/x.yml": "Environments: [plan.london]"})
    with pytest.raises(ConfigurationError, match="an app cannot be called plan"):
        repository.targets("prod", "london", ["plan"])
    with pytest.raises(ConfigurationError, match="a stage cannot be called plan"):
        repository.targets("plan", "london", ["myapp"])
    with pytest.raises(ConfigurationError, match="a stage cannot be called plan"):
        repository.environments_of("x")


def test_an_encrypted_app_file_is_refused(make_repository: MakeRepository) -> None:
    with pytest.raises(ConfigurationError, match="cannot be encrypted"):
        make_repository({"apps/myapp.yml": "sops: {mac: x}"}).app("myapp")


def test_environments_is_required(make_repository: MakeRepository) -> None:
    with pytest.raises(ConfigurationError, match="Environments is missing"):
        make_repository({"apps/myapp.yml": "Name: x"}).environments_of("myapp")
