"""Which targets have changed since a commit: both states of the repository are rendered and compared."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from deployer.adapters.aws.profiles import choose_profile
from deployer.config import Configuration, Inputs, Repository, load_each
from deployer.config.rendering import Rendering, rendering
from deployer.errors import DeployError
from deployer.model import ContextEntry, Target
from deployer.wiring.ports import Ports

_APART = "changes"
_COMMIT, _DEPLOYMENT = "0" * 40, "any-deployment"
"""Stand for what differs each time, and would make everything a change."""

_EVERYBODYS = ("apps/", "group_vars/", "macros/")


class Changes(Ports):
    """The repository as it is, beside the same in a commit."""

    def changed_since(
        self, revision: str, version: str | None, extra_vars: Sequence[str]
    ) -> Callable[[Sequence[Target]], tuple[Target, ...]]:
        """Chooses the targets whose manifests, or the content of whose image, differ from those of a commit.

        One that is new, or that cannot be compared since something is wrong with it, counts as changed. What lies
        behind the address of a download may have changed all the same. Raises UsageError for an unknown revision.
        """
        from deployer.adapters.git import GitFiles

        git = GitFiles(self.root)
        commit = git.resolve(revision)
        inputs = Inputs(extra_vars, version, lambda: _COMMIT, lambda: _DEPLOYMENT)

        def choose(targets: Sequence[Target]) -> tuple[Target, ...]:
            files = git.changed_since(commit)
            suspected = [target for target in targets if self._may_differ(target, files)]
            if not suspected:
                return ()
            before = git.extract(commit, Path(tempfile.mkdtemp(dir=self._private_directory())))
            _link(git.ignored(), self.root, before)
            decrypt = self._decrypting_once()
            new = self._renderings(self._repository, suspected, decrypt, inputs)
            old = self._renderings(Repository(before), suspected, decrypt, inputs)
            return tuple(one for one in suspected if one not in new or new[one] != old.get(one))

        return choose

    def _may_differ(self, target: Target, files: Sequence[str]) -> bool:
        """Whether any of the changed files may be one of the target's own, or everybody's."""
        app = target.app
        own = (f"apps/{app}.", f"apps/{app}/")
        others = tuple(f"apps/{name}{end}" for name in self._repository.apps if name != app for end in (".", "/"))
        downloads = "Docker" in self._content_of(app)
        return any(
            name.startswith(own) or (name.startswith(_EVERYBODYS) and not name.startswith(others)) or downloads
            for name in files
        )

    def _content_of(self, app: str) -> Any:
        try:
            return self._repository.app(app).entries
        except DeployError:
            return ()

    def _renderings(
        self, repository: Repository, targets: Sequence[Target], decrypt: Callable[..., Any], inputs: Inputs
    ) -> dict[Target, Rendering]:
        """How each target reads in a state of the repository; nothing for those in which something is wrong."""
        loaded = load_each(repository, targets, decrypt=decrypt, inputs=inputs, choose_profile=choose_profile)
        found: dict[Target, Rendering] = {}
        for one in loaded.configurations:
            self._masker.add(secret.value for secret in one.secret_values())
            try:
                found[one.target] = rendering(one, repository.root, lambda each: self._own_context(each, repository))
            except DeployError:
                continue
        return found

    def _own_context(self, configuration: Configuration, repository: Repository) -> tuple[ContextEntry, ...]:
        from deployer.adapters.context import Contexts

        app = configuration.app
        assert app.docker is not None  # noqa: S101 -- for the type checker: only then it is asked
        contexts = Contexts(repository.root, self._private_directory() / _APART, self._masker)
        without = replace(app, docker=replace(app.docker, download=()))
        return contexts.observe(without, (), configuration.render_text).entries


def _link(names: Sequence[str], root: Path, directory: Path) -> None:
    """What git ignores belongs to this machine (a kubeconfig, secrets of a sandbox), and is the same in both states."""
    for name in names:
        link = directory / name.rstrip("/")
        if not link.exists():
            link.parent.mkdir(parents=True, exist_ok=True)
            link.symlink_to(root / name.rstrip("/"))
