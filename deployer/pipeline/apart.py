"""Which targets of a command go ahead: all or none, or, of apps that were not named one by one, those that can."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from deployer.config import Loaded
from deployer.errors import DeployError, DeploymentFailed, ErrorGroup
from deployer.execute.everywhere import CommandFor, Failure, refuse
from deployer.model import Target, TargetResult
from deployer.model.needs import closed_over


class Apart:
    """Leaves out apps of which something is wrong anywhere, and those that need them; or refuses the whole command."""

    def __init__(self, loaded: Loaded, command_for: CommandFor | None) -> None:
        self._loaded = loaded
        self._command_for = command_for
        self._failures: list[Failure] = []

    @property
    def results(self) -> list[TargetResult]:
        """What became of the targets that do not go ahead."""
        broken: dict[str, dict[Target, list[DeployError]]] = {}
        for target, error in self._failures:
            broken.setdefault(target.application, {}).setdefault(target, []).append(error)
        found: list[TargetResult] = []
        held = closed_over(self._loaded.needs, list(broken))
        for target in dict.fromkeys([*self._loaded.targets, *(one for one, _ in self._failures)]):
            app = target.application
            if app in broken:
                errors = broken[app].get(target)
                error = (
                    _together(errors)
                    if errors
                    else _because(app, f"something is wrong with it in {', '.join(_places(broken[app]))}")
                )
            elif app in held:
                error = _because(app, f"it needs {held[app]}, which cannot be deployed")
            else:
                continue
            found.append(TargetResult(target, "not started", error=error))
        return found

    def leave_out(self, failures: Iterable[Failure]) -> None:
        """Leave out the apps of these failures. Raises them all where apps were named, or where none would be left."""
        self._failures += failures
        if not self._failures:
            return
        if not self._loaded.isolates or not any(map(self.goes, self._loaded.targets)):
            refuse(self._loaded.targets, self._failures, self._command_for)

    def goes(self, target: Target) -> bool:
        """Whether a target goes ahead, by what is known now."""
        broken = {one.application for one, _ in self._failures}
        return target.application not in broken | closed_over(self._loaded.needs, list(broken)).keys()


def _places(broken: Iterable[Target]) -> list[str]:
    return [target.region for target in broken]


def _because(app: str, why: str) -> DeployError:
    return DeploymentFailed(f"{app} was not begun", why=why)


def _together(errors: Sequence[DeployError]) -> DeployError:
    return errors[0] if len(errors) == 1 else ErrorGroup([leaf for error in errors for leaf in error.leaves()])
