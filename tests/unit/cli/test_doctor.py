"""`deploy doctor STAGE`: nothing is left behind, and nothing secret is shown."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner

from deployer.cli import doctor
from deployer.errors import ConfigurationError, UnreachableError
from deployer.tools.doctor import Finding, Group, State
from deployer.wiring import Wiring

SECRET = "s3cr3t-of-the-stage"
KUBECONFIG = """\
apiVersion: v1
kind: Config
clusters: [{name: here, cluster: {server: "http://127.0.0.1:9"}}]
users: [{name: me, user: {token: "t"}}]
contexts: [{name: here, context: {cluster: here, user: me}}]
current-context: here
"""
STAGE = "DnsDomain: example.test\nAwsEcrPrefix: registry.test\nCluster: {Kubeconfig: kubeconfig, Context: here}\n"


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    root = tmp_path / "repository"
    for name in ("apps", "group_vars"):
        (root / name).mkdir(parents=True)
    (root / "kubeconfig").write_text(KUBECONFIG)
    (root / "group_vars/prod.yml").write_text(STAGE)
    (root / "group_vars/prod.london.yml").write_text("AwsRegion: eu-west-2\n")
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("DEPLOY_DIRECTORY", raising=False)
    return root


def quoting(wiring: Wiring, stage: str, region: str) -> list[Callable[[], Finding]]:
    """A service whose answer quotes what was decrypted to ask it."""
    wiring.keep_secret([SECRET])
    return [lambda: Finding("ECR", Group.ACCOUNT, State.MISSING, f"no login: {SECRET}", remedy=f"not {SECRET}")]


def test_nothing_is_left_behind(root: Path, tmp_path: Path) -> None:
    done = CliRunner().invoke(doctor.app, ["prod", "--json", "-C", str(root)])
    found = {one["subject"]: one["state"] for one in json.loads(done.stdout)["findings"]}
    assert (done.exit_code, found["cluster (prod.london)"]) == (5, "missing")
    assert list((tmp_path / "temporary").iterdir()) == []


def test_a_service_that_the_configuration_itself_needs_is_one_finding(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_kms(wiring: Wiring, stage: str, region: str) -> None:
        place = "group_vars/secrets_prod.yml"
        raise UnreachableError("it cannot be decrypted", where=place, why="KMS does not answer", hint="log in again")

    monkeypatch.setattr(Wiring, "settings_of", no_kms)
    done = CliRunner().invoke(doctor.app, ["prod", "-C", str(root)])
    assert done.exit_code == 5
    assert "configuration (prod)" in done.stdout
    assert "group_vars/secrets_prod.yml: it cannot be decrypted: KMS does not answer" in done.stdout
    assert "log in again" in done.stdout
    assert "helm" in done.stdout, "the tools are shown, too"


def test_a_stage_without_a_cluster_is_not_taken_to_kubectls_own(root: Path) -> None:
    (root / "group_vars/prod.yml").write_text(STAGE.replace(", Context: here", ""))
    done = CliRunner().invoke(doctor.app, ["prod", "-C", str(root)])
    assert isinstance(done.exception, ConfigurationError)
    assert done.exception.what == "no cluster is named for prod.london"
    assert "group_vars/prod.london.yml" in str(done.exception.hint)


@pytest.mark.parametrize("options", [[], ["--json"]])
def test_answers_are_masked(root: Path, monkeypatch: pytest.MonkeyPatch, options: list[str]) -> None:
    monkeypatch.setattr(doctor, "_account_checks", quoting)
    done = CliRunner().invoke(doctor.app, ["prod", "-C", str(root), *options])
    assert "no login: " in done.stdout
    assert SECRET not in done.stdout


def test_errors_are_masked(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def failing(wiring: Wiring, stage: str, region: str) -> list[Callable[[], Finding]]:
        wiring.keep_secret([SECRET])
        raise ConfigurationError(f"{SECRET} is no registry")

    monkeypatch.setattr(doctor, "_account_checks", failing)
    done = CliRunner().invoke(doctor.app, ["prod", "-C", str(root)])
    assert isinstance(done.exception, ConfigurationError)
    assert "is no registry" in done.exception.what
    assert SECRET not in done.exception.what
