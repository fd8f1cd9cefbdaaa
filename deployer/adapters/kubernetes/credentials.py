"""Bearer tokens: where each comes from, how long it is kept, and that only one thread fetches it."""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Callable
from datetime import datetime

from deployer.adapters import process
from deployer.adapters.kubernetes.kubeconfig import Access, ExecPlugin
from deployer.errors import ConfigurationError, DeployError, UnreachableError
from deployer.masking.cutting import cut_between_words
from deployer.model import Secret

_PLUGIN_TIMEOUT = 60.0
_MARGIN = 60.0
"""Seconds before its end at which a token counts as expired: a request takes its time too."""

_UNDATED = 600.0
"""Seconds for which a token without a stated end is kept (EKS: 15 min, a rotated service account's: 1 h)."""


class Tokens:
    """Gives the token for the next request. Safe to use from threads.

    `fetch` gives a fresh token and the time at which it ends (None: unknown).
    """

    def __init__(self, fetch: Callable[[], tuple[Secret, datetime | None]]) -> None:
        self._fetch = fetch
        self._lock = threading.Lock()
        self._token: Secret | None = None
        self._until = 0.0

    def current(self) -> Secret:
        """A token that has not expired."""
        with self._lock:
            if self._token is None or time.time() >= self._until:
                self._renew()
            assert self._token is not None  # noqa: S101 (for the type checker)
            return self._token

    def after_refusal(self, refused: Secret) -> Secret:
        """A token other than the one that the server refused, as far as there is one."""
        with self._lock:
            if self._token is None or self._token == refused:
                self._renew()
            assert self._token is not None  # noqa: S101
            return self._token

    def _renew(self) -> None:
        self._token, end = self._fetch()
        self._until = end.timestamp() - _MARGIN if end else time.time() + _UNDATED


def tokens_of(access: Access) -> Tokens | None:
    """The tokens that a kubeconfig's user has; None when it uses a certificate or a password."""
    if access.plugin:
        plugin = access.plugin
        return Tokens(lambda: _run_plugin(plugin))
    if access.token_file:
        path = access.token_file

        def read() -> tuple[Secret, datetime | None]:
            try:
                return Secret(path.read_text(encoding="ascii").strip()), None
            except (OSError, UnicodeDecodeError) as error:
                why = error.strerror if isinstance(error, OSError) else "it is not a token"
                raise UnreachableError("the cluster's token file cannot be read", where=str(path), why=why) from error

        return Tokens(read)
    if access.token:
        token = access.token
        return Tokens(lambda: (token, None))
    return None


def _run_plugin(plugin: ExecPlugin) -> tuple[Secret, datetime | None]:
    name = os.path.basename(plugin.command)  # noqa: PTH119 (a command, maybe without a directory)
    request = {"kind": "ExecCredential", "apiVersion": plugin.api_version, "spec": {"interactive": False}}
    environment = {**os.environ, **plugin.environment, "KUBERNETES_EXEC_INFO": json.dumps(request)}
    try:
        result = process.run([plugin.command, *plugin.arguments], env=environment, timeout=_PLUGIN_TIMEOUT)
    except process.ExecutableMissing as error:
        raise ConfigurationError(
            f"{name}, which the kubeconfig names for logging in, cannot be run", why=error.why, hint=plugin.hint
        ) from error
    if not result.ok:
        last = result.stderr.decode("utf-8", "replace").strip().splitlines()[-1:]
        raise UnreachableError(
            f"{name} gave no token for the cluster", why=cut_between_words(last[0], 500) if last else None
        )
    return _credential(name, result.stdout)


def _credential(name: str, output: bytes) -> tuple[Secret, datetime | None]:
    """Reads an ExecCredential (https://kubernetes.io/docs/reference/config-api/client-authentication.v1/)."""
    try:
        status = json.loads(output)["status"]
        token = status.get("token")
        end = status.get("expirationTimestamp")
        until = datetime.fromisoformat(end) if end else None
    except (ValueError, KeyError, TypeError, AttributeError):
        raise _not_a_credential(name, "its output is not an ExecCredential") from None
    if not isinstance(token, str) or not token:
        raise _not_a_credential(name, "its output has no token (certificates are not supported)")
    return Secret(token), until


def _not_a_credential(name: str, why: str) -> DeployError:
    return ConfigurationError(f"{name} gave no token for the cluster", why=why)
