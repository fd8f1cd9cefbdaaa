"""The secrets files of a repository, and with which AWS profile each is opened."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from deployer.config import document
from deployer.config.evaluation import Evaluator
from deployer.config.layers import DIRECTORY, SECRETS_PREFIX, SUFFIXES, Layer, layer_files, merge
from deployer.config.repository import Repository
from deployer.config.settings import AwsAccess, ChooseProfile, aws_access
from deployer.config.suggestions import did_you_mean
from deployer.config.templating import Templates
from deployer.errors import UsageError

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,62}\Z")
RULES = ".sops.yaml"


@dataclass(frozen=True, slots=True)
class SecretFile:
    """One secrets file. `name` is its path below the repository; `region` is None for what a stage's regions share."""

    name: str
    path: Path
    stage: str
    region: str | None
    exists: bool = True

    @property
    def place(self) -> str:
        """`prod`, or `prod.london`."""
        return f"{self.stage}.{self.region}" if self.region else self.stage


def secret_file(repository: Repository, stage: str, region: str | None) -> SecretFile:
    """The file of a stage, or of one of its regions; it may not exist yet. Raises UsageError for unknown names."""
    check_place(repository, stage, region)
    layers = layer_files(repository.root, stage, region or "none")
    layer = layers[-1] if region else layers[-2]
    return SecretFile(layer.name, layer.path, stage, region, layer.exists)


def check_place(repository: Repository, stage: str, region: str | None) -> None:
    """Raises UsageError for a stage or region that nothing in the repository mentions."""
    repository.check_stage(stage, repository.apps)
    known = repository.regions(stage, repository.apps)
    if region is not None and region not in known:
        listed = f"the regions are {', '.join(known)}" if known else f"{stage} has no regions"
        raise UsageError(f"there is no region {region} in stage {stage}", hint=did_you_mean(region, known) or listed)


def all_secret_files(repository: Repository, stage: str | None = None, regions: str | None = None) -> list[SecretFile]:
    """Every secrets file that is there, of one stage or region (a comma list, or `all`) or of all; sorted by name."""
    wanted: set[str | None] | None = None
    if stage is not None:
        repository.check_stage(stage, repository.apps)
        if regions is not None and regions != "all":
            names = [name.strip() for name in regions.split(",")]
            for name in names:
                check_place(repository, stage, name)
            wanted = {None, *names}
    found = []
    for path in sorted((repository.root / DIRECTORY).glob(f"{SECRETS_PREFIX}*")):
        if path.suffix not in SUFFIXES:
            continue
        file = named_secret_file(repository.root, f"{DIRECTORY}/{path.name}")
        if (stage is None or file.stage == stage) and (wanted is None or file.region in wanted):
            found.append(file)
    return found


def named_secret_file(root: Path, name: str) -> SecretFile:
    """The file of this name, which need not be there: a commit may have it."""
    stage, _, region = Path(name).stem.removeprefix(SECRETS_PREFIX).partition(".")
    return SecretFile(name, root / name, stage, region or None, (root / name).exists())


def access(repository: Repository, file: SecretFile, choose_profile: ChooseProfile | None) -> AwsAccess:
    """How AWS is reached for a file: what the plain layers of its stage and region say, as for a deployment.

    A file that a stage's regions share is opened as they all say, else as the first region says.
    """
    regions: Sequence[str | None] = [file.region]
    if file.region is None:
        regions = [None, *repository.regions(file.stage, repository.apps)[:1]]
    result = None
    for region in regions:
        layers = [layer for layer in layer_files(repository.root, file.stage, region or "none") if layer.exists]
        plain = [layer for layer in layers if not layer.secret and (region or layer.region is None)]
        result, named = _access(repository.root, file.stage, region, plain, choose_profile)
        if named:
            break
    assert result is not None  # noqa: S101 - there is always one round
    return result


def _access(
    root: Path, stage: str, region: str | None, plain: Sequence[Layer], choose_profile: ChooseProfile | None
) -> tuple[AwsAccess, bool]:
    tree = merge([document.read(layer.path, layer.name) for layer in plain])
    names = {"STAGE": stage} | ({"REGION": region} if region else {})
    unavailable = {} if region else {"REGION": "the secrets of a stage are opened once, for all its regions"}
    evaluator = Evaluator(tree, names, Templates(), unavailable=unavailable)
    named = bool({"AwsProfile", "AwsConfigFile"} & set(tree.entries))
    if not named and region is None:
        return AwsAccess(choose_profile(None, stage, None) if choose_profile else None, None, None), False
    return aws_access(evaluator, root, stage, choose_profile), named
