"""What the sandbox writes into a deployment repository: access to it, and the stage's encrypted sample secrets."""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from deployer.adapters import process
from deployer.errors import ConfigurationError, DeploymentFailed
from deployer.sandbox import cluster, files
from deployer.sandbox.aws import ACCESS_KEY, SECRET_KEY
from deployer.sandbox.layout import AWS_ENDPOINT, REGIONS, SECRETS_FILES, STAGE, Layout
from deployer.sandbox.state import ACCESS_FILE, aws_process

_DIRECTORY = ".sandbox"


def write(layout: Layout, root: Path, sops: Path) -> tuple[str, ...]:
    """Write what is missing or no longer fits; the paths written, relative to the repository.

    The secrets are encrypted anew only when they cannot be decrypted any more: a secret that was edited stays.
    """
    directory = root / _DIRECTORY
    try:
        directory.mkdir(exist_ok=True)
        written = [
            _write(directory / ".gitignore", "*\n"),
            _write(directory / "aws-config", _aws_config()),
            _write(directory / "kubeconfig", json.dumps(cluster.kubeconfig(layout, "admin"), indent=1) + "\n", 0o600),
            *_write_secrets(root, sops),
            _write(root / ACCESS_FILE, aws_process(layout)),
        ]
    except OSError as error:
        raise ConfigurationError(
            "the deployment repository cannot be written", where=error.filename or str(root), why=error.strerror
        ) from error
    return tuple(str(path.relative_to(root)) for path in written if path)


def _write(file: Path, text: str, mode: int = 0o644) -> Path | None:
    return file if files.write(file, text, mode) else None


def _aws_config() -> str:
    return f"""[profile {STAGE}]
region = {REGIONS[0].aws_region}
endpoint_url = {AWS_ENDPOINT}
aws_access_key_id = {ACCESS_KEY}
aws_secret_access_key = {SECRET_KEY}
"""


def _write_secrets(root: Path, sops: Path) -> list[Path | None]:
    directory = root / "group_vars"
    directory.mkdir(exist_ok=True)
    samples = _samples()
    with ThreadPoolExecutor(len(samples)) as pool:
        jobs = [pool.submit(_write_secret, directory / name, content, root, sops) for name, content in samples.items()]
        return [job.result() for job in jobs]


def _samples() -> dict[str, Mapping[str, Any]]:
    """File name → values of the example apps."""
    stage = {
        "FingerprintKey": secrets.token_hex(32),
        "Slack": {"Token": f"xoxb-sandbox-{secrets.token_hex(12)}"},
    }
    region = {
        "Values": {
            "myapp": {"Replicas": 2, "VERSION": "0.0.1", "VALUE1": "Hello", "VALUE2": "World"},
            "notmyapp": {"Replicas": 1, "DATABASE_URL": "psql://much@wow:7654"},
        }
    }
    first, *others = SECRETS_FILES
    return {first: stage, **dict.fromkeys(others, region)}


def _write_secret(file: Path, content: Mapping[str, Any], root: Path, sops: Path) -> Path | None:
    if file.exists() and _sops(root, [sops, "decrypt", "--output-type", "json", file]).ok:
        return None
    if file.exists() and (text := file.read_bytes()) and b"sops" not in text:
        return None  # not of our making: who deploys is told that it is not encrypted
    _keep_aside(file, root)
    import yaml

    keys = ",".join(region.kms_alias_arn for region in REGIONS)
    arguments = ["encrypt", "--kms", keys, "--input-type", "yaml", "--output-type", "yaml"]
    encrypted = _sops(
        root,
        [sops, *arguments, "--filename-override", file],
        stdin=yaml.safe_dump(dict(content), sort_keys=False).encode(),
    )
    if not encrypted.ok or b"sops:" not in encrypted.stdout:
        raise DeploymentFailed(
            "the sandbox's secrets cannot be encrypted",
            where=str(file),
            why=f"sops ended with exit code {encrypted.returncode}",
            hint="`deploy sandbox status` shows whether its AWS endpoint is well",
        )
    return _write(file, encrypted.stdout.decode())


def _keep_aside(file: Path, root: Path) -> None:
    """Move a file away whose keys have gone with the AWS endpoint that had them: its names of keys still tell."""
    if file.exists():
        aside = root / _DIRECTORY / "replaced" / file.name
        aside.parent.mkdir(exist_ok=True)
        file.replace(aside)


def _sops(root: Path, command: list[str | Path], stdin: bytes | None = None) -> process.Result:
    environment = {
        "AWS_CONFIG_FILE": str(root / _DIRECTORY / "aws-config"),
        "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
        "AWS_PROFILE": STAGE,
        "HOME": "/nonexistent",
        "PATH": "/usr/bin:/bin",
        "SOPS_DISABLE_VERSION_CHECK": "true",
    }
    return process.run(command, stdin=stdin, env=environment, cwd=root, timeout=30)
