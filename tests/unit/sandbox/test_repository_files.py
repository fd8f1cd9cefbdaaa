"""Access and secrets in a deployment repository, with a stand-in for sops that needs no KMS."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest

from deployer.errors import ConfigurationError, DeploymentFailed
from deployer.sandbox import certificates, repository_files
from deployer.sandbox.layout import Layout
from deployer.sandbox.state import has_access

SOPS = """#!/bin/sh
# "Encrypts" by reversing; a file with the word "old" in it was encrypted with a key that has gone.
if [ "$1" = decrypt ]; then
  for file; do :; done
  grep -q ENCRYPTED "$file" && ! grep -q old "$file"
else
  [ "$AWS_PROFILE" = local ] && [ -f "$AWS_CONFIG_FILE" ] || exit 128
  echo ENCRYPTED; rev; echo sops: yes
fi
"""


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    made = Layout(tmp_path / "state", tmp_path / "run")
    made.state.mkdir()
    certificates.ensure(made)
    return made


@pytest.fixture
def root(tmp_path: Path) -> Path:
    directory = tmp_path / "repository"
    directory.mkdir()
    return directory


@pytest.fixture
def sops(tmp_path: Path) -> Path:
    program = tmp_path / "sops"
    program.write_text(SOPS)
    program.chmod(0o755)
    return program


FILES = {
    ".sandbox/.gitignore",
    ".sandbox/aws-config",
    ".sandbox/aws-process",
    ".sandbox/kubeconfig",
    "group_vars/secrets_local.yml",
    "group_vars/secrets_local.london.yml",
    "group_vars/secrets_local.virginia.yml",
    "group_vars/secrets_local.seoul.yml",
}


def test_writes_everything_once(layout: Layout, root: Path, sops: Path) -> None:
    assert not has_access(root, layout)
    assert set(repository_files.write(layout, root, sops)) == FILES
    assert has_access(root, layout)
    assert repository_files.write(layout, root, sops) == ()
    found = {str(path.relative_to(root)) for path in root.rglob("*") if path.is_file()}
    assert found == FILES
    assert stat.S_IMODE((root / ".sandbox" / "kubeconfig").stat().st_mode) == 0o600
    assert "DATABASE_URL" not in (root / "group_vars" / "secrets_local.london.yml").read_text()


def test_a_secret_that_can_be_decrypted_stays(layout: Layout, root: Path, sops: Path) -> None:
    repository_files.write(layout, root, sops)
    edited = root / "group_vars" / "secrets_local.yml"
    edited.write_text("ENCRYPTED by the user\n")
    assert repository_files.write(layout, root, sops) == ()
    assert edited.read_text() == "ENCRYPTED by the user\n"


@pytest.mark.parametrize("content", ["", "ENCRYPTED old\nsops: {}\n"])
def test_a_secret_that_cannot_be_decrypted_is_made_anew(layout: Layout, root: Path, sops: Path, content: str) -> None:
    repository_files.write(layout, root, sops)
    lost = root / "group_vars" / "secrets_local.seoul.yml"
    lost.write_text(content)
    assert repository_files.write(layout, root, sops) == ("group_vars/secrets_local.seoul.yml",)
    assert lost.read_text().startswith("ENCRYPTED\n")
    assert (root / ".sandbox" / "replaced" / "secrets_local.seoul.yml").read_text() == content


def test_a_file_that_is_not_encrypted_is_left_to_its_author(layout: Layout, root: Path, sops: Path) -> None:
    repository_files.write(layout, root, sops)
    own = root / "group_vars" / "secrets_local.seoul.yml"
    own.write_text("plain: text")
    assert repository_files.write(layout, root, sops) == ()
    assert own.read_text() == "plain: text"


def test_a_failing_sops_writes_nothing_and_shows_no_value(layout: Layout, root: Path, sops: Path) -> None:
    sops.write_text("#!/bin/sh\ncat\ncat >&2\nexit 128\n")
    with pytest.raises(DeploymentFailed) as caught:
        repository_files.write(layout, root, sops)
    assert "exit code 128" in str(caught.value)
    assert "wow" not in str(caught.value)
    assert not list((root / "group_vars").iterdir())


def test_a_sops_that_does_not_encrypt_is_not_believed(layout: Layout, root: Path, sops: Path) -> None:
    sops.write_text("#!/bin/sh\n[ $1 = decrypt ] || cat\n")
    with pytest.raises(DeploymentFailed):
        repository_files.write(layout, root, sops)
    assert not list((root / "group_vars").iterdir())


def test_a_repository_that_cannot_be_written(layout: Layout, root: Path, sops: Path) -> None:
    (root / ".sandbox").write_text("a file in the way")
    with pytest.raises(ConfigurationError) as caught:
        repository_files.write(layout, root, sops)
    assert caught.value.where == str(root / ".sandbox")


def test_access_is_outdated_once_the_aws_endpoint_was_started_anew(layout: Layout, root: Path, sops: Path) -> None:
    repository_files.write(layout, root, sops)
    layout.processes.mkdir(parents=True, exist_ok=True)
    record = {"name": "aws", "pid": 7, "start_time": 9, "boot": "a", "fingerprint": "b"}
    (layout.processes / "aws.json").write_text(json.dumps(record))
    assert not has_access(root, layout)
    repository_files.write(layout, root, sops)
    assert has_access(root, layout)
