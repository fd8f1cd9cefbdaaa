"""The story of `deploy history`: read the release's revisions and its lock in every region at once. Changes nothing."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from functools import partial

from deployer.config import Configuration, Loaded
from deployer.errors import DeployError, ErrorGroup, Location
from deployer.execute.everywhere import ask_each
from deployer.execute.services import Services
from deployer.model import LockState, Target
from deployer.model.history import RegionHistory
from deployer.plan.history import history_of


def read_history(loaded: Loaded, services: Services, *, limit: int | None = None) -> tuple[RegionHistory, ...]:
    """The newest `limit` revisions of each target's release. A region that cannot be read has its errors instead."""
    answers = ask_each([(one.target, partial(_read, one, services, limit)) for one in loaded.configurations])
    read = {one.target: one for one in answers.given}
    errors: dict[Target, list[DeployError]] = {}
    for target, error in [*loaded.failures, *answers.failures]:
        errors.setdefault(target, []).append(error)
    return tuple(
        read.get(target) or RegionHistory(target, error=_of_region(target, errors[target])) for target in loaded.targets
    )


def _read(configuration: Configuration, services: Services, limit: int | None) -> RegionHistory:
    settings, target = configuration.settings, configuration.target
    ports, name = services.region(settings, target), configuration.app.app_name
    revisions = ports.releases.revisions(name, settings.namespace)
    lock: LockState | None = None
    with contextlib.suppress(DeployError):  # whoever may read releases need not be allowed to read locks
        lock = ports.locks.look(name, settings.namespace)
    return RegionHistory(target, history_of(revisions, lock)[:limit], lock)


def _of_region(target: Target, errors: Sequence[DeployError]) -> DeployError:
    """The errors as one, each naming its region unless it names a file."""
    group = ErrorGroup(errors)
    for leaf in group.leaves():
        if not isinstance(leaf.where, Location):
            leaf.where = f"{target.environment}, {leaf.where}" if leaf.where else target.environment
    return group
