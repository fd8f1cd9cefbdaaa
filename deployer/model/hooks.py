"""Playbooks of an app that run around its deployment."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from deployer.model.basics import STRICT

HookEvent = Literal["BeforeBuild", "BeforeUpgrade", "AfterUpgrade", "OnFailure"]
"""When a hook runs."""


@dataclass(frozen=True)
class Hooks:
    """An app's hook playbooks: paths in the deployment repository, run in their order by ansible-core.

    `BeforeBuild`: before its image is built; `BeforeUpgrade`: in each region before anything changes there;
    `AfterUpgrade`: once it answers from outside; `OnFailure`: after a region was taken back. `Timeout`: seconds each.
    """

    __pydantic_config__: ClassVar[Any] = STRICT
    before_build: tuple[str, ...] = ()
    before_upgrade: tuple[str, ...] = ()
    after_upgrade: tuple[str, ...] = ()
    on_failure: tuple[str, ...] = ()
    timeout: float = 600.0

    def of(self, event: HookEvent) -> tuple[str, ...]:
        """The playbooks for a moment."""
        match event:
            case "BeforeBuild":
                return self.before_build
            case "BeforeUpgrade":
                return self.before_upgrade
            case "AfterUpgrade":
                return self.after_upgrade
            case "OnFailure":
                return self.on_failure
