"""The story of `deploy unlock`: look at the release's lock in every region at once, then free those that were seen.

A region that cannot be asked is told with its error; the locks of the others can be freed all the same.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial

from deployer.config.releases import Release
from deployer.errors import DeployError
from deployer.execute.everywhere import ask_each
from deployer.execute.ports import Locks
from deployer.execute.services import Services
from deployer.model import ReleaseLock, Target

Work = Callable[[Release, Locks, ReleaseLock], ReleaseLock]


class Unlocking:
    """The locks of one app. `releases` says for each target where its release is, or why that is not known."""

    def __init__(self, releases: Mapping[Target, Release | DeployError], services: Services) -> None:
        self._releases = releases
        self._locks = {
            target: services.region(release.settings, target).locks
            for target, release in releases.items()
            if isinstance(release, Release)
        }

    def look(self) -> tuple[ReleaseLock, ...]:
        """The lock of each target as it stands. Raises nothing but a signal."""
        return self._each([ReleaseLock(target) for target in self._releases], self._look)

    def free(self, seen: Sequence[ReleaseLock]) -> tuple[ReleaseLock, ...]:
        """Free the locks that were seen held, and no others; what has become of each. Raises nothing but a signal."""
        freed = self._each([lock for lock in seen if lock.state is not None], self._free)
        done = {lock.target: lock for lock in freed}
        return tuple(done.get(lock.target, lock) for lock in seen)

    def _each(self, locks: Sequence[ReleaseLock], work: Work) -> tuple[ReleaseLock, ...]:
        answers = ask_each([(lock.target, partial(self._attempt, lock, work)) for lock in locks])
        failures = dict(answers.failures)
        return tuple(
            answer or replace(lock, error=_with_region(failures[lock.target], lock.target))
            for lock, answer in zip(locks, answers.values, strict=True)
        )

    def _attempt(self, lock: ReleaseLock, work: Work) -> ReleaseLock:
        release = self._releases[lock.target]
        if isinstance(release, DeployError):
            raise release
        return work(release, self._locks[lock.target], lock)

    def _look(self, release: Release, locks: Locks, lock: ReleaseLock) -> ReleaseLock:
        return replace(lock, state=locks.look(release.name, release.settings.namespace))

    def _free(self, release: Release, locks: Locks, lock: ReleaseLock) -> ReleaseLock:
        if lock.state is not None:
            locks.free(release.name, release.settings.namespace, lock.state)
        return replace(lock, freed=True)


def _with_region(error: DeployError, target: Target) -> DeployError:
    for leaf in error.leaves():
        if leaf.where is None or (isinstance(leaf.where, str) and target.region not in leaf.where):
            leaf.where = f"{target.environment}, {leaf.where}" if leaf.where else target.environment
    return error
