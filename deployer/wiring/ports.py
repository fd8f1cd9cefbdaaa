"""Makes an adapter for each port, with the settings of its region."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from deployer.errors import ConfigurationError, Location
from deployer.execute.dns_ports import Dns, LoadBalancers, NameServers
from deployer.execute.hook_ports import HookRunner
from deployer.execute.image_ports import ArtefactFetcher, ContextObserver, ImageBuilder, Registry
from deployer.execute.ports import Notifier
from deployer.execute.work import RegionPorts
from deployer.model import Json, Secret, Settings, Target
from deployer.wiring.held import Held, cache_directory

if TYPE_CHECKING:
    from deployer.adapters.aws.session import Session
    from deployer.adapters.kubernetes import KubernetesCluster


class Ports(Held):
    """The ports, in the order in which a deployment uses them."""

    def fetcher(self, settings: Settings, target: Target) -> ArtefactFetcher:
        """The downloads of one region."""
        from deployer.adapters.artefacts import Fetcher

        return Fetcher(
            self.root,
            cache_directory() / "artefacts",
            aws_client=self._session(settings).client,
            http_client=self._http,
            github=settings.git_hub,
            mask=self._masker.mask,
            where=str(self._place_of_downloads(target.application)),
        )

    def _place_of_downloads(self, application: str) -> Location:
        """Where an app's file lists its artefacts."""
        docker = self._repository.app(application).entries["Docker"]
        entries = getattr(docker.value, "entries", {})
        return entries["Download"].location if "Download" in entries else docker.location

    def contexts(self) -> ContextObserver:
        """Docker contexts."""
        from deployer.adapters.context import Contexts

        return Contexts(self.root, cache_directory() / "artefacts", self._masker)

    def registry(self, settings: Settings, target: Target) -> Registry:
        """The region's image registry, with a login that lasts for this run."""
        from deployer.adapters.aws.account import region_in

        session = self._session(settings, region_in(settings.aws_ecr_prefix))
        return self._once(lambda: self._new_registry(session, settings), "registry", session, settings.ecr)

    def _new_registry(self, session: Session, settings: Settings) -> Registry:
        from deployer.adapters.aws.ecr import Ecr
        from deployer.adapters.registry import HttpRegistry

        ecr = Ecr(session, settings.ecr)

        def credentials() -> tuple[str, Secret]:
            token = ecr.authorization_token()
            self._masker.add([token.password, *session.secrets()])
            return token.user, token.password

        return HttpRegistry(credentials, ecr.ensure_repository, self._http)

    def builder(self) -> ImageBuilder:
        """Docker on this machine."""
        from deployer.adapters.docker import DockerBuilder

        return DockerBuilder(lambda: self._tool("buildx"), self._masker)

    def check_account(self, settings: Settings, target: Target) -> None:
        """Whether the AWS account is the one in `AwsEcrPrefix`; STS is asked once per profile."""
        from deployer.adapters.aws.account import StsAccount, account_in

        if account_in(settings.aws_ecr_prefix) is not None:
            session = self._session(settings)
            self._once(lambda: StsAccount(session), "account", session).check(settings.aws_ecr_prefix)

    def region(self, settings: Settings, target: Target) -> RegionPorts:
        """The region's cluster, releases, prober and locks: an EKS cluster by name, or a context of a kubeconfig.

        Raises ConfigurationError when the settings name neither.
        """
        from deployer.adapters.helm import HelmReleases
        from deployer.adapters.leases import LeaseLocks
        from deployer.adapters.prober import HttpProber

        mask, where = self._masker.mask, settings.cluster
        if where.name is None and where.context is None:
            raise _no_cluster(target)
        session = self._session(settings) if where.name is not None else None
        cluster, kubeconfig = self._once(
            lambda: self._connect(settings, session), "cluster", where, settings.namespace, session
        )
        releases = HelmReleases(
            cluster,
            lambda: self._tool("helm"),
            directory=self._private_directory(),
            kubeconfig=kubeconfig,
            context=where.context if where.name is None else None,
            mask=mask,
            convert=_todays,
        )
        return RegionPorts(cluster, releases, HttpProber(mask), LeaseLocks(cluster, target))

    def _connect(self, settings: Settings, session: Session | None) -> tuple[KubernetesCluster, Any]:
        """A cluster, its connection opened at the first question; and what tells Helm where it is."""
        from deployer.adapters.kubernetes import KubernetesCluster

        mask, where = self._masker.mask, settings.cluster
        kubeconfig: Any
        if session is not None and where.name is not None:
            from deployer.adapters.aws.eks import Eks

            eks, name = Eks(session), where.name
            kubeconfig = lambda: eks.kubeconfig(name)  # noqa: E731 -- asked only when it is needed
            cluster = KubernetesCluster(
                kubeconfig, None, namespace=settings.namespace, mask=mask, token=lambda: eks.token(name)
            )
        else:
            kubeconfig = Path(where.kubeconfig) if where.kubeconfig else None
            cluster = KubernetesCluster(kubeconfig, where.context, namespace=settings.namespace, mask=mask)
        self._stack.callback(cluster.close)
        return cluster, kubeconfig

    def dns(self, settings: Settings, target: Target) -> Dns:
        """Route 53, with the region's profile."""
        from deployer.adapters.aws.route53 import Route53

        return Route53(self._session(settings))

    def load_balancers(self, settings: Settings, target: Target) -> LoadBalancers:
        """The load balancers of the region's AWS region."""
        from deployer.adapters.aws.load_balancers import ElasticLoadBalancers

        return ElasticLoadBalancers(self._session(settings))

    def name_servers(self) -> NameServers:
        """Authoritative name servers, asked directly."""
        from deployer.adapters.name_servers import AuthoritativeServers

        return AuthoritativeServers()

    def hook_runner(self) -> HookRunner:
        """The ansible-core that is installed with us, in a process of its own."""
        from deployer.adapters.ansible import AnsibleRunner

        return AnsibleRunner(self.root, self._masker)

    def notifier(self, settings: Settings, channel: str | None) -> Notifier:
        """Slack."""
        from deployer.adapters.slack import MaskedNotifier, SlackNotifier

        return MaskedNotifier(SlackNotifier(settings.slack, channel), self._masker.mask)

    def webhook(self, settings: Settings) -> Notifier:
        """The team's own webhook."""
        from deployer.adapters.slack import MaskedNotifier
        from deployer.adapters.webhook import WebhookNotifier

        return MaskedNotifier(WebhookNotifier(settings.webhook), self._masker.mask)

    def account(self, settings: Settings) -> str:
        """The account that STS names, which must be the one in `AwsEcrPrefix`."""
        from deployer.adapters.aws.account import StsAccount

        account = StsAccount(self._session(settings))
        account.check(settings.aws_ecr_prefix)
        return account.number()


def _no_cluster(target: Target) -> ConfigurationError:
    return ConfigurationError(
        f"no cluster is named for {target.environment}",
        where="Cluster",
        why="kubectl's current context, whichever that is, is never deployed to",
        hint=f"put `Cluster: {{Name: …}}` (EKS) or `Cluster: {{Context: …}}` into group_vars/{target.environment}.yml",
    )


def _todays(manifest: Json) -> Json:
    """A stored manifest as today's API has it; itself where nothing was removed or nothing takes its place."""
    from deployer.plan.manifests.conversion import convert
    from deployer.plan.manifests.source import Findings, SourceManifest

    return convert(SourceManifest(manifest), Findings()) or manifest
