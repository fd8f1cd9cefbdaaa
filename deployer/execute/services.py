"""What the pipeline asks its wiring for: every port, made for the region at hand."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from deployer.execute.dns_ports import Dns, LoadBalancers, NameServers
from deployer.execute.hook_ports import HookRunner
from deployer.execute.image_ports import ArtefactFetcher, ContextObserver, ImageBuilder, Registry
from deployer.execute.ports import Notifier
from deployer.execute.work import RegionPorts
from deployer.model import Holder, Settings, Target


class Services(Protocol):
    """The outside world of one command. Each method is cheap until what it gives is used, and safe in threads."""

    def keep_secret(self, values: Iterable[str]) -> None:
        """Mask these values, too, in everything that leaves this process from now on."""
        ...

    def mask(self, text: str) -> str:
        """The text without any secret that is known by now."""
        ...

    def fetcher(self, settings: Settings, target: Target) -> ArtefactFetcher:
        """The downloads of one region."""
        ...

    def contexts(self) -> ContextObserver:
        """Docker contexts."""
        ...

    def registry(self, settings: Settings, target: Target) -> Registry:
        """The region's image registry."""
        ...

    def builder(self) -> ImageBuilder:
        """Docker on this machine."""
        ...

    def check_account(self, settings: Settings, target: Target) -> None:
        """Raise ConfigurationError when the AWS account behind the profile isn't the one in `AwsEcrPrefix`."""
        ...

    def region(self, settings: Settings, target: Target) -> RegionPorts:
        """The region's cluster, releases, prober and locks."""
        ...

    def dns(self, settings: Settings, target: Target) -> Dns:
        """Route 53, with the region's profile."""
        ...

    def load_balancers(self, settings: Settings, target: Target) -> LoadBalancers:
        """The load balancers of the region's AWS region."""
        ...

    def name_servers(self) -> NameServers:
        """Authoritative name servers."""
        ...

    def hook_runner(self) -> HookRunner:
        """Runs the playbooks of one app in one region."""
        ...

    def notifier(self, settings: Settings, channel: str | None) -> Notifier:
        """Where a deployment is announced; `channel` is the app's own, if it has one."""
        ...

    def webhook(self, settings: Settings) -> Notifier:
        """Where the report of a command is posted; asked for only where there is such a place."""
        ...

    def git_commit(self) -> str | None:
        """The deployment repository's commit, `-dirty` appended where files differ; None outside git."""
        ...

    def who(self) -> str:
        """Who deploys, from where: `anna@laptop`, or the CI job and its user."""
        ...

    def holder(self, deployment: str, action: str) -> Holder:
        """This process, as the holder of locks: `action` is the command that it carries out."""
        ...
