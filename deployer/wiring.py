"""Builds the real adapters for the engine: the only place that knows both sides."""

from __future__ import annotations

import contextlib
import os
import tempfile
import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from deployer.adapters.aws.profiles import choose_profile
from deployer.config import Configuration, Inputs, Loaded, Repository, load_each
from deployer.errors import DeployError, InterruptedBySignal, Location, UsageError
from deployer.events import Sink
from deployer.execute.dns_ports import Dns, LoadBalancers, NameServers
from deployer.execute.image_ports import ArtefactFetcher, ContextObserver, ImageBuilder, Registry
from deployer.execute.phases import Phases
from deployer.execute.ports import Notifier, SecretsDecryptor
from deployer.execute.work import RegionPorts
from deployer.masking import Masker
from deployer.model import Holder, Json, Secret, Settings, Target

if TYPE_CHECKING:
    import httpx2

    from deployer.adapters.aws.session import Session, Sessions
    from deployer.adapters.sops import SopsFile
    from deployer.config.explaining import Explanation
    from deployer.config.releases import Release
    from deployer.config.secret_files import SecretFile


class Wiring:
    """The services of one command (`execute.services.Services`), made when they are first asked for.

    Use it as a context manager: what it holds open or keeps in its private directory is gone afterwards.
    """

    def __init__(self, directory: Path | None, deployment: str) -> None:
        self._repository = Repository.find(Path.cwd(), directory)
        self._deployment = deployment
        self._masker = Masker(public=_names_in(self._repository))
        self._lock = threading.RLock()
        self._stack = ExitStack()
        self._sink: Sink | None = None
        self._sessions: Sessions | None = None
        self._http_client: httpx2.Client | None = None
        self._directory: Path | None = None
        self._commit: str | None = None
        self._asked_git = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if isinstance(error, (KeyboardInterrupt, InterruptedBySignal)):
            threading.Thread(target=_stop_programs, daemon=True).start()
        self._stack.close()

    @property
    def root(self) -> Path:
        """The deployment repository."""
        return self._repository.root

    def mask(self, text: str) -> str:
        """The text without any secret that is known by now."""
        return self._masker.mask(text)

    def keep_secret(self, values: Iterable[str]) -> None:
        """Mask these values, too, from now on."""
        self._masker.add(values)

    def load(
        self,
        stage: str,
        regions: str,
        applications: Sequence[str],
        version: str | None,
        extra_vars: Sequence[str],
        sink: Sink,
        *,
        manifests: bool = True,
    ) -> tuple[Configuration, ...]:
        """The configuration of every target that the command line names; raises everything that is wrong in them.

        Without `manifests`, only what it takes to find and ask what runs: the rest of an app file may be broken.
        """
        return self.load_each(stage, regions, applications, version, extra_vars, sink, manifests=manifests).complete()

    def load_each(
        self,
        stage: str,
        regions: str,
        applications: Sequence[str],
        version: str | None,
        extra_vars: Sequence[str],
        sink: Sink,
        *,
        manifests: bool = True,
    ) -> Loaded:
        """As `load`, but a target whose configuration is wrong keeps nobody from getting the others'."""
        self._sink = sink
        with Phases(sink)("configuration") as phase:
            targets = self._repository.targets(stage, regions, applications)
            decrypted: list[Path] = []

            def decrypt(file: Path, *, profile: str | None, config_file: str | None = None) -> Any:
                if not decrypted and manifests:
                    threading.Thread(target=self._prepare_ahead, args=(applications,), daemon=True).start()
                decrypted.append(file)
                return self._sops().decrypt(file, profile=profile, config_file=config_file)

            loaded = load_each(
                self._repository,
                targets,
                decrypt=decrypt,
                inputs=Inputs(
                    extra=extra_vars,
                    version=version,
                    git_commit=self.git_commit,
                    deployment_id=lambda: self._deployment,
                ),
                choose_profile=choose_profile,
                manifests=manifests,
            )
            for configuration in loaded.configurations:
                self._masker.add(secret.value for secret in configuration.secret_values())
            if decrypted:
                phase.detail = f"{len(decrypted)} secrets file{'s' if len(decrypted) > 1 else ''} decrypted"
        return loaded

    def explain(
        self,
        stage: str,
        regions: str,
        application: str,
        key: str | None,
        version: str | None,
        extra_vars: Sequence[str],
        sink: Sink,
        *,
        offline: bool,
    ) -> tuple[Explanation, ...]:
        """Where the values of an app come from, in each of the regions; `offline` decrypts nothing."""
        from deployer.config.explaining import explain

        self._sink = sink
        inputs = Inputs(extra_vars, version, self.git_commit, lambda: self._deployment)
        explanations = []
        for target in self._repository.targets(stage, regions, [application]):
            one = explain(
                self._repository,
                target,
                key,
                decrypt=None if offline else self._sops().decrypt,
                inputs=inputs,
                choose_profile=choose_profile,
            )
            self._masker.add(map(Secret, one.secrets))
            explanations.append(one)
        return tuple(explanations)

    def check_targets(self, stage: str, regions: str, applications: Sequence[str]) -> None:
        """Raises UsageError or ConfigurationError unless these apps have these regions of the stage."""
        self._repository.targets(stage, regions, applications)

    def releases(
        self, stage: str, applications: Sequence[str], regions: str = "all"
    ) -> Mapping[Target, Release | DeployError]:
        """Where the releases of these apps (none: of all that the stage has) are, in each of the regions."""
        from deployer.config.releases import load_releases

        repository = self._repository
        repository.check_stage(stage, applications or repository.apps)
        targets, broken = (
            (repository.targets(stage, regions, applications), {}) if applications else repository.targets_of(stage)
        )
        found = load_releases(repository, targets, decrypt=self._sops().decrypt, choose_profile=choose_profile)
        self._masker.add(found.secrets)
        return {**found.found, **broken}

    def settings_of(self, stage: str, regions: str) -> dict[Target, Settings]:
        """What group_vars say of a stage's regions (`all`, or a comma list), without any app."""
        from deployer.config import load_settings

        self._repository.check_stage(stage)
        known = self._repository.regions(stage, self._repository.apps)
        wanted = list(known) if regions == "all" else [name.strip() for name in regions.split(",")]
        if unknown := [region for region in wanted if region not in known]:
            raise UsageError(
                f"{stage} has no region {', '.join(unknown)}", hint=f"its regions are {', '.join(known) or 'none'}"
            )
        found = load_settings(
            self._repository, stage, wanted, decrypt=self._sops().decrypt, choose_profile=choose_profile
        )
        return {Target(stage, region, ""): settings for region, settings in found.items()}

    def account(self, settings: Settings) -> str:
        """The account that STS names, which must be the one in `AwsEcrPrefix`."""
        from deployer.adapters.aws.account import StsAccount

        account = StsAccount(self._session(settings))
        account.check(settings.aws_ecr_prefix)
        return account.number()

    # The ports, in the order in which a deployment uses them.

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
        from deployer.adapters.aws.ecr import Ecr
        from deployer.adapters.registry import HttpRegistry

        session = self._session(settings, region_in(settings.aws_ecr_prefix))
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
            StsAccount(self._session(settings)).check(settings.aws_ecr_prefix)

    def region(self, settings: Settings, target: Target) -> RegionPorts:
        """The region's cluster, releases, prober and locks: an EKS cluster by name, or a context of a kubeconfig."""
        from deployer.adapters.helm import HelmReleases
        from deployer.adapters.kubernetes import KubernetesCluster
        from deployer.adapters.leases import LeaseLocks
        from deployer.adapters.prober import HttpProber

        mask = self._masker.mask
        cluster_settings = settings.cluster
        if cluster_settings.name is not None:
            from deployer.adapters.aws.eks import Eks

            eks, name = Eks(self._session(settings)), cluster_settings.name
            kubeconfig: Any = lambda: eks.kubeconfig(name)  # noqa: E731 -- asked only when it is needed
            context = None
            cluster = KubernetesCluster(
                kubeconfig, None, namespace=settings.namespace, mask=mask, token=lambda: eks.token(name)
            )
        else:
            kubeconfig = Path(cluster_settings.kubeconfig) if cluster_settings.kubeconfig else None
            context = cluster_settings.context
            cluster = KubernetesCluster(kubeconfig, context, namespace=settings.namespace, mask=mask)
        self._stack.callback(cluster.close)
        releases = HelmReleases(
            cluster,
            lambda: self._tool("helm"),
            directory=self._private_directory(),
            kubeconfig=kubeconfig,
            context=context,
            mask=mask,
            convert=_todays,
        )
        return RegionPorts(cluster, releases, HttpProber(mask), LeaseLocks(cluster, target))

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

    def notifier(self, settings: Settings, channel: str | None) -> Notifier:
        """Slack."""
        from deployer.adapters.slack import MaskedNotifier, SlackNotifier

        return MaskedNotifier(SlackNotifier(settings.slack, channel), self._masker.mask)

    def git_commit(self) -> str | None:
        """The deployment repository's commit, `-dirty` appended where tracked files differ; None outside git."""
        with self._lock:
            if not self._asked_git:
                from deployer.adapters.git import commit

                self._commit, self._asked_git = commit(self.root), True
            return self._commit

    def who(self) -> str:
        """Who deploys, and where from."""
        from deployer.adapters.who import who

        return who(os.environ)

    def holder(self, deployment: str, action: str) -> Holder:
        """This process, as the holder of locks."""
        from datetime import UTC, datetime

        from deployer.adapters.leases import this_machine, this_process

        since = datetime.now(UTC).isoformat(timespec="seconds")
        return Holder(deployment, self.who(), this_machine(), since, action, this_process())

    @property
    def repository(self) -> Repository:
        """What the deployment repository holds."""
        return self._repository

    def encrypted_file(self, file: SecretFile) -> SopsFile:
        """SOPS at work on a secrets file, with the AWS profile that the plain layers name."""
        from deployer.adapters.sops import SopsFile
        from deployer.config.secret_files import access

        aws = access(self._repository, file, choose_profile)
        return SopsFile(lambda: self._tool("sops"), file.name, profile=aws.profile, config_file=aws.config_file)

    # What the ports share.

    def _sops(self) -> SecretsDecryptor:
        from deployer.adapters.sops import Sops

        return Sops(lambda: self._tool("sops"))

    def _tool(self, name: str) -> Path:
        from deployer import tools

        return tools.find(name) or tools.require(name, self._sink)

    def _session(self, settings: Settings, region: str | None = None) -> Session:
        with self._lock:
            if self._sessions is None:
                from deployer.adapters.aws.session import Sessions

                self._sessions = Sessions()
        return self._sessions.of(region or settings.aws_region, settings.aws_profile, settings.aws_config_file)

    def _http(self) -> httpx2.Client:
        """One client for all HTTP that is not AWS's or Kubernetes'."""
        with self._lock:
            if self._http_client is None:
                import httpx2

                self._http_client = self._stack.enter_context(httpx2.Client(timeout=30.0))
            return self._http_client

    def _prepare_ahead(self, applications: Sequence[str]) -> None:
        """What artefacts and images will need, while SOPS works; whoever needs it first waits for the rest."""
        with contextlib.suppress(DeployError):
            if any("Docker" in self._repository.app(name).entries for name in applications):
                import botocore.client
                import botocore.session  # noqa: F401

                self._http()

    def _private_directory(self) -> Path:
        """A directory that only this user can read, and that is gone after the command. It never holds a secret."""
        with self._lock:
            if self._directory is None:
                from deployer.adapters import process

                self._directory = Path(self._stack.enter_context(tempfile.TemporaryDirectory(prefix="deploy-")))
                self._stack.callback(process.end_all, 2.0)  # before: a helm that was left behind writes into it
            return self._directory


def _names_in(repository: Repository) -> set[str]:
    """What is shown on purpose although a secret may be called the same: apps, stages, regions."""
    environments = {name for pair in repository.environments for name in pair if name}
    return environments | set(repository.apps)


def _todays(manifest: Json) -> Json:
    """A stored manifest as today's API has it; itself where nothing was removed or nothing takes its place."""
    from deployer.plan.manifests.conversion import convert
    from deployer.plan.manifests.source import Findings, SourceManifest

    return convert(SourceManifest(manifest), Findings()) or manifest


def cache_directory() -> Path:
    """This user's cache of ours: tools, artefacts."""
    import platformdirs

    return Path(platformdirs.user_cache_dir("deployer"))


def _stop_programs() -> None:
    """End what threads are waiting for (SOPS, for instance), more than once: one may just be starting."""
    from deployer.adapters import process

    for _ in range(10):
        process.stop_all()
        time.sleep(0.2)
