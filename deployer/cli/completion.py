"""What a shell may complete: commands, stages, regions, apps, groups, and the revisions to go back to.

Nothing is said of what is wrong: then there is nothing to complete.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from deployer.errors import DeployError

if TYPE_CHECKING:
    from deployer.config.repository import Repository

_PATIENCE = 4.0
"""Seconds that a shell waits for a cluster's revisions at most."""

_MANY = 300
"""Apps: of more all are told, since reading each one's regions would take too long."""


def stages(ctx: typer.Context, incomplete: str) -> list[tuple[str, str]]:
    """The stages of the repository; also the commands, where the first word is typed."""
    from deployer.cli.commands import COMMANDS, DEFAULT_COMMAND

    names = [(name, "") for name in _safely(lambda: _repository(ctx).stages)]
    if ctx.parent is None:
        names += [(name, command.summary) for name, command in COMMANDS.items() if name != DEFAULT_COMMAND]
    return [(name, about) for name, about in names if name.startswith(incomplete)]


def regions(ctx: typer.Context, incomplete: str) -> list[str]:
    """The regions of the stage that was typed, also after a comma, and `all`."""
    listed, comma, last = incomplete.rpartition(",")
    taken = listed.split(",") if comma else []

    def known() -> Iterable[str]:
        repository = _repository(ctx)
        return repository.regions(_word(ctx, "stage"), repository.apps[:_MANY])

    names = [*_safely(known), *(() if comma else ("all",))]
    return [f"{listed}{comma}{name}" for name in _beginning(names, last) if name not in taken]


def apps(ctx: typer.Context, incomplete: str) -> list[str]:
    """The apps that have the region that was typed."""

    def known() -> Iterable[str]:
        repository = _repository(ctx)
        stage, region = _word(ctx, "stage"), _word(ctx, "region")
        if not stage or len(repository.apps) > _MANY:
            return repository.apps
        targets, broken = repository.targets_of(stage)
        wanted = region.split(",") if region and region != "all" else None
        fits = {one.application for one in targets if wanted is None or one.region in wanted}
        return sorted(fits | {one.application for one in broken})

    typed = ctx.params.get("applications") or ()
    return [name for name in _beginning(_safely(known), incomplete) if name not in typed]


def groups(ctx: typer.Context, incomplete: str) -> list[str]:
    """The groups that apps belong to."""
    from deployer.config.relations import groups_of

    def known() -> Iterable[str]:
        repository = _repository(ctx)
        for app in repository.apps:
            with suppress(DeployError):
                yield from (one.name for one in groups_of(repository, app))

    return _beginning(sorted(set(_safely(known))), incomplete)


def revisions(ctx: typer.Context, incomplete: str) -> list[tuple[str, str]]:
    """The good revisions of the app that was typed, and the deployments that made them; the clusters are asked."""
    from threading import Thread

    found: dict[str, str] = {}
    asking = Thread(target=lambda: _safely(lambda: _ask(ctx, found)), daemon=True)
    asking.start()
    asking.join(_PATIENCE)
    return [(name, about) for name, about in list(found.items()) if name.startswith(incomplete)]


def _ask(ctx: typer.Context, found: dict[str, str]) -> Iterable[str]:
    from deployer.events import Silence
    from deployer.pipeline.history import read_history
    from deployer.wiring import Wiring

    stage, region, app = (_word(ctx, name) for name in ("stage", "region", "application"))
    with Wiring(_directory(ctx), "") as wiring:
        loaded = wiring.load_each(stage, region, [app], None, (), Silence(), manifests=False)
        for each in read_history(loaded, wiring, limit=10):
            for entry in each.entries:
                if entry.outcome != "good":
                    continue
                about = wiring.mask(" ".join(filter(None, (each.target.region, entry.version, entry.who))))
                if len(loaded.targets) == 1:
                    found.setdefault(str(entry.revision), about)
                if entry.deployment_id:
                    found.setdefault(entry.deployment_id, about)
    return found


def _repository(ctx: typer.Context) -> Repository:
    from deployer.config.repository import Repository

    return Repository.find(Path.cwd(), _directory(ctx))


def _directory(ctx: typer.Context) -> Path | None:
    import os

    directory = ctx.params.get("directory") or os.environ.get("DEPLOY_DIRECTORY")
    return Path(directory) if directory else None


def _word(ctx: typer.Context, name: str) -> str:
    value: Any = ctx.params.get(name)
    return value if isinstance(value, str) else ""


def _beginning(names: Iterable[str], incomplete: str) -> list[str]:
    return [name for name in names if name.startswith(incomplete)]


def _safely(question: Callable[[], Iterable[str]]) -> list[str]:
    """The answers; none where something is wrong, since a shell that completes is no place for errors."""
    with suppress(Exception):
        return list(question())
    return []
