"""The group_vars of one stage and region that the tool itself reads."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

from deployer.model.basics import OPEN, STRICT, Secret


@dataclass(frozen=True)
class ClusterSettings:
    """How to reach the region's cluster: `Name` of an EKS cluster, or `Context` of a `Kubeconfig`."""

    __pydantic_config__: ClassVar[Any] = STRICT
    name: str | None = None
    context: str | None = None
    kubeconfig: str | None = None


@dataclass(frozen=True)
class SlackSettings:
    """Where to announce. A bot `Token` with a `Channel`, or an incoming `WebhookUrl`; `ApiUrl` for another endpoint."""

    __pydantic_config__: ClassVar[Any] = STRICT
    channel: str | None = None
    token: Secret | None = None
    webhook_url: Secret | None = None
    api_url: str = "https://slack.com/api/"


@dataclass(frozen=True)
class WebhookSettings:
    """Where the JSON report of each command goes when it ends. With a `Secret` it is signed (docs/events.md)."""

    __pydantic_config__: ClassVar[Any] = STRICT
    url: Secret | None = None
    secret: Secret | None = None


@dataclass(frozen=True)
class HealthCheckSettings:
    """How the regional host is asked from outside. Times are in seconds.

    `Stable`: how long it must answer well, without a failure, before it counts as healthy.
    `ConnectTo`: `host:port` to connect to instead of the load balancer named by the Ingress (split-horizon DNS).
    """

    __pydantic_config__: ClassVar[Any] = STRICT
    protocol: Literal["HTTP", "HTTPS"] = "HTTPS"
    path: str = "/"
    port: int | None = None
    search_string: str | None = None
    interval: Literal[10, 30] = 30
    failure_threshold: int = 3
    timeout: float = 120.0
    stable: float = 0.0
    connect_to: str | None = None


@dataclass(frozen=True)
class RolloutSettings:
    """What is tolerated while a rollout is watched, and in which order regions follow each other.

    Times are in seconds. `Stable`: how long a container that has no readiness probe must go on running. `Waves`:
    regions, those of one wave joined with `+` (`[seoul, london+virginia]`); regions that are not named come last,
    together. `Bake`: how long a wave must stay healthy before the next begins. `OnFailure`: what happens to regions
    that had advanced when another one fails. `Drain`: each region is taken out of DNS while it is changed, one after
    another; a healthy one only while `MinHealthyRegions` others are healthy, too. `DrainGrace`: how long connections
    get to end once DNS leads nobody there.
    """

    __pydantic_config__: ClassVar[Any] = STRICT
    timeout: float = 600.0
    unschedulable_grace: float = 300.0
    restart_allowance: int = 2
    stable: float = 5.0
    waves: tuple[str, ...] = ()
    bake: float = 0.0
    on_failure: Literal["hold", "rollback"] = "hold"
    drain: bool = False
    min_healthy_regions: int = 1
    drain_grace: float = 30.0


@dataclass(frozen=True)
class EcrSettings:
    """`CreateRepositories`: make a missing ECR repository on its first use."""

    __pydantic_config__: ClassVar[Any] = STRICT
    create_repositories: bool = False
    scan_on_push: bool = True
    immutable_tags: bool = True


@dataclass(frozen=True)
class GitHubSettings:
    """Access to GitHub's API for artefacts; `ApiUrl` is `https://HOST/api/v3` for GitHub Enterprise.

    Without a `Token` the environment's GITHUB_TOKEN or GH_TOKEN is used.
    """

    __pydantic_config__: ClassVar[Any] = STRICT
    api_url: str = "https://api.github.com"
    token: Secret | None = None


@dataclass(frozen=True)
class DnsSettings:
    """Route 53. `Manage`: a deployment writes the app's health checks and records, too (nobody's unasked).

    `HostedZoneId`: the zone of DnsDomain, where its name alone does not tell. `NameServers`: asked for what clients are
    told, instead of the zone's own (`ns1.example.com`, `127.0.0.1:5353`).
    """

    __pydantic_config__: ClassVar[Any] = STRICT
    manage: bool = False
    hosted_zone_id: str | None = None
    name_servers: tuple[str, ...] = ()


@dataclass(frozen=True)
class BranchSettings:
    """That branches may be deployed to the stage, and after how long without a deployment one may be taken away."""

    __pydantic_config__: ClassVar[Any] = STRICT
    expires: str = "7d"


@dataclass(frozen=True)
class Settings:
    """The group_vars of one stage and region that the tool itself reads. Other keys are the user's variables.

    `Confirm`: a command that changes the stage shows on a terminal what it would change, and asks; `--yes` answers.
    """

    __pydantic_config__: ClassVar[Any] = OPEN
    aws_region: str
    dns_domain: str | None = None
    aws_ecr_prefix: str | None = None
    aws_profile: str | None = None
    aws_config_file: str | None = None
    cluster: ClusterSettings = field(default_factory=ClusterSettings)
    namespace: str = "default"
    slack: SlackSettings = field(default_factory=SlackSettings)
    webhook: WebhookSettings = field(default_factory=WebhookSettings)
    dns: DnsSettings = field(default_factory=DnsSettings)
    health_check: HealthCheckSettings = field(default_factory=HealthCheckSettings)
    rollout: RolloutSettings = field(default_factory=RolloutSettings)
    ecr: EcrSettings = field(default_factory=EcrSettings)
    git_hub: GitHubSettings = field(default_factory=GitHubSettings)
    fingerprint_key: Secret | None = None
    plain_keys: tuple[str, ...] = ()
    confirm: bool = False
    branches: BranchSettings | None = None

    @property
    def secrets(self) -> dict[str, Secret]:
        """What of them must not be shown, by key (`Slack.Token`)."""
        found = {
            "Slack.Token": self.slack.token,
            "Slack.WebhookUrl": self.slack.webhook_url,
            "Webhook.Url": self.webhook.url,
            "Webhook.Secret": self.webhook.secret,
            "GitHub.Token": self.git_hub.token,
            "FingerprintKey": self.fingerprint_key,
        }
        return {name: secret for name, secret in found.items() if secret}
