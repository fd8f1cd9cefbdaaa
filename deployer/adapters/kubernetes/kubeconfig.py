"""Kubeconfig: which server, whom to trust, and as whom to ask.

The format is https://kubernetes.io/docs/reference/config-api/kubeconfig.v1/. Keys and certificates stay in memory.
"""

from __future__ import annotations

import base64
import binascii
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deployer.errors import ConfigurationError
from deployer.model import Json, Secret

Kubeconfig = Path | Mapping[str, Any]
"""A kubeconfig file, or the content of one."""


@dataclass(frozen=True)
class ExecPlugin:
    """A program that prints an ExecCredential. `environment` is added to ours."""

    command: str
    arguments: tuple[str, ...]
    environment: Mapping[str, str]
    api_version: str
    hint: str | None = None


@dataclass(frozen=True)
class Access:
    """One context of a kubeconfig, its files read (but for `token_file`, which is rotated)."""

    context: str
    server: str
    origin: str
    authority: str | None = None
    insecure: bool = False
    server_name: str | None = None
    proxy: str | None = None
    certificate: bytes | None = None
    key: Secret | None = None
    token: Secret | None = None
    token_file: Path | None = None
    username: str | None = None
    password: Secret | None = None
    plugin: ExecPlugin | None = None


def read_access(kubeconfig: Kubeconfig | None, context: str | None) -> Access:
    """The access that a context grants (None: the current context).

    Without a kubeconfig, the files that KUBECONFIG names are merged as kubectl merges them (the first to name a thing
    wins), or `~/.kube/config` is read.

    Raises ConfigurationError when a file cannot be read or does not say enough.
    """
    match kubeconfig:
        case None:
            named = [Path(part) for part in os.environ.get("KUBECONFIG", "").split(os.pathsep) if part]
            existing = [path for path in named if path.exists()] or named[:1]
            paths: Sequence[Path] = existing or [Path("~/.kube/config").expanduser()]
            documents = [(str(path), path.parent, _load(path)) for path in paths]
        case Path():
            documents = [(str(kubeconfig), kubeconfig.parent, _load(kubeconfig))]
        case _:
            documents = [("kubeconfig", Path(), dict(kubeconfig))]
    return _Reader(documents).access(context)


def _load(path: Path) -> Json:
    import yaml

    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        content = yaml.load(path.read_bytes(), Loader=loader)  # noqa: S506 (a safe loader)
    except OSError as error:
        raise ConfigurationError(
            "the kubeconfig cannot be read",
            where=str(path),
            why=error.strerror,
            hint="group_vars name it as Cluster.Kubeconfig; without that, KUBECONFIG or ~/.kube/config is read",
        ) from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        # A YAML error quotes the line, which may hold a token.
        mark = getattr(error, "problem_mark", None)
        place = f"{path}:{mark.line + 1}" if mark else str(path)
        raise ConfigurationError("the kubeconfig is not YAML", where=place) from None
    if not isinstance(content, dict):
        raise ConfigurationError("the kubeconfig is not a mapping", where=str(path))
    return content


class _Reader:
    def __init__(self, documents: Sequence[tuple[str, Path, Json]]) -> None:
        self._documents = documents
        self._origin = documents[0][0]

    def access(self, context: str | None) -> Access:
        current = (document.get("current-context") for _, _, document in self._documents)
        name = context or next((each for each in current if each), None)
        if not name:
            raise ConfigurationError(
                "the kubeconfig has no current context", where=self._origin, hint="name one as Cluster.Context"
            )
        chosen, _ = self._named("context", str(name))
        cluster, cluster_directory = self._named("cluster", self._text(chosen, "cluster", f"context {name}"))
        user, user_directory = (
            self._named("user", self._text(chosen, "user", f"context {name}")) if chosen.get("user") else ({}, Path())
        )
        authority = self._content(cluster, "certificate-authority", cluster_directory)
        key = self._content(user, "client-key", user_directory)
        token_file = user.get("tokenFile")
        return Access(
            context=str(name),
            server=self._text(cluster, "server", f"the cluster of context {name}").rstrip("/"),
            origin=self._origin,
            authority=authority.decode("utf-8", "replace") if authority else None,
            insecure=cluster.get("insecure-skip-tls-verify") is True,
            server_name=cluster.get("tls-server-name"),
            proxy=cluster.get("proxy-url"),
            certificate=self._content(user, "client-certificate", user_directory),
            key=Secret(key.decode("utf-8", "replace")) if key else None,
            token=Secret(str(user["token"])) if user.get("token") else None,
            token_file=user_directory / str(token_file) if token_file else None,
            username=user.get("username"),
            password=Secret(str(user["password"])) if user.get("password") else None,
            plugin=self._plugin(user, user_directory),
        )

    def _named(self, kind: str, name: str) -> tuple[Json, Path]:
        known = []
        for _, directory, document in self._documents:
            entries = document.get(f"{kind}s")
            for entry in entries if isinstance(entries, list) else ():
                if not isinstance(entry, dict):
                    continue
                known.append(str(entry.get("name")))
                if entry.get("name") == name and isinstance(entry.get(kind), dict):
                    return entry[kind], directory
        listing = ", ".join(sorted(known)) or "none"
        raise ConfigurationError(f"the kubeconfig has no {kind} {name}", where=self._origin, hint=f"it has: {listing}")

    def _text(self, mapping: Json, key: str, owner: str) -> str:
        value = mapping.get(key)
        if not isinstance(value, str) or not value:
            raise ConfigurationError(f"{owner} has no {key}", where=self._origin)
        return value

    def _content(self, mapping: Json, key: str, directory: Path) -> bytes | None:
        """The value of `KEY-data` (base64), or of the file that `KEY` names."""
        if data := mapping.get(f"{key}-data"):
            try:
                return base64.b64decode(data, validate=True)
            except (binascii.Error, ValueError, TypeError):
                raise ConfigurationError(f"{key}-data is not base64", where=self._origin) from None
        if not (name := mapping.get(key)):
            return None
        path = directory / str(name)
        try:
            return path.read_bytes()
        except OSError as error:
            raise ConfigurationError(f"{key} cannot be read", where=str(path), why=error.strerror) from error

    def _plugin(self, user: Json, directory: Path) -> ExecPlugin | None:
        exec_ = user.get("exec")
        if not isinstance(exec_, dict):
            if user.get("auth-provider"):
                raise ConfigurationError(
                    "the kubeconfig's user has an auth-provider, which Kubernetes 1.26 removed",
                    where=self._origin,
                    hint="make it anew, e.g. with `aws eks update-kubeconfig`",
                )
            return None
        command = self._text(exec_, "command", "the user's exec")
        if os.sep in command:  # relative to the kubeconfig; a bare name is looked up on PATH
            command = str(directory / command)
        variables = exec_.get("env") or ()
        return ExecPlugin(
            command=command,
            arguments=tuple(str(argument) for argument in exec_.get("args") or ()),
            environment={str(variable["name"]): str(variable["value"]) for variable in variables},
            api_version=str(exec_.get("apiVersion") or "client.authentication.k8s.io/v1"),
            hint=exec_.get("installHint"),
        )
