"""An app's hooks in one region: which playbooks run when, and what they are told."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from deployer.errors import DeployError
from deployer.events import Sink
from deployer.execute.hook_ports import HookRequest, HookRunner
from deployer.execute.phases import Phases
from deployer.model import Image, Json, Target, TargetResult
from deployer.model.hooks import HookEvent, Hooks

if TYPE_CHECKING:
    from deployer.execute.attempt import Attempt


@dataclass(frozen=True)
class TargetHooks:
    """The hooks of an app in one region. `variables` gives what its templates can use, secrets among it."""

    hooks: Hooks
    runner: HookRunner
    target: Target
    variables: Callable[[], Json]
    arguments: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)

    def run(self, event: HookEvent, sink: Sink, phases: Phases, known: Json) -> None:
        """Run the playbooks for a moment, one after another; `known` are variables of the moment.

        Raises DeploymentFailed for the first one that fails.
        """
        playbooks = self.hooks.of(event)
        if not playbooks:
            return
        with phases(f"hook {event}") as phase:
            variables = {**self.variables(), **known, "HookEvent": event}
            for playbook in playbooks:
                self.runner.run(
                    HookRequest(
                        event,
                        playbook,
                        self.target,
                        variables,
                        self.hooks.timeout,
                        self.arguments,
                        self.environment,
                    ),
                    sink,
                )
            phase.detail = ", ".join(playbooks)

    def before_build(self, image: Image, sink: Sink) -> None:
        """Before the image is built, once per build."""
        self.run("BeforeBuild", sink, Phases(sink, self.target), _of_image(image))


def run_hooks(attempt: Attempt, event: HookEvent, **known: object) -> None:
    """Run a region's hooks for a moment of its attempt. Raises DeploymentFailed when one fails."""
    hooks = attempt.work.hooks
    if hooks is None or not hooks.hooks.of(event):
        return
    attempt.stop_if_asked()
    moment = {**_of_image(attempt.work.plan.image), "Revision": attempt.revision, "Outcome": None, "Error": None}
    hooks.run(event, attempt.sink, attempt.phases, {**moment, **known})


def run_on_failure(attempt: Attempt, result: TargetResult) -> TargetResult:
    """Run the hooks for a region that has failed, after all that is done about it; what fails in them is a warning."""
    if attempt.stopping.is_set() or attempt.lost or attempt.work.hooks is None:
        return result
    try:
        run_hooks(attempt, "OnFailure", Outcome=result.outcome, Error=_told(result.error))
    except DeployError as error:
        attempt.warn(str(error))
        result = replace(result, warnings=(*result.warnings, str(error)))
    return replace(result, phases=tuple(attempt.phases.timings))


def _of_image(image: Image | None) -> Json:
    return {"Image": image.reference if image else None, "Digest": image.digest if image else None}


def _told(error: DeployError | None) -> Json | None:
    if error is None:
        return None
    fields = {"What": error.what, "Where": error.where, "Why": error.why, "Hint": error.hint}
    return {name: None if value is None else str(value) for name, value in fields.items()}
