"""The port of hooks: who runs an app's playbooks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from deployer.events import Sink
from deployer.model import Json, Target
from deployer.model.hooks import HookEvent


@dataclass(frozen=True)
class HookRequest:
    """One playbook to be run. `playbook` is its path in the repository, `timeout` in seconds.

    `variables` may hold secrets; `environment` is added to the process' own and must not. `arguments` are the user's,
    for ansible-playbook.
    """

    event: HookEvent
    playbook: str
    target: Target
    variables: Json = field(repr=False)
    timeout: float
    arguments: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)


class HookRunner(Protocol):
    """Runs playbooks on this machine."""

    def run(self, request: HookRequest, sink: Sink) -> None:
        """Run it to its end, its output told masked. Raises DeploymentFailed with the task that failed."""
        ...

    def stop(self) -> None:
        """End what is running, and begin nothing more. Callable from any thread."""
        ...
