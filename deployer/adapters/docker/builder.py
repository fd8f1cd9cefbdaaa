"""The port `ImageBuilder`: BuildKit through buildx, or the engine's classic builder where buildx is missing."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from deployer.adapters.docker.buildx import build_with_buildx
from deployer.adapters.docker.classic import build_with_engine
from deployer.adapters.docker.output import Output
from deployer.errors import ConfigurationError, UnreachableError
from deployer.events import Sink, WarningRaised
from deployer.execute.image_ports import BuildRequest, Registry
from deployer.masking import Masker


class DockerBuilder:
    """Builds and pushes images (the port `ImageBuilder`).

    `buildx` gives the path of the buildx binary, and raises ConfigurationError where there is none.
    """

    def __init__(self, buildx: Callable[[], Path], masker: Masker) -> None:
        self._buildx = buildx
        self._masker = masker

    def build_and_push(self, request: BuildRequest, registry: Registry, sink: Sink) -> str:
        """What the port says. When another run has pushed the tag meanwhile, its image is the one that counts."""
        self._refuse_secrets_in_arguments(request)
        self._masker.add(request.secrets.values())
        present = registry.digest(request.image)
        if present is not None:
            return present
        output = Output(sink, self._masker)
        try:
            buildx = self._buildx()
        except ConfigurationError as missing:
            if request.secrets:
                raise ConfigurationError(
                    "Docker.Secrets need BuildKit, and buildx is missing", why=str(missing), hint=missing.hint
                ) from missing
            if request.builder or request.cache.from_ or request.cache.to:
                raise ConfigurationError(
                    "Docker.Builder and Docker.Cache need BuildKit, and buildx is missing",
                    why=str(missing),
                    hint=missing.hint,
                ) from missing
            text = "buildx is missing: the image is built by the engine's classic builder"
            sink.emit(WarningRaised(text, hint=missing.hint or ""))
            build_with_engine(request, registry, output)
        else:
            build_with_buildx(buildx, request, registry, output)
        digest = registry.digest(request.image)
        if digest is None:
            raise UnreachableError(
                "the image was pushed, but the registry does not have it",
                where=request.image.reference,
                hint="run the same command again",
            )
        return digest

    def _refuse_secrets_in_arguments(self, request: BuildRequest) -> None:
        """Arguments of a build are arguments of a process, and are kept in the image's history."""
        search = self._masker.search()
        for name, value in request.args.items():
            if search is not None and search.spans(value):
                raise ConfigurationError(f"the build argument {name} holds a secret", hint="name it in Docker.Secrets")
