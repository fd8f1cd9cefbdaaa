"""Builds and pushes an image with the engine's classic builder, over Docker's own API."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from deployer.adapters.docker.failures import build_failure, engine_failure, is_taken, push_failure
from deployer.adapters.docker.output import Output
from deployer.errors import ConfigurationError, DeployError
from deployer.execute.image_ports import BuildRequest, Registry
from deployer.model import Image

_TIMEOUT = 3600


def build_with_engine(request: BuildRequest, registry: Registry, output: Output) -> None:
    """Build and push. Raises a DeployError, with the end of the log; a tag that is there already is no failure."""
    if len(request.platforms) > 1:
        raise ConfigurationError(
            "the classic builder cannot build for several platforms", hint="install buildx: `deploy doctor` says how"
        )
    dockerfile = (request.context / "Dockerfile").read_text("utf-8", "replace")
    with _engine(request.image, output, dockerfile) as client, _packed(request.context) as context:
        user, password = registry.credentials()
        login = {"username": user, "password": password.reveal()}
        # For FROM; kept in this client's memory alone.
        client._auth_configs.add_auth(request.image.registry, {**login, "serveraddress": request.image.registry})
        for chunk in client.build(
            fileobj=context,
            custom_context=True,
            tag=request.image.reference,
            buildargs=dict(request.args),
            platform=request.platforms[0] if request.platforms else None,
            nocache=request.no_cache,
            pull=request.no_cache,
            rm=True,
            forcerm=True,
            decode=True,
        ):
            _show(chunk, "build", output)
            if "error" in chunk:
                output.end()
                error = f"ERROR: {output.mask(str(chunk['error']))}"
                raise build_failure(request.image, (*output.lines, error), dockerfile)
        _push(client, request.image, login, output)
    output.end()


def _packed(context: Path) -> Any:
    """All of the context as a tar file: what `.dockerignore` leaves out is not there any more, and docker-py, which
    would read it again, reads it differently."""
    from docker.utils import tar

    return tar(context)


def _push(client: Any, image: Image, login: dict[str, str], output: Output) -> None:
    repository = f"{image.registry}/{image.repository}"
    chunks: Iterable[Any] = client.push(repository, image.tag, stream=True, decode=True, auth_config=login)
    for chunk in chunks:  # a push that fails says so here, and raises nothing
        _show(chunk, "push", output)
        if "error" in chunk:
            message = output.mask(str(chunk["error"]))
            if is_taken(message):
                return
            raise push_failure(image, message)


def _show(chunk: dict[str, Any], name: str, output: Output) -> None:
    if "stream" in chunk:
        output.write(str(chunk["stream"]), name)
    elif "status" in chunk and "progress" not in chunk:
        output.write(f"{chunk.get('id', '')} {chunk['status']}".strip() + "\n", name)


@contextmanager
def _engine(image: Image, output: Output, dockerfile: str) -> Iterator[Any]:
    """The engine that DOCKER_HOST or the current context names."""
    import docker
    import requests
    from docker.utils import kwargs_from_env

    try:
        context = None if os.environ.get("DOCKER_HOST") else docker.ContextAPI.get_current_context()
        if context is not None and context.Name != "default":
            client = docker.APIClient(context.Host, version="auto", tls=context.TLSConfig or False, timeout=_TIMEOUT)
        else:
            client = docker.APIClient(version="auto", timeout=_TIMEOUT, **kwargs_from_env())
        try:
            yield client
        finally:
            client.close()
    except DeployError:
        raise
    except (docker.errors.DockerException, requests.RequestException, OSError) as error:
        message = output.mask(str(getattr(error, "explanation", None) or error))
        if found := engine_failure(message):
            raise found from error
        raise build_failure(image, (*output.lines, f"ERROR: {message}"), dockerfile) from error
