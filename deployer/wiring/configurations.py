"""Loads configuration, its secrets decrypted and kept for the mask."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from deployer.adapters.aws.profiles import choose_profile
from deployer.config import Configuration, Inputs, Loaded, load_each
from deployer.config.selection import Selection, select
from deployer.errors import DeployError, UsageError
from deployer.events import Sink
from deployer.execute.phases import Phases
from deployer.model import Secret, Settings, Target
from deployer.model.branches import app_of
from deployer.wiring.held import Held

if TYPE_CHECKING:
    from deployer.adapters.sops import SopsFile
    from deployer.config.explaining import Explanation
    from deployer.config.releases import Release
    from deployer.config.secret_files import SecretFile


class Configurations(Held):
    """What the files of the deployment repository say."""

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
        selection = Selection(tuple(applications))
        return self.load_selected(stage, regions, selection, version, extra_vars, sink, manifests=manifests)

    def load_selected(
        self,
        stage: str,
        regions: str,
        selection: Selection,
        version: str | None,
        extra_vars: Sequence[str],
        sink: Sink,
        *,
        manifests: bool = True,
    ) -> Loaded:
        """As `load_each`, of the apps that are selected, with what they need of each other."""
        self._sink = sink
        with Phases(sink)("configuration") as phase:
            selected = select(self._repository, stage, regions, selection, ordered=manifests)
            targets = selected.targets
            applications = list(dict.fromkeys(target.application for target in targets))
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
            self._masker.add(loaded.secrets)
            for configuration in loaded.configurations:
                self._masker.add(secret.value for secret in configuration.secret_values())
            if decrypted:
                phase.detail = f"{len(decrypted)} secrets file{'s' if len(decrypted) > 1 else ''} decrypted"
        return replace(
            loaded,
            targets=tuple(dict.fromkeys((*targets, *(target for target, _ in selected.broken)))),
            failures=(*loaded.failures, *selected.broken),
            needs=selected.needs,
            isolates=selection.isolates,
        )

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

    def has_app(self, application: str) -> bool:
        """Whether the repository has the file of an app, or of the app of `myapp@feature/x`."""
        return app_of(application) in self._repository.apps

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

    def settings_of(self, stage: str, regions: str, *, branch: str | None = None) -> dict[Target, Settings]:
        """What group_vars say of a stage's regions (`all`, or a comma list), without any app, or of all `""` branches.

        What is secret in them is kept for the mask.
        """
        from deployer.config import load_settings

        self._repository.check_stage(stage)
        known = self._repository.regions(stage, self._repository.apps)
        wanted = list(known) if regions == "all" else [name.strip() for name in regions.split(",")]
        if unknown := [region for region in wanted if region not in known]:
            raise UsageError(
                f"{stage} has no region {', '.join(unknown)}", hint=f"its regions are {', '.join(known) or 'none'}"
            )
        found = load_settings(
            self._repository,
            stage,
            wanted,
            decrypt=self._once(self._decrypting_once, "settings"),
            choose_profile=choose_profile,
            branch=branch,
        )
        for one in found.values():
            self._masker.add(one.secrets.values())
        return {Target(stage, region, ""): settings for region, settings in found.items()}

    def encrypted_file(self, file: SecretFile) -> SopsFile:
        """SOPS at work on a secrets file, with the AWS profile that the plain layers name."""
        from deployer.adapters.sops import SopsFile
        from deployer.config.secret_files import access

        aws = access(self._repository, file, choose_profile)
        return SopsFile(lambda: self._tool("sops"), file.name, profile=aws.profile, config_file=aws.config_file)

    def _prepare_ahead(self, applications: Sequence[str]) -> None:
        """What artefacts and images will need, while SOPS works; whoever needs it first waits for the rest."""
        with contextlib.suppress(DeployError):
            if any("Docker" in self._repository.app(name).entries for name in applications):
                import botocore.client
                import botocore.session  # noqa: F401

                self._http()
