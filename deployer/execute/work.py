"""What it takes to carry out one target's plan, and what is known of its result from the start."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from deployer.errors import DeployError
from deployer.execute.drain import Traffic
from deployer.execute.outside import health_url, load_balancer, regional_host, serves
from deployer.execute.parallel import Outcome as JobOutcome
from deployer.execute.ports import Cluster, Locks, OutsideProber, Releases
from deployer.model import (
    App,
    DeploymentRecord,
    HealthCheckSettings,
    Outcome,
    Settings,
    Target,
    TargetResult,
    WorkloadState,
)
from deployer.plan.manifests import PreparedManifests
from deployer.plan.removal import Removal
from deployer.plan.steps import TargetPlan

if TYPE_CHECKING:
    from deployer.execute.dns.managed import ManagedDns
    from deployer.execute.dns.withdrawing import Withdrawal
    from deployer.execute.hooks import TargetHooks


@dataclass(frozen=True)
class RegionPorts:
    """The ports of one region that executing needs."""

    cluster: Cluster
    releases: Releases
    prober: OutsideProber
    locks: Locks


@dataclass(frozen=True)
class Work:
    """One target's plan with all that it takes to carry it out.

    `removal` is what `deploy remove` takes away. `prepared` has the image pinned; `workloads` is what was seen of the
    live release, where nothing is to be done. `traffic` is None where nothing is done about DNS,
    `dns` where no records are written afterwards, `withdrawal` where none are taken away before the release
    is, `hooks` where no playbooks run.
    """

    plan: TargetPlan
    app: App
    settings: Settings
    prepared: PreparedManifests
    record: DeploymentRecord
    ports: RegionPorts
    timeout: float
    workloads: tuple[WorkloadState, ...] = ()
    removal: Removal | None = None
    traffic: Traffic | None = None
    dns: ManagedDns | None = None
    withdrawal: Withdrawal | None = None
    hooks: TargetHooks | None = None

    @property
    def target(self) -> Target:
        """The target that this is about."""
        return self.plan.target

    @property
    def namespace(self) -> str:
        """The release's namespace."""
        return self.settings.namespace

    @property
    def health(self) -> HealthCheckSettings:
        """How the app is asked: its own health check, or its region's."""
        return self.app.health_check or self.settings.health_check

    @property
    def url(self) -> str | None:
        """The URL that is asked from outside; None when no Ingress serves the regional host."""
        return health_url(self.host, self.health) if self.host else None

    @property
    def through(self) -> str | None:
        """The `host:port` that the settings fix for asking; None where the load balancer is found by its Ingress."""
        return self.health.connect_to if self.url else None

    @property
    def recovery(self) -> str:
        """The command that repairs what an interrupted or failed run has left, as a hint names it."""
        return f"`deploy recover {self.target}`"

    @property
    def place(self) -> str:
        """Where this is, for errors: `prod london`."""
        return f"{self.target.stage} {self.target.region}"

    @property
    def host(self) -> str | None:
        """The regional host that is asked from outside; None when no Ingress serves it."""
        host = regional_host(self.app, self.settings, self.target)
        return host if host and serves(self.prepared.objects, host) else None

    def entry_point(self, host: str) -> Callable[[], str | None]:
        """Gives the `host:port` to connect to: what the settings say, else the load balancer that the Ingress names."""
        health = self.health
        if health.connect_to:
            return lambda: health.connect_to
        port = health.port or {"HTTP": 80, "HTTPS": 443}[health.protocol]

        def from_ingress() -> str | None:
            address = load_balancer(self.ports.cluster, self.prepared.objects, self.namespace, host)
            return f"{address}:{port}" if address else None

        return from_ingress

    def unchanged(self) -> TargetResult:
        """The result where nothing is to be done."""
        return self.result("unchanged", revision=self.plan.current_revision, workloads=self.workloads)

    def result(self, outcome: Outcome, **known: Any) -> TargetResult:
        """A result with what the plan says; `known` are the fields that came of carrying it out."""
        return TargetResult(
            target=self.target,
            outcome=outcome,
            version=self.app.version,
            image=self.plan.image,
            url=self.url,
            through=self.through,
            expires=self.record.expires,
            reasons=self.plan.reasons,
            changes=self.plan.changes,
            preview=self.plan.preview,
            warnings=self.plan.warnings,
            **known,
        )

    def result_of(self, job: JobOutcome[TargetResult]) -> TargetResult:
        """The result of a job, also of one that was left behind or ended in a way that nobody foresaw."""
        if job.value is not None:
            return job.value
        if isinstance(job.error, DeployError):
            return self.result("failed", error=job.error)
        if job.error is not None:
            error = DeployError(f"{self.target} ended in a defect of the tool", why=type(job.error).__name__)
            return self.result("failed", error=error)
        error = DeployError(
            f"{self.target} did not stop in time",
            hint=f"{self.recovery} repairs what is left, and so does the next deployment",
        )
        return self.result("interrupted", error=error)
