"""The `Docker` part of an app: how its image is made."""

from __future__ import annotations

import re
from typing import Any

from deployer.config import formats
from deployer.config.evaluation import Evaluator
from deployer.config.lazy import Omitted
from deployer.config.nodes import Path, locate, show_path
from deployer.config.validation import show_value, validate
from deployer.errors import ConfigurationError, raise_all
from deployer.model import DockerSpec, Image
from deployer.model.basics import FROM_ENVIRONMENT

_PATH: Path = ("Docker",)
_IN_THE_IMAGE = ("Dockerfile", "Files", "Args")
_FILE_NAME = "dest"
_IN_ARGUMENTS = ("Builder", "Platforms", "Cache")
DEFAULTS = frozenset(_IN_ARGUMENTS)
"""What of it may also stand in group_vars, for all apps that have a Docker part."""

INLINE = "inline"
_SHA256 = re.compile(r"[0-9a-fA-F]{64}\Z")
_PLATFORM = re.compile(r"[a-z0-9_]+/[a-z0-9_]+(/[a-z0-9_]+)?\Z")
_ARGUMENT = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")
_SECRET_ID = re.compile(r"[A-Za-z0-9_.-]+\Z")
_BUILDER = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*\Z")
_REFERENCE = re.compile(r"[a-z0-9.:/_-]+:[A-Za-z0-9_][A-Za-z0-9._-]{0,127}\Z")


def evaluate(evaluator: Evaluator) -> DockerSpec | None:
    """The Docker part, without secrets in what becomes part of the image. Raises every error that it finds."""
    root = evaluator.root
    failed: list[ConfigurationError] = []
    secrets: dict[Path, frozenset[str]] = {}
    values = evaluator.plain(root.entries["Docker"].value, _PATH, failed, secrets)
    if isinstance(values, Omitted):
        return None
    raise_all([*failed, *_in_the_open(root, secrets)])
    spec = validate(DockerSpec, _spelt_out(values), root, _PATH, secrets)
    faults = [*_faults(spec), *_faults_of_building(spec, _registry(evaluator))]
    raise_all([ConfigurationError(what, where=locate(root, (*_PATH, *path))) for path, what in faults])
    return spec


def refuse_secrets(secrets: frozenset[str] | set[str], what: str, where: Any) -> ConfigurationError:
    """The error for a secret in a text that becomes part of the image."""
    outside = all(name.startswith(FROM_ENVIRONMENT) for name in secrets)
    return ConfigurationError(
        f"{what} holds {'what may be a secret' if outside else 'a secret'}",
        where=where,
        why=f"{', '.join(sorted(secrets)[:3])} would be readable by everybody who can pull the image",
        hint="if it is none, give it on the command line: --version VERSION, or -e KEY=VALUE"
        if outside
        else "give it to the container's env in Helm; for the build itself use Docker.Secrets "
        "(RUN --mount=type=secret); what is no secret belongs in a plain layer of group_vars",
    )


def _in_the_open(root: Any, secrets: dict[Path, frozenset[str]]) -> list[ConfigurationError]:
    errors = []
    for path, used in secrets.items():
        if len(path) == 1 or path[1] in _IN_THE_IMAGE or path[-1] == _FILE_NAME:
            errors.append(refuse_secrets(used, show_path(path), locate(root, path)))
        elif path[1] in _IN_ARGUMENTS:
            errors.append(
                ConfigurationError(
                    f"{show_path(path)} holds a secret",
                    where=locate(root, path),
                    why=f"{', '.join(sorted(used)[:3])} would be readable in the arguments of a process",
                    hint="builders and registries log in with credentials of their own; name them in a plain layer",
                )
            )
    return errors


def _spelt_out(values: Any) -> Any:
    """The short spellings written out: a file that is only its text, an argument that is a number or boolean."""
    if not isinstance(values, dict):
        return values
    result = dict(values)
    files, arguments = values.get("Files"), values.get("Args")
    if isinstance(files, dict):
        result["Files"] = {path: {"Content": file} if isinstance(file, str) else file for path, file in files.items()}
    if isinstance(arguments, dict):
        result["Args"] = {name: _argument(value) for name, value in arguments.items()}
    return result


def _argument(value: Any) -> Any:
    if isinstance(value, bool):
        return str(value).lower()
    return str(value) if isinstance(value, int) else value


def _faults(spec: DockerSpec) -> list[tuple[Path, str]]:
    faults: list[tuple[Path, str]] = []
    if not spec.dockerfile.strip():
        faults.append((("Dockerfile",), "Docker.Dockerfile is empty"))
    for index, download in enumerate(spec.download):
        path: Path = ("Download", index)
        if not download.src.strip():
            faults.append(((*path, "src"), f"Docker.Download[{index}].src is empty"))
        if download.dest is not None and not formats.is_inside(download.dest):
            faults.append(((*path, "dest"), _outside(show_path((*_PATH, *path, "dest")), download.dest)))
        if download.sha256 is not None and not _SHA256.match(download.sha256):
            faults.append(((*path, "sha256"), f"Docker.Download[{index}].sha256 must be 64 hexadecimal digits"))
    for name in spec.files:
        if not formats.is_inside(name):
            faults.append((("Files", name), _outside("Docker.Files", name)))
        elif name == "Dockerfile":
            faults.append((("Files", name), "the Dockerfile is given twice, as Docker.Dockerfile and in Docker.Files"))
    for key, names, pattern in (
        ("Args", spec.args, _ARGUMENT),
        ("Secrets", spec.secrets, _SECRET_ID),
    ):
        faults += [((key, name), f"{name!r} is no name for Docker.{key}") for name in names if not pattern.match(name)]
    for index, platform in enumerate(spec.platforms):
        if not _PLATFORM.match(platform):
            what = f"Docker.Platforms[{index}] must be OS/ARCHITECTURE such as linux/amd64, not {show_value(platform)}"
            faults.append((("Platforms", index), what))
    return faults


def _registry(evaluator: Evaluator) -> str | None:
    """The host of AwsEcrPrefix, None where that is missing or wrong, which is told elsewhere."""
    entry = evaluator.root.entries.get("AwsEcrPrefix")
    if entry is None:
        return None
    try:
        prefix = evaluator.plain(entry.value, ("AwsEcrPrefix",))
    except ConfigurationError:
        return None
    return prefix.partition("/")[0] if isinstance(prefix, str) else None


def _faults_of_building(spec: DockerSpec, registry: str | None) -> list[tuple[Path, str]]:
    faults: list[tuple[Path, str]] = []
    if spec.builder is not None and not _BUILDER.match(spec.builder):
        faults.append((("Builder",), "Docker.Builder must be the name of a builder, as `docker buildx ls` shows it"))
    caches: list[tuple[Path, str]] = [(("Cache", "From", index), ref) for index, ref in enumerate(spec.cache.from_)]
    if spec.cache.to is not None and spec.cache.to != INLINE:
        caches.append((("Cache", "To"), spec.cache.to))
    for path, reference in caches:
        name, image = show_path((*_PATH, *path)), Image.parse(reference)
        if image is None or not _REFERENCE.match(reference):
            or_inline = f", or {INLINE}" if path[-1] == "To" else ""
            what = f"{name} must be an image, HOST/REPOSITORY:TAG{or_inline}; it is {show_value(reference)}"
            faults.append((path, what))
        elif registry is not None and image.registry != registry:
            what = f"{name} must be in {registry}, the registry of AwsEcrPrefix, whose login the builder is given"
            faults.append((path, what))
    return faults


def _outside(what: str, path: str) -> str:
    return f"{what} must be a relative path inside the Docker context, not {path!r}"
