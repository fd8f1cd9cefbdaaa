"""What the pipeline asks its wiring for: every port, made for the region at hand."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Protocol

from deployer.execute.executor import RegionPorts
from deployer.execute.ports import ArtefactFetcher, ContextObserver, ImageBuilder, Notifier, Registry
from deployer.model import Settings, Target


class Services(Protocol):
    """The outside world of one command. Each method is cheap until what it gives is used, and safe in threads."""

    @property
    def root(self) -> Path:
        """The deployment repository."""
        ...

    def decrypt(self, file: Path, *, profile: str | None, config_file: str | None) -> Any:
        """The content of a SOPS file."""
        ...

    def keep_secret(self, values: Sequence[str]) -> None:
        """Mask these values in everything that leaves this process from now on."""
        ...

    def mask(self, text: str) -> str:
        """The text without secrets."""
        ...

    def fetcher(self, settings: Settings, target: Target) -> ArtefactFetcher: ...

    def contexts(self) -> ContextObserver: ...

    def registry(self, settings: Settings, target: Target) -> Registry: ...

    def builder(self) -> ImageBuilder: ...

    def check_account(self, settings: Settings, target: Target) -> None:
        """Raise ConfigurationError when the AWS account behind the profile isn't the one in `AwsEcrPrefix`."""
        ...

    def region(self, settings: Settings, target: Target) -> RegionPorts: ...

    def notifier(self, settings: Settings, channel: str | None) -> Notifier: ...

    def lock(self, target: Target) -> AbstractContextManager[None]:
        """One deployment of an app in a region at a time. Raises HeldError when another one runs."""
        ...

    def git_commit(self) -> str | None:
        """The deployment repository's commit, `-dirty` appended where files differ; None outside git."""
        ...

    def who(self) -> str:
        """Who deploys, from where: `anna@laptop`, or the CI job and its user."""
        ...
