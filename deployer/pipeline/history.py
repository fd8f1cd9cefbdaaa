"""The story of `deploy history`: read the release's revisions and its lock in every region at once. Changes nothing."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from functools import partial

from deployer.config import Configuration
from deployer.errors import DeployError
from deployer.execute.parallel import run_all
from deployer.execute.services import Services
from deployer.model import LockState
from deployer.model.history import RegionHistory
from deployer.plan.history import history_of


def read_history(
    configurations: Sequence[Configuration], services: Services, *, limit: int | None = None
) -> tuple[RegionHistory, ...]:
    """The newest `limit` revisions of each target's release. A region that cannot be read has its error instead.

    Raises InterruptedBySignal.
    """
    outcomes, signalled = run_all([partial(_read, one, services, limit) for one in configurations])
    if signalled is not None:
        raise signalled
    histories = []
    for configuration, outcome in zip(configurations, outcomes, strict=True):
        if outcome.value is not None:
            histories.append(outcome.value)
        elif isinstance(outcome.error, DeployError):
            histories.append(RegionHistory(configuration.target, error=_with_region(outcome.error, configuration)))
        elif outcome.error is not None:
            raise outcome.error
    return tuple(histories)


def _read(configuration: Configuration, services: Services, limit: int | None) -> RegionHistory:
    settings, target = configuration.settings, configuration.target
    ports, name = services.region(settings, target), configuration.app.app_name
    revisions = ports.releases.revisions(name, settings.namespace)
    lock: LockState | None = None
    with contextlib.suppress(DeployError):  # whoever may read releases need not be allowed to read locks
        lock = ports.locks.look(name, settings.namespace)
    return RegionHistory(target, history_of(revisions, lock)[:limit], lock)


def _with_region(error: DeployError, configuration: Configuration) -> DeployError:
    for leaf in error.leaves():
        if leaf.where is None or isinstance(leaf.where, str):
            place = configuration.target.environment
            leaf.where = f"{place}, {leaf.where}" if leaf.where else place
    return error
