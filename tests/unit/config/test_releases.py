"""Where each target's release is, whatever else is wrong in the files."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from deployer.config.releases import Release, Releases, load_releases
from deployer.errors import ConfigurationError, DeployError, UnreachableError
from deployer.model import Target
from tests.unit.config.conftest import SOPS, Decryption, MakeRepository

LONDON, SEOUL = (Target("prod", region, "myapp") for region in ("london", "seoul"))


def found(make: MakeRepository, files: Mapping[str, str | bytes], secrets: Mapping[str, Any] = {}) -> Releases:
    repository = make(files)
    targets, broken = repository.targets_of("prod")
    assert not broken
    return load_releases(repository, targets, decrypt=Decryption(secrets))


def release(releases: Releases, target: Target) -> Release:
    answer = releases.found[target]
    assert isinstance(answer, Release), answer
    return answer


def test_name_and_settings_of_each_region(make_repository: MakeRepository) -> None:
    releases = found(make_repository, {"group_vars/prod.seoul.yml": 'AwsRegion: "ap-northeast-2"\nNamespace: "shop"\n'})
    assert [release(releases, target).name for target in (LONDON, SEOUL)] == ["myapp", "myapp"]
    assert [release(releases, target).settings.namespace for target in (LONDON, SEOUL)] == ["apps", "shop"]


def test_names_and_namespaces_may_depend_on_app_and_region(make_repository: MakeRepository) -> None:
    app = 'Environments: ["prod.london", "prod.seoul"]\nAppName: "{{ Name }}-{{ REGION }}"\n'
    releases = found(
        make_repository, {"apps/myapp.yml": app, "group_vars/all.yml": 'Namespace: "{{ APPLICATION }}-{{ STAGE }}"\n'}
    )
    assert [release(releases, target).name for target in (LONDON, SEOUL)] == ["myapp-london", "myapp-seoul"]
    assert release(releases, SEOUL).settings.namespace == "myapp-prod"


def test_the_rest_of_an_app_may_be_broken(make_repository: MakeRepository) -> None:
    app = 'Environments: ["prod.london"]\nVersion: "{{ Nowhere }}"\nDocker: 5\nHelm: "{{ Nowhere }}"\n'
    assert release(found(make_repository, {"apps/myapp.yml": app}), LONDON).name == "myapp"


def test_an_app_that_cannot_be_named_keeps_no_other_from_being_found(make_repository: MakeRepository) -> None:
    other = 'Environments: ["prod.london"]\nAppName: "{{ Nowhere }}"\n'
    releases = found(make_repository, {"apps/other.yml": other})
    error = releases.found[Target("prod", "london", "other")]
    assert isinstance(error, ConfigurationError)
    assert "apps/other.yml:2" in str(error)
    assert release(releases, LONDON).name == "myapp"


def test_a_region_that_cannot_be_decrypted_keeps_no_other_from_being_found(make_repository: MakeRepository) -> None:
    down = UnreachableError("KMS does not answer")
    releases = found(
        make_repository,
        {"group_vars/secrets_prod.seoul.yml": f"Key: 'ENC[x]'\n{SOPS}"},
        {"secrets_prod.seoul.yml": down},
    )
    assert releases.found[SEOUL] is down
    assert release(releases, LONDON).name == "myapp"


def test_a_broken_layer_of_a_region_concerns_that_region_alone(make_repository: MakeRepository) -> None:
    releases = found(make_repository, {"group_vars/prod.seoul.yml": "Values: [\n"})
    assert isinstance(releases.found[SEOUL], DeployError)
    assert release(releases, LONDON).name == "myapp"


def test_all_that_was_decrypted_is_told_once(make_repository: MakeRepository) -> None:
    encrypted = "Values: {myapp: {PASSWORD: 'ENC[x]', FLAG: 'ENC[x]', Replicas: 'ENC[x]'}}\n"
    releases = found(
        make_repository,
        {"group_vars/secrets_prod.yml": encrypted + SOPS},
        {"secrets_prod.yml": {"Values": {"myapp": {"PASSWORD": "hunter2-hunter2", "FLAG": True, "Replicas": 3}}}},
    )
    assert sorted(secret.reveal() for secret in releases.secrets) == ["hunter2-hunter2", "true"]


def test_apps_that_do_not_tell_where_they_run(make_repository: MakeRepository) -> None:
    repository = make_repository(
        {"apps/odd.yml": "Environments: 5\n", "apps/elsewhere.yml": 'Environments: ["dev.x"]\n'}
    )
    targets, broken = repository.targets_of("prod")
    assert targets == (LONDON, SEOUL)
    assert list(broken) == [Target("prod", "", "odd")]
