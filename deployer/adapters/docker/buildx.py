"""Builds and pushes an image with `buildx build`."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from deployer.adapters import process
from deployer.adapters.docker.credentials import Login, own_login, private_configuration, user_directory
from deployer.adapters.docker.failures import build_failure, builder_failure, error_in, is_taken, why_no_cache
from deployer.adapters.docker.output import Output
from deployer.errors import DeployError
from deployer.execute.image_ports import BuildRequest, Registry
from deployer.model import DockerCache, Secret

# Nothing else of our environment is for Docker: it may hold tokens.
_PASSED_ON = (
    "HOME",
    "LANG",
    "LC_ALL",
    "PATH",
    "SSH_AUTH_SOCK",
    "TMPDIR",
    "USER",
    "XDG_RUNTIME_DIR",
    "SOURCE_DATE_EPOCH",
)
_PASSED_ON_PREFIXES = ("DOCKER_", "BUILDX_", "BUILDKIT_", "SSL_CERT_")
# Where the credentials of clusters and clouds are, for builders in a cluster; never the credentials themselves.
_OF_BUILDERS = (
    "KUBECONFIG",
    "AWS_PROFILE",
    "AWS_CONFIG_FILE",
    "AWS_SHARED_CREDENTIALS_FILE",
    "AWS_REGION",
    "AWS_DEFAULT_REGION",
    "AWS_ROLE_ARN",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
)
_PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "ALL_PROXY")


def build_with_buildx(buildx: Path, request: BuildRequest, registry: Registry, output: Output) -> None:
    """Build and push; secrets reach buildx through memory only. Raises a DeployError, with the end of the log.

    A tag that turns out to be there already, and cannot be moved, is no failure: the caller asks what it is.
    """
    failures: list[DeployError] = []

    def find(host: str) -> Login:
        if host != request.image.registry:
            return own_login(host)
        try:
            user, password = registry.credentials()
        except DeployError as error:
            failures.append(error)
            return {}
        return {"Username": user, "Secret": password.reveal()}

    with ExitStack() as stack:
        configuration = stack.enter_context(private_configuration(find))
        secrets = {name: stack.enter_context(_in_memory(secret)) for name, secret in request.secrets.items()}
        running = process.Stream(
            arguments(buildx, request, secrets),
            env=environment(os.environ, configuration, request.builder),
            pass_fds=tuple(secrets.values()),
        )
        with stack.enter_context(running):
            for batch in running.batches():
                output.write("".join(f"{line.text}\n" for line in batch))
        output.end()
        if running.returncode and not is_taken(error_in(tuple(output.lines))):
            raise failures[0] if failures else _failure(request, tuple(output.lines))
        if why := why_no_cache(tuple(output.lines)):
            hint = f"see that the repository of {request.cache.to} exists, and that its tags can be overwritten"
            output.warn(f"the build cache was not written: {why}", hint)


def _failure(request: BuildRequest, lines: Sequence[str]) -> DeployError:
    if request.builder and (failure := builder_failure(request.builder, known_builders(os.environ), lines)):
        return failure
    dockerfile = (request.context / "Dockerfile").read_text("utf-8", "replace")
    return build_failure(request.image, lines, dockerfile)


def arguments(buildx: Path, request: BuildRequest, secrets: Mapping[str, int]) -> Sequence[str]:
    """The command line; `secrets` are ids with the file descriptors that hold them."""
    return [
        os.fspath(buildx),
        "build",
        "--progress=plain",
        "--push",
        *([f"--builder={request.builder}"] if request.builder else []),
        f"--tag={request.image.reference}",
        *([f"--platform={','.join(request.platforms)}"] if request.platforms else []),
        *(f"--build-arg={name}={value}" for name, value in sorted(request.args.items())),
        *(f"--secret=id={name},src=/proc/self/fd/{descriptor}" for name, descriptor in sorted(secrets.items())),
        *_cache(request.cache),
        *(["--no-cache", "--pull"] if request.no_cache else []),
        os.fspath(request.context),
    ]


def _cache(cache: DockerCache) -> Iterator[str]:
    """See https://docs.docker.com/build/cache/backends/registry/. A cache that cannot be written fails no build."""
    for reference in cache.from_:
        yield f"--cache-from=type=registry,ref={reference}"
    if cache.to == "inline":
        yield "--cache-to=type=inline"
    elif cache.to:
        # ECR takes a cache only as an image of its own.
        kind = "mode=max,image-manifest=true,oci-mediatypes=true,ignore-error=true"
        yield f"--cache-to=type=registry,ref={cache.to},{kind}"


def known_builders(own: Mapping[str, str]) -> list[str]:
    """The names of the builders that this user's buildx knows, its own one of the engine apart."""
    directory = Path(own.get("BUILDX_CONFIG") or user_directory() / "buildx") / "instances"
    try:
        return sorted(path.name for path in directory.iterdir() if path.is_file())
    except OSError:
        return []


def environment(own: Mapping[str, str], configuration: Path, builder: str | None = None) -> dict[str, str]:
    """What buildx gets of our environment, with the private configuration in the place of the user's.

    `builder` is the one that is asked for, if any.
    """
    passed = {
        name: value
        for name, value in own.items()
        if name in _PASSED_ON or name.startswith(_PASSED_ON_PREFIXES) or name.upper() in _PROXIES
    }
    if builder is not None:
        passed |= {name: own[name] for name in _OF_BUILDERS if name in own}
    passed["PATH"] = f"{configuration}:{own.get('PATH', os.defpath)}"
    if (builder is not None or "BUILDX_BUILDER" in own) and "BUILDX_CONFIG" not in own:
        passed["BUILDX_CONFIG"] = os.fspath(user_directory() / "buildx")  # the builder is known there alone
    passed["DOCKER_CONFIG"] = os.fspath(configuration)
    return passed


@contextmanager
def _in_memory(secret: Secret) -> Iterator[int]:
    """A file descriptor of a file that is nowhere but in memory."""
    descriptor = os.memfd_create("secret", os.MFD_CLOEXEC)
    try:
        with open(descriptor, "wb", closefd=False) as file:
            file.write(secret.reveal().encode())
        yield descriptor
    finally:
        os.close(descriptor)
