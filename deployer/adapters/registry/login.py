"""How a registry is logged in to: Basic, or Bearer with a token of its own.

See https://distribution.github.io/distribution/spec/auth/token/.
"""

from __future__ import annotations

import base64
import ipaddress
import re
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from deployer.errors import UnreachableError
from deployer.model import Secret

if TYPE_CHECKING:
    import httpx2

Credentials = Callable[[], tuple[str, Secret]]

_PARAMETER = re.compile(r'([a-z_]+)="?((?<=")[^"]*|[^",\s]*)', re.IGNORECASE)


class Login:
    """The logins to one registry for one run: a Bearer token per scope, or one Basic header for all. Safe in threads.

    `credentials` gives user name and password, fresh enough to be used now; it is called only when the registry asks.
    """

    def __init__(self, credentials: Credentials | None) -> None:
        self._credentials = credentials
        self._lock = threading.Lock()
        self._headers: dict[str, str] = {}
        self._basic: str | None = None

    def header(self, scope: str) -> str | None:
        """The Authorization header for a scope, as far as one is known."""
        return self._basic or self._headers.get(scope)

    def answer(self, challenge: str, scope: str, refused: str | None, client: httpx2.Client) -> str | None:
        """The header that answers a challenge (`WWW-Authenticate`) to a request that was sent with `refused`.

        None when there is nothing that was not refused already. Raises UnreachableError.
        """
        with self._lock:
            known = self.header(scope)
            if known is not None and known != refused:
                return known  # another thread has logged in meanwhile
            scheme, _, rest = challenge.partition(" ")
            if scheme.lower() == "basic":
                basic = self._basic_header()
                if basic == refused:
                    return None
                self._basic = basic
                return basic
            if scheme.lower() == "bearer":
                parameters = {name.lower(): value for name, value in _PARAMETER.findall(rest)}
                token = self._token(parameters, parameters.get("scope") or scope, client)
                self._headers[scope] = token
                return None if token == refused else token
        return None

    def _basic_header(self) -> str | None:
        if self._credentials is None:
            return None
        user, password = self._credentials()
        return "Basic " + base64.b64encode(f"{user}:{password.reveal()}".encode()).decode()

    def _token(self, parameters: dict[str, str], scope: str, client: httpx2.Client) -> str:
        import httpx2

        realm = parameters.get("realm", "")
        try:
            parts = urlsplit(realm)
            safe = bool(parts.hostname) and parts.scheme == scheme_of(parts.netloc)
        except ValueError:
            safe = False
        if not safe:
            raise UnreachableError("the registry names no safe place to log in to", where=realm.partition("?")[0])
        question = {"scope": scope, **({"service": parameters["service"]} if "service" in parameters else {})}
        basic = self._basic_header()
        headers = {"Authorization": basic} if basic else {}
        try:
            response = client.get(realm, params=question, headers=headers, timeout=15.0, follow_redirects=False)
            document: Any = response.json() if response.status_code == 200 else {}
            token = document.get("token") or document.get("access_token")
        except (httpx2.HTTPError, ValueError, AttributeError) as error:
            raise UnreachableError("the registry's login does not answer", where=realm, why=str(error)) from error
        if not isinstance(token, str) or not token:
            raise UnreachableError(
                "the registry's login refuses us", where=realm, why=f"it answered {response.status_code}"
            )
        return f"Bearer {token}"


def scheme_of(host: str) -> str:
    """`http` for a registry on this machine, `https` for all others, as Docker has it. `host` may have a port."""
    name = urlsplit(f"//{host}").hostname or ""
    if name == "localhost" or name.endswith(".localhost"):
        return "http"
    try:
        return "http" if ipaddress.ip_address(name).is_loopback else "https"
    except ValueError:
        return "https"
