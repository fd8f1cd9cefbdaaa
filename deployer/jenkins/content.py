"""What a deployment repository has for pipelines: stages in order, their regions, apps and waves."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from deployer.config import document
from deployer.config.layers import layer_files, merge
from deployer.config.nodes import Path, ScalarNode, SequenceNode, locate, node_at
from deployer.config.repository import Repository
from deployer.config.suggestions import did_you_mean
from deployer.errors import ConfigurationError, DeployError, Location, UsageError, raise_all
from deployer.jenkins.settings import FILE, KEY
from deployer.model.jenkins import JenkinsSettings
from deployer.plan.order import parse_waves

_SANDBOX = "local"
_PRODUCTION = "prod"
_WAVES: Path = ("Rollout", "Waves")


@dataclass(frozen=True)
class Content:
    """`staging` and `production` in the order in which they are deployed to.

    `apps`: stage → region → the apps that it has. `waves`: stage → the regions of each wave, first to last.
    """

    staging: tuple[str, ...]
    production: tuple[str, ...]
    apps: Mapping[str, Mapping[str, tuple[str, ...]]]
    waves: Mapping[str, tuple[tuple[str, ...], ...]]

    @property
    def stages(self) -> tuple[str, ...]:
        """All of them, staging first."""
        return (*self.staging, *self.production)

    @property
    def regions(self) -> tuple[str, ...]:
        """The regions of all stages, sorted."""
        return tuple(sorted({region for regions in self.apps.values() for region in regions}))

    @property
    def applications(self) -> tuple[str, ...]:
        """The apps of all stages and regions, sorted."""
        return tuple(sorted({app for regions in self.apps.values() for apps in regions.values() for app in apps}))


def content_of(repository: Repository, settings: JenkinsSettings) -> Content:
    """What the pipelines are made for. Raises for unknown stages and regions, broken apps, and where there are none."""
    if not repository.apps:
        raise UsageError(
            "there is nothing to deploy", why="apps/ has no app", hint="write apps/APP.yml, or see deploy init"
        )
    found = _apps(repository)
    staging, production = _stages(found, settings)
    _check_names(settings, found)
    stages = (*staging, *production)
    apps = {stage: {region: tuple(sorted(found[stage][region])) for region in sorted(found[stage])} for stage in stages}
    waves = {stage: _waves(repository, stage, tuple(apps[stage]), settings) for stage in stages}
    return Content(staging, production, apps, waves)


def _apps(repository: Repository) -> dict[str, dict[str, list[str]]]:
    """Stage → region → apps, from the apps' `Environments`."""
    found: dict[str, dict[str, list[str]]] = {}
    errors: list[DeployError] = []
    for app in repository.apps:
        try:
            pairs = [name.partition(".")[::2] for name, _ in repository.environments_of(app)]
        except DeployError as error:
            errors.append(error)
            continue
        for stage, region in dict.fromkeys(pairs):
            found.setdefault(stage, {}).setdefault(region, []).append(app)
    raise_all(errors)
    return found


def _stages(
    found: Mapping[str, Mapping[str, list[str]]], settings: JenkinsSettings
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    production = settings.production
    if production is None:
        production = tuple(
            stage for stage in sorted(found) if stage.startswith(_PRODUCTION) and stage not in (settings.staging or ())
        )
    staging = settings.staging
    if staging is None:
        staging = tuple(stage for stage in sorted(found) if stage not in production and stage != _SANDBOX)
    errors: list[DeployError] = []
    named = (*staging, *production)
    for stage in dict.fromkeys(named):
        if stage not in found:
            hint = did_you_mean(stage, found) or f"the apps are for {', '.join(sorted(found))}"
            errors.append(
                ConfigurationError(f"no app is for a stage {stage}", where=_where("Staging or Production"), hint=hint)
            )
        elif named.count(stage) > 1:
            errors.append(ConfigurationError(f"stage {stage} is named twice", where=_where("Staging and Production")))
    raise_all(errors)
    if not named:
        hint = f"name stages: {KEY}: {{Staging: [{', '.join(sorted(found))}]}} in {FILE}"
        raise ConfigurationError("there is no stage to deploy to but the sandbox", hint=hint)
    return staging, production


def _check_names(settings: JenkinsSettings, found: Mapping[str, Mapping[str, list[str]]]) -> None:
    """Raises for settings of regions and stages that no app is for."""
    regions = {region for each in found.values() for region in each}
    errors: list[DeployError] = [
        *_unknown("Agents.Regions", "region", settings.agents.regions, regions),
        *_unknown("Credentials.Stages", "stage", settings.credentials.stages, found),
    ]
    raise_all(errors)


def _unknown(key: str, noun: str, names: Iterable[str], known: Iterable[str]) -> list[ConfigurationError]:
    all_known = sorted(known)
    return [
        ConfigurationError(
            f"no app is for a {noun} {name}",
            where=_where(key),
            hint=did_you_mean(name, all_known) or f"the {noun}s are {', '.join(all_known)}",
        )
        for name in names
        if name not in all_known
    ]


def _where(key: str) -> Location:
    return Location(f"{FILE}, {KEY}.{key}")


def _waves(
    repository: Repository, stage: str, regions: tuple[str, ...], settings: JenkinsSettings
) -> tuple[tuple[str, ...], ...]:
    """The waves that the stage's plain group_vars set. They matter only where each becomes a stage of the pipeline."""
    if settings.waves == "deployment":
        return (regions,)
    layers = [one for one in layer_files(repository.root, stage, regions[0]) if one.exists and not one.secret]
    tree = merge([document.read(one.path, one.name) for one in layers if one.region is None])
    node = node_at(tree, _WAVES)
    if node is None:
        return (regions,)
    items = node.items if isinstance(node, SequenceNode) else ()
    texts = [
        one.value for one in items if isinstance(one, ScalarNode) and isinstance(one.value, str) and not one.is_template
    ]
    if not items or len(texts) != len(items):
        raise ConfigurationError(
            "Rollout.Waves must be a plain list here",
            where=locate(tree, _WAVES),
            why="each wave becomes a stage of the pipeline",
            hint=f"write [seoul, london+virginia], or set {KEY}: {{Waves: deployment}} in {FILE}",
        )
    where = locate(tree, _WAVES)
    try:
        waves = parse_waves(",".join(texts))
    except UsageError as error:
        raise ConfigurationError(error.what, where=where, hint=error.hint) from None
    strange = [name for wave in waves for name in wave if name not in regions]
    if strange:
        hint = did_you_mean(strange[0], regions) or f"the regions of {stage} are {', '.join(regions)}"
        raise ConfigurationError(f"the waves name {strange[0]}, for which {stage} has no app", where=where, hint=hint)
    rest = tuple(region for region in regions if not any(region in wave for wave in waves))
    return (*waves, rest) if rest else waves
