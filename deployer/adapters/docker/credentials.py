"""Docker's logins for one build: a private configuration directory, and a helper that asks us for the credentials.

No credential is written to disk, into arguments or into the environment: Docker runs the helper, which asks us over a
socket in a directory that only this user can enter.
"""

from __future__ import annotations

import contextlib
import json
import os
import shlex
import socket
import struct
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from deployer.adapters.docker import credential_client
from deployer.errors import DeployError

_STORE = "deployer"
_LONGEST_NAME = 4096
_SHORT = "/tmp"  # noqa: S108 -- for a directory that only we may enter
_LONGEST_DIRECTORY = 90
"""Bytes: a socket's path may have 107, or 103 on macOS (unix(7), unix(4))."""

Login = dict[str, str]
"""`Username` and `Secret`, as a credential helper gives them; empty when there is none."""


@contextmanager
def private_configuration(find: Callable[[str], Login]) -> Iterator[Path]:
    """A Docker configuration directory whose only source of credentials is `find`, told a registry's host.

    It also holds the helper's program, so it must be on the PATH of the Docker command. What the user's own
    configuration says about contexts and proxies holds in it as well. It is removed when the block is left.
    Raises DeployError when it cannot be made.
    """
    base = os.environ.get("XDG_RUNTIME_DIR")
    parent = base if base and os.access(base, os.W_OK) else None
    with ExitStack() as stack:
        try:
            directory = _private_directory(stack, parent)
            path = stack.enter_context(_answering(directory, find))
            _fill(directory, path)
        except OSError as error:
            raise DeployError(
                "Docker's private configuration cannot be written",
                where=parent or tempfile.gettempdir(),
                why=error.strerror or str(error),
                hint="free some space there, or set TMPDIR to another directory",
            ) from error
        yield directory


def _private_directory(stack: ExitStack, parent: str | None) -> Path:
    """A directory in which a socket's path is not too long for the system."""
    for place in (parent, _SHORT):
        name = stack.enter_context(tempfile.TemporaryDirectory(prefix="deployer-docker-", dir=place))
        if len(os.fsencode(name)) <= _LONGEST_DIRECTORY:
            break
    return Path(name)


def _fill(directory: Path, socket_path: Path) -> None:
    helper = directory / f"docker-credential-{_STORE}"
    program = shlex.join([sys.executable, "-IS", credential_client.__file__, os.fspath(socket_path)])
    helper.write_text(f'#!/bin/sh\nexec {program} "$1"\n')
    helper.chmod(0o700)
    own = user_directory()
    configuration = {"credsStore": _STORE, **_harmless(own)}
    (directory / "config.json").write_text(json.dumps(configuration))
    if (own / "contexts").is_dir():
        (directory / "contexts").symlink_to(own / "contexts")


def user_directory() -> Path:
    """The user's own Docker configuration directory."""
    return Path(os.environ.get("DOCKER_CONFIG") or Path.home() / ".docker")


def own_login(host: str) -> Login:
    """What the user's own Docker configuration has for a registry: for base images, which may come from anywhere."""
    from docker.auth import load_config
    from docker.errors import DockerException

    try:
        found = load_config().resolve_authconfig(host) or {}
    except (DockerException, OSError, ValueError):
        return {}
    if token := found.get("IdentityToken") or found.get("identitytoken"):
        return {"Username": "<token>", "Secret": token}
    user = found.get("Username") or found.get("username")
    password = found.get("Password") or found.get("password")
    return {"Username": user, "Secret": password} if user and password else {}


def _harmless(own: Path) -> dict[str, Any]:
    """What of the user's configuration is needed, and holds no credentials."""
    try:
        known = json.loads((own / "config.json").read_bytes())
        kept = {key: known[key] for key in ("currentContext", "proxies") if key in known}
    except (OSError, ValueError, TypeError):
        return {}
    if "@" in json.dumps(kept.get("proxies", "")):
        del kept["proxies"]
    return kept


@contextmanager
def _answering(directory: Path, find: Callable[[str], Login]) -> Iterator[Path]:
    """Answer questions at a socket in the directory while the block runs; its path."""
    path = directory / "socket"
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as server:
        server.bind(os.fspath(path))
        server.listen(8)
        thread = threading.Thread(target=_serve, args=(server, find), name="docker-credentials", daemon=True)
        thread.start()
        try:
            yield path
        finally:
            with contextlib.suppress(OSError):
                server.shutdown(socket.SHUT_RDWR)
            thread.join(5.0)


def _serve(server: socket.socket, find: Callable[[str], Login]) -> None:
    while True:
        try:
            connection, _ = server.accept()
        except OSError:
            return
        with connection, contextlib.suppress(OSError, ValueError):
            connection.settimeout(10.0)
            _, user, _ = struct.unpack("3i", connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
            if user != os.getuid():
                continue
            with connection.makefile("rb") as question:
                address = question.readline(_LONGEST_NAME).decode().strip()
            connection.sendall(json.dumps(find(_host(address))).encode())


def _host(address: str) -> str:
    """`https://host:port/v1/` or `host:port` → `host:port`."""
    return urlsplit(address).netloc if "://" in address else address.partition("/")[0]
