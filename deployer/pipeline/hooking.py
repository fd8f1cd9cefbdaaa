"""The hooks of a deployment's targets: who runs them, and what they are given."""

from __future__ import annotations

from collections.abc import Sequence

from deployer.config import Configuration, Loaded
from deployer.errors import UsageError
from deployer.execute.hooks import TargetHooks
from deployer.execute.services import Services
from deployer.model import Json, Settings


def hooks_of(
    configuration: Configuration, docker_hash: str | None, arguments: Sequence[str], services: Services
) -> TargetHooks | None:
    """A target's hooks; None where its app names none. Nothing is evaluated before a hook runs."""
    app, settings = configuration.app, configuration.settings
    if app.hooks is None:
        return None

    def variables() -> Json:
        return {**configuration.hook_variables(docker_hash), "AwsRegion": settings.aws_region}

    return TargetHooks(
        app.hooks, services.hook_runner(), configuration.target, variables, tuple(arguments), _access(settings)
    )


def check_arguments(loaded: Loaded, arguments: Sequence[str]) -> None:
    """Raises UsageError for arguments of hooks where no app has any."""
    if arguments and not loaded.failures and not any(one.app.hooks for one in loaded.configurations):
        names = ", ".join(dict.fromkeys(target.application for target in loaded.targets))
        raise UsageError(
            "what stands after `--` is for hooks, and there are none",
            why=f"{names}: no Hooks in the app's file",
            hint="options of deploy come before `--`; docs/ansible.md tells how an app names hooks",
        )


def _access(settings: Settings) -> dict[str, str]:
    """What tools of AWS read from the environment: the account and region that the deployment itself uses."""
    found = {
        "AWS_PROFILE": settings.aws_profile,
        "AWS_CONFIG_FILE": settings.aws_config_file,
        "AWS_REGION": settings.aws_region,
        "AWS_DEFAULT_REGION": settings.aws_region,
    }
    return {name: value for name, value in found.items() if value}
