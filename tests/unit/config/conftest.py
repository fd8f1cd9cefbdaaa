"""Deployment repositories in a temporary directory, and templates evaluated without one."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import pytest

from deployer.config import Configuration, Inputs, Repository, document, load
from deployer.config.evaluation import Evaluator
from deployer.config.nodes import ScalarNode
from deployer.config.templating import Templates
from deployer.errors import DeployError

ALL = """\
DnsDomain: "deploy.test"
Namespace: "apps"
"""
STAGE = """\
AwsRegion: "eu-west-2"
AwsEcrPrefix: "registry.test/team"
Values:
  myapp:
    Replicas: 2
    VERSION: "0.0.1"
    VALUES1: "Hello"
"""
APP = """\
Name: "myapp"
AppName: "{{ Name }}"
SubDomain: "myapp"
Environments:
  - "prod.london"
  - "prod.seoul"
  - "dev.london"
Version: "{{ Values[Name].VERSION }}"
Docker:
  Download:
    - src: "s3://my-artifacts/myapp-{{ Version }}.tar.gz"
  Dockerfile: |
    FROM scratch
    COPY myapp-{{ Version }}.tar.gz /
Helm:
  - apiVersion: apps/v1
    kind: Deployment
    metadata:
      name: "{{ AppName }}"
    spec:
      replicas: "{{ Values[Name].Replicas }}"
      image: "{{ AwsEcrPrefix }}/{{ AppName }}:{{ Tag }}-{{ DockerHash }}"
"""
FILES = {
    "group_vars/all.yml": ALL,
    "group_vars/prod.yml": STAGE,
    "group_vars/prod.london.yml": "",
    "apps/myapp.yml": APP,
}

BRANCH = "feature/x"
TAKES_BRANCHES = {"group_vars/prod.yml": f"{STAGE}Branches: {{}}\n"}

SOPS = "sops: {mac: 'ENC[AES256_GCM,data:x]', version: 3.13.3}\n"


class Decryption:
    """Stands in for SOPS: gives what it was told for each file name, and keeps what it was asked."""

    def __init__(self, contents: Mapping[str, Any]) -> None:
        self._contents = contents
        self.asked: list[tuple[str, str | None, str | None]] = []

    def __call__(self, file: Path, *, profile: str | None, config_file: str | None = None) -> Any:
        self.asked.append((file.name, profile, config_file))
        content = self._contents[file.name]
        if isinstance(content, DeployError):
            raise content
        return content


class MakeRepository(Protocol):
    def __call__(self, files: Mapping[str, str | bytes] = {}) -> Repository: ...


@pytest.fixture
def make_repository(tmp_path: Path) -> MakeRepository:
    """Writes FILES, changed and added to by what is given, and opens the repository."""

    def make(files: Mapping[str, str | bytes] = {}) -> Repository:
        for name, content in {**FILES, **files}.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return Repository.find(tmp_path)

    return make


class LoadOne(Protocol):
    def __call__(
        self,
        files: Mapping[str, str | bytes] = {},
        *,
        region: str = "london",
        secrets: Mapping[str, Any] = {},
        inputs: Inputs | None = None,
    ) -> Configuration: ...


@pytest.fixture
def load_one(make_repository: MakeRepository) -> LoadOne:
    """The configuration of `prod REGION myapp`; `secrets` are decrypted contents by file name."""

    def one(
        files: Mapping[str, str | bytes] = {},
        *,
        region: str = "london",
        secrets: Mapping[str, Any] = {},
        inputs: Inputs | None = None,
    ) -> Configuration:
        repository = make_repository(files)
        targets = repository.targets("prod", region, ["myapp"])
        (configuration,) = load(repository, targets, decrypt=Decryption(secrets), inputs=inputs)
        return configuration

    return one


class LoadBranch(Protocol):
    def __call__(
        self,
        files: Mapping[str, str] = {},
        *,
        extra: Sequence[str] = (),
        secrets: Mapping[str, Any] = {},
        branch: str = BRANCH,
        manifests: bool = True,
    ) -> Configuration: ...


@pytest.fixture
def load_branch(make_repository: MakeRepository) -> LoadBranch:
    """The configuration of a branch of `prod london myapp`, in a stage that takes branches."""

    def one(
        files: Mapping[str, str] = {},
        *,
        extra: Sequence[str] = (),
        secrets: Mapping[str, Any] = {},
        branch: str = BRANCH,
        manifests: bool = True,
    ) -> Configuration:
        repository = make_repository({**TAKES_BRANCHES, **files})
        targets = repository.targets("prod", "london", [f"myapp@{branch}"])
        inputs = Inputs(extra=tuple(extra))
        (found,) = load(repository, targets, decrypt=Decryption(secrets), inputs=inputs, manifests=manifests)
        return found

    return one


def app_with(*changes: tuple[str, str]) -> dict[str, str]:
    """The app file with texts replaced."""
    text = APP
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    return {"apps/myapp.yml": text}


def refusal(load_branch: LoadBranch, files: Mapping[str, str] = {}, **how: Any) -> DeployError:
    """The one error of a configuration."""
    with pytest.raises(DeployError) as caught:
        load_branch(files, **how)
    (error,) = caught.value.leaves()
    return error


Evaluate = Callable[..., Any]


@pytest.fixture
def evaluate() -> Evaluate:
    """Evaluates a template, `key` in line 7 of `t.yml`, among the variables of a YAML text, `f.yml`."""

    def value(template: str, variables: str = "", *, secret: tuple[str, ...] = (), **builtins: Any) -> Any:
        root = document.parse(variables, "f.yml")
        for name in secret:
            entry = root.entries[name]
            assert isinstance(entry.value, ScalarNode)
            object.__setattr__(entry.value, "secret", True)
        evaluator = Evaluator(root, builtins, Templates(), scope="it is nowhere")
        return evaluator.plain(ScalarNode(template, "t.yml", 7), ("key",))

    return value
