"""What group_vars alone say of a stage's regions, without any app."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from deployer.config import settings as settings_of
from deployer.config import variables
from deployer.config.configuration import NO_IMAGE, Inputs, evaluator_maker
from deployer.config.layers import Layer, merge
from deployer.config.loading import Decrypt, LayerReader
from deployer.config.repository import Repository
from deployer.config.settings import AwsAccess, ChooseProfile
from deployer.config.templating import Templates
from deployer.errors import DeployError, raise_all
from deployer.model import Settings, Target
from deployer.model.branches import named


def load_settings(
    repository: Repository,
    stage: str,
    regions: Sequence[str],
    *,
    decrypt: Decrypt,
    choose_profile: ChooseProfile | None = None,
    branch: str | None = None,
) -> dict[str, Settings]:
    """What group_vars alone say of some of a stage's regions: to look at the regions themselves, without an app.

    With a `branch`, what they say for that.
    """
    templates = Templates()
    found: dict[str, Settings] = {}
    errors = _Errors()
    extra = variables.extra_variables((), None)
    with LayerReader(repository.root, decrypt, templates, extra=extra, choose_profile=choose_profile) as reader:
        started = {region: reader.start(stage, region, branch) for region in regions}
        for region, (layers, aws) in started.items():
            with errors:
                found[region] = settings_alone(Target(stage, region, named("", branch)), reader, (layers, aws))
    errors.raise_all()
    return found


def settings_alone(target: Target, reader: LayerReader, started: tuple[tuple[Layer, ...], AwsAccess]) -> Settings:
    """What group_vars alone say of a stage and region."""
    layers, aws = started
    root = merge(reader.contents(layers))
    make = evaluator_maker(target, root, reader.templates, layers, Inputs())
    settings = settings_of.settings(make({}, {"DockerHash": NO_IMAGE}), reader.root, target.environment)
    return replace(settings, aws_profile=settings.aws_profile or aws.profile)


class _Errors:
    """Collects the errors of the blocks that it guards, each once."""

    def __init__(self) -> None:
        self._found: dict[tuple[str, ...], DeployError] = {}

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> bool:
        if not isinstance(error, DeployError):
            return False
        for leaf in error.leaves():
            self._found.setdefault((type(leaf).__name__, str(leaf.where), leaf.what, leaf.why or ""), leaf)
        return True

    def raise_all(self) -> None:
        raise_all(list(self._found.values()))
