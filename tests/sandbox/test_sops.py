"""Decryption through the sandbox's KMS, with the real sops."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from deployer.adapters import process
from deployer.adapters.aws.session import Sessions
from deployer.adapters.sops import Sops
from deployer.errors import ConfigurationError, UnreachableError
from deployer.tools import require

ROOT = Path(__file__).parents[2]
CONFIG = str(ROOT / ".sandbox" / "aws-config")
REGIONS = ("eu-west-2", "us-east-1")
PLAIN = "Values:\n  myapp:\n    DATABASE_URL: psql://much@wow:7654\n    Replicas: 2\n"
CONTENT = {"Values": {"myapp": {"DATABASE_URL": "psql://much@wow:7654", "Replicas": 2}}}
DEAD = "aws_access_key_id = a\naws_secret_access_key = b\nendpoint_url = http://127.0.0.1:9"
ENVIRON = {"PATH": os.environ["PATH"], "HOME": "/", "AWS_EC2_METADATA_DISABLED": "true"}


def sops(**environ: str) -> Sops:
    return Sops(lambda: require("sops"), environ={**ENVIRON, **environ})


def encrypt(file: Path, *keys: str, context: str = "") -> Path:
    arguments = ["encrypt", "--kms", ",".join(keys), "--input-type", "yaml", "--output-type", "yaml", "/dev/stdin"]
    if context:
        arguments[1:1] = ["--encryption-context", context]
    environ = {**ENVIRON, "AWS_PROFILE": "local", "AWS_CONFIG_FILE": CONFIG}
    result = process.run([require("sops"), *arguments], stdin=PLAIN.encode(), env=environ, cwd="/")
    assert result.ok, result.stderr
    file.write_bytes(result.stdout)
    return file


@pytest.fixture
def keys() -> Iterator[list[str]]:
    """A KMS key in each of two AWS regions."""
    clients = [Sessions().of(region, "local", CONFIG).client("kms") for region in REGIONS]
    made = [client.create_key()["KeyMetadata"]["Arn"] for client in clients]
    yield made
    for client, key in zip(clients, made, strict=True):
        client.schedule_key_deletion(KeyId=key.rpartition("/")[2], PendingWindowInDays=7)


@pytest.mark.parametrize("file", sorted((ROOT / "group_vars").glob("secrets_local*.yml")), ids=lambda file: file.name)
def test_the_sandboxs_own_files_are_decrypted(file: Path) -> None:
    content: Any = sops().decrypt(file, profile="local", config_file=CONFIG)
    assert content
    assert "sops" not in content


def test_a_file_is_decrypted_with_the_profile_and_not_with_keys_around_it(tmp_path: Path, keys: list[str]) -> None:
    file = encrypt(tmp_path / "s.yml", *keys)
    ambient = sops(AWS_ACCESS_KEY_ID="other", AWS_SECRET_ACCESS_KEY="other", AWS_PROFILE="other")
    assert ambient.decrypt(file, profile="local", config_file=CONFIG) == CONTENT


def test_the_loss_of_one_of_two_keys_is_survived(tmp_path: Path, keys: list[str]) -> None:
    file = encrypt(tmp_path / "s.yml", *keys)
    unknown = keys[0].rpartition("/")[0] + "/11111111-1111-1111-1111-111111111111"
    file.write_text(file.read_text().replace(keys[0], unknown))
    assert sops().decrypt(file, profile="local", config_file=CONFIG) == CONTENT


def test_a_key_that_is_gone_is_named(tmp_path: Path, keys: list[str]) -> None:
    file = encrypt(tmp_path / "s.yml", keys[0])
    unknown = keys[0].rpartition("/")[0] + "/11111111-1111-1111-1111-111111111111"
    file.write_text(file.read_text().replace(keys[0], unknown))
    with pytest.raises(ConfigurationError, match="KMS key does not exist") as raised:
        sops().decrypt(file, profile="local", config_file=CONFIG)
    assert unknown in str(raised.value.why)


def test_another_encryption_context_is_refused(tmp_path: Path, keys: list[str]) -> None:
    file = encrypt(tmp_path / "s.yml", keys[0], context="Stage:prod")
    assert sops().decrypt(file, profile="local", config_file=CONFIG) == CONTENT
    file.write_text(file.read_text().replace("Stage: prod", "Stage: dev"))
    with pytest.raises(ConfigurationError, match="data key in the secrets file is not one of this KMS key"):
        sops().decrypt(file, profile="local", config_file=CONFIG)


@pytest.mark.parametrize(
    ("profile", "section", "kind", "what"),
    [
        ("dead", DEAD, UnreachableError, "KMS could not be reached"),
        ("bare", "region = eu-west-2", UnreachableError, "there are no AWS credentials"),
        ("mine", None, ConfigurationError, "there is no such AWS profile"),
        ("failing", "credential_process = false", UnreachableError, "credentials could not be fetched"),
    ],
)
def test_each_trouble_with_a_profile_has_its_message(
    tmp_path: Path, keys: list[str], profile: str, section: str | None, kind: type[Exception], what: str
) -> None:
    file = encrypt(tmp_path / "s.yml", keys[0])
    config = tmp_path / "aws-config"
    config.write_text(f"[profile {profile}]\n{section}\n" if section else "")
    with pytest.raises(kind, match=what):
        sops().decrypt(file, profile=profile, config_file=str(config))
