"""HTTP to one API server: TLS, credentials, timeouts, retries. Imported only where a request is made."""

from __future__ import annotations

import json
import os
import random
import re
import ssl
import time
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import datetime
from ipaddress import ip_address
from typing import Any

import httpx2

from deployer.adapters.kubernetes.credentials import Tokens, tokens_of
from deployer.adapters.kubernetes.kubeconfig import Access
from deployer.adapters.kubernetes.server_clock import ServerClock
from deployer.errors import ConfigurationError, UnreachableError
from deployer.model import Json

_ATTEMPTS = 4
_LONGEST_PAUSE = 5.0
_RETRIED = frozenset({429, 500, 502, 503, 504})


class Connection:
    """Sends requests to the API server that `access` names. Safe to use from threads; they share its connections.

    `timeout` is in seconds and counts for every wait for the server, not for the whole of a request.
    """

    def __init__(
        self,
        access: Access,
        *,
        timeout: float,
        tokens: Tokens | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.server = access.server
        self._access = access
        self._sleep = sleep
        self._clock = ServerClock()
        self._extensions = {"sni_hostname": access.server_name} if access.server_name else {}
        self._auth = _authentication(access, tokens or tokens_of(access))
        try:
            self._client = httpx2.Client(
                base_url=access.server,
                verify=_trust(access),
                auth=self._auth,
                proxy=access.proxy,
                trust_env=not _is_this_machine(access.server),
                timeout=httpx2.Timeout(timeout, connect=min(timeout, 5.0)),
                # Idle connections outlive the seconds for which we watch pods between two questions.
                limits=httpx2.Limits(max_connections=32, max_keepalive_connections=32, keepalive_expiry=60.0),
                headers={"Accept": "application/json", "User-Agent": "deployer"},
            )
        except (ValueError, httpx2.InvalidURL) as error:
            raise ConfigurationError(
                "the cluster's address is not a URL", where=access.origin, why=str(error)
            ) from None

    def request(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: Json | list[Json] | None = None,
        content_type: str = "application/json",
        timeout: float | None = None,
    ) -> httpx2.Response:
        """The server's answer, whatever its status. Every request that we make may be repeated without harm.

        With a `timeout` of its own (seconds) it is sent once only.

        Raises UnreachableError when there is no answer, or when the answer is 401.
        """
        arguments: dict[str, Any] = {"params": dict(query or {}), "extensions": self._extensions}
        if body is not None:
            arguments |= {"content": _json(body), "headers": {"Content-Type": content_type}}
        attempts = _ATTEMPTS
        if timeout is not None:
            arguments["timeout"], attempts = timeout, 1
        for attempt in range(1, attempts + 1):
            try:
                response = self._client.request(method, path, **arguments)
            except (httpx2.TransportError, httpx2.InvalidURL) as error:
                if attempt == attempts or not _may_pass(error):
                    raise self._no_answer(error) from error
                self._pause(attempt)
                continue
            self._clock.hear(response.headers.get("Date"))
            if response.status_code not in _RETRIED or attempt == attempts:
                break
            self._pause(attempt, response)
        if response.status_code == 401:
            raise UnreachableError(
                "the cluster does not accept our credentials",
                where=self._access.server,
                hint=f"log in again, or look at the user of context {self._access.context} in {self._access.origin}",
            )
        return response

    def server_clock(self) -> datetime | None:
        """The time by the server's clock, within about a second; None as long as it has not told."""
        return self._clock.now()

    @contextmanager
    def stream(self, path: str, query: Mapping[str, str]) -> Iterator[httpx2.Response]:
        """An answer whose body is read piece by piece."""
        try:
            with self._client.stream("GET", path, params=dict(query), extensions=self._extensions) as response:
                yield response
        except httpx2.TransportError as error:
            raise self._no_answer(error) from error

    def close(self) -> None:
        """Close all connections."""
        self._client.close()

    def _pause(self, attempt: int, response: httpx2.Response | None = None) -> None:
        pause = 0.2 * 2**attempt * random.uniform(0.5, 1.0)  # noqa: S311 (spreads clients, keeps no secret)
        if response is not None:
            with suppress(ValueError, KeyError):
                pause = max(pause, float(response.headers["Retry-After"]))
        self._sleep(min(pause, _LONGEST_PAUSE))

    def _no_answer(self, error: Exception) -> UnreachableError:
        text = str(error) or type(error).__name__
        hint = f"is the address in {self._access.origin} right, and the cluster up and reachable from here?"
        if "CERTIFICATE_VERIFY_FAILED" in text:
            hint = f"the certificate-authority in {self._access.origin} does not fit the cluster: was it made anew?"
        return UnreachableError("the cluster does not answer", where=self._access.server, why=text, hint=hint)


class _TokenAuth(httpx2.Auth):
    """Adds the bearer token, and tries once more with a new one when it is refused."""

    def __init__(self, tokens: Tokens) -> None:
        self._tokens = tokens

    def auth_flow(self, request: httpx2.Request) -> Generator[httpx2.Request, httpx2.Response, None]:
        token = self._tokens.current()
        request.headers["Authorization"] = f"Bearer {token.reveal()}"
        response = yield request
        if response.status_code != 401:
            return
        fresh = self._tokens.after_refusal(token)
        if fresh != token:
            request.headers["Authorization"] = f"Bearer {fresh.reveal()}"
            yield request


def _is_this_machine(server: str) -> bool:
    """Whether the server is on loopback, which no proxy can reach for us; kubectl and Helm leave it out as well."""
    host = httpx2.URL(server).host
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _authentication(access: Access, tokens: Tokens | None) -> httpx2.Auth | None:
    if tokens:
        return _TokenAuth(tokens)
    if access.username and access.password:
        return httpx2.BasicAuth(access.username, access.password.reveal())
    return None


def _trust(access: Access) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cadata=access.authority)
    except (ssl.SSLError, ValueError):
        raise ConfigurationError("the certificate-authority is not a certificate", where=access.origin) from None
    if access.insecure:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if access.certificate and access.key:
        try:
            _load_client_certificate(context, access.certificate, access.key.reveal().encode())
        except (OSError, ValueError):
            raise ConfigurationError(
                "client-certificate and client-key are not a certificate and its unencrypted key", where=access.origin
            ) from None
    return context


def _load_client_certificate(context: ssl.SSLContext, certificate: bytes, key: bytes) -> None:
    """OpenSSL reads these from files only: pipes keep the key off the disk."""
    with _pipe(certificate) as certificate_path, _pipe(key) as key_path:
        # Without a password an encrypted key would make OpenSSL ask on the terminal.
        context.load_cert_chain(certificate_path, key_path, password="")


@contextmanager
def _pipe(content: bytes) -> Iterator[str]:
    reader, writer = os.pipe()
    try:
        with os.fdopen(writer, "wb") as file:
            os.set_blocking(file.fileno(), False)  # never wait for a reader: a key is far smaller than a pipe's buffer
            file.write(content)
        yield f"/dev/fd/{reader}"
    finally:
        os.close(reader)


# An apply is read as YAML, which refuses or folds these where JSON does not.
_UNSAFE = re.compile("[\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]")


def _json(content: Json | list[Json]) -> bytes:
    text = json.dumps(content, ensure_ascii=False, separators=(",", ":"))
    return _UNSAFE.sub(lambda match: f"\\u{ord(match[0]):04x}", text).encode("utf-8", "replace")


def _may_pass(error: Exception) -> bool:
    """Whether trying again may help. A refused connection or a wrong certificate will not change within a second."""
    if isinstance(error, httpx2.ConnectError):
        return "CERTIFICATE" not in str(error) and "refused" not in str(error)
    return isinstance(error, (httpx2.NetworkError, httpx2.ConnectTimeout, httpx2.RemoteProtocolError))
