"""An app: what its file says for one target, its manifests apart."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

from deployer.errors import Location
from deployer.model.basics import STRICT, Secret
from deployer.model.hooks import Hooks
from deployer.model.settings import HealthCheckSettings


@dataclass(frozen=True)
class Download:
    """One artefact of the Docker context.

    `Src`: `s3://bucket/key[?versionId=…]`, `http(s)://…`, `github://owner/repo/releases/TAG/ASSET`,
    `github://owner/repo/archive/REF.tar.gz`, or a path in the deployment repository. `Dest`: the path in the context
    (default: the last part of `Src`; with `Unpack`, the directory to unpack into, default the context itself).
    """

    __pydantic_config__: ClassVar[Any] = {**STRICT, "alias_generator": str.lower}
    src: str
    dest: str | None = None
    sha256: str | None = None
    unpack: bool = False


@dataclass(frozen=True)
class InlineFile:
    """A file of the Docker context that stands in the app file itself."""

    __pydantic_config__: ClassVar[Any] = STRICT
    content: str
    executable: bool = False


@dataclass(frozen=True)
class DockerCache:
    """What builders share of what they have built: images of a registry (`HOST/REPOSITORY:TAG`) that hold the layers.

    `From` are read, `To` is written; with `inline` the image itself holds the cache of its last stage.
    """

    __pydantic_config__: ClassVar[Any] = STRICT
    from_: tuple[str, ...] = ()
    to: str | None = None


@dataclass(frozen=True)
class DockerSpec:
    """How the app's image is made. `Files`: path in the context → text, or `{Content, Executable}`.

    `Args` are build arguments (part of the content hash); `Secrets` are BuildKit secrets (id → value, not part of it).
    `Platforms`: one image for each, under one tag. `Builder` is a builder of buildx (`docker buildx ls`).
    """

    __pydantic_config__: ClassVar[Any] = STRICT
    dockerfile: str
    download: tuple[Download, ...] = ()
    files: Mapping[str, InlineFile] = field(default_factory=dict)
    args: Mapping[str, str] = field(default_factory=dict)
    secrets: Mapping[str, Secret] = field(default_factory=dict)
    platforms: tuple[str, ...] = ()
    builder: str | None = None
    cache: DockerCache = field(default_factory=DockerCache)


@dataclass(frozen=True)
class App:
    """An app file as it reads for one target, all but its manifests (which need the image) evaluated.

    `context_directory` is `apps/NAME/` where it exists; its `*.j2` files are rendered into the Docker context.
    `image_name` is what its images are called where that is not `app_name`: a branch's are the app's.
    `docker_place` is where the Docker part stands, for errors: an app is the same wherever it does.
    """

    name: str
    app_name: str
    environments: tuple[str, ...]
    version: str | None = None
    tag: str | None = None
    sub_domain: str | None = None
    docker: DockerSpec | None = None
    slack_channel: str | None = None
    health_check: HealthCheckSettings | None = None
    hooks: Hooks | None = None
    context_directory: Path | None = None
    image_name: str | None = None
    docker_place: Location | None = field(default=None, compare=False)

    @property
    def repository(self) -> str:
        """What images of the app are called below `AwsEcrPrefix`."""
        return self.image_name or self.app_name
