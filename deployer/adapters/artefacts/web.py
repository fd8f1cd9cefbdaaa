"""Artefacts behind `http://` and `https://`, and the requests that GitHub's API needs as well."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING

from deployer import __version__
from deployer.adapters.artefacts.remote import Body, Changed, Transient, Version, without_credentials
from deployer.errors import ConfigurationError, DeployError, UnreachableError

if TYPE_CHECKING:
    import httpx2

_MOST_REDIRECTS = 10
_TRANSIENT = (408, 421, 425, 429, 500, 502, 503, 504, 520, 521, 522, 523, 524)
_LONGEST_WAIT = 60.0

ClientFactory = Callable[[], "httpx2.Client"]


class Web:
    """Requests that follow redirects without taking credentials along, and whose failures are told apart.

    `client` gives an httpx2 client, which is not asked for before the first request.
    """

    def __init__(self, client: ClientFactory) -> None:
        self._client = client

    @contextmanager
    def ask(
        self, method: str, url: str, label: str, headers: Mapping[str, str], *, accept: tuple[int, ...] = (200,)
    ) -> Iterator[httpx2.Response]:
        """The response, its body not yet read, when its status is one of `accept`.

        Raises Transient; ConfigurationError for what is not there or not a URL, UnreachableError for what is refused.
        """
        import httpx2

        try:
            response = self._send(method, url, label, headers)
            try:
                if response.status_code not in accept:
                    raise _refused(response, label)
                yield response
            finally:
                response.close()
        except (httpx2.InvalidURL, httpx2.UnsupportedProtocol, UnicodeError):
            # Their messages quote parts of the URL, where a part of a password is not known to be one.
            raise ConfigurationError(
                "the artefact's URL is wrong",
                where=label,
                hint="in a user name or password everything but letters and digits is written as %XX (`/` as %2F)",
            ) from None
        except httpx2.TransportError as error:
            raise _unreachable(error, label) from error

    def _send(self, method: str, url: str, label: str, headers: Mapping[str, str]) -> httpx2.Response:
        import httpx2

        client = self._client()
        # A compressed transfer would be neither resumable nor of the size and digest that the source promises.
        everything = {"User-Agent": f"deployer/{__version__}", "Accept-Encoding": "identity", **headers}
        timeout = httpx2.Timeout(30.0, connect=10.0)
        request = client.build_request(method, url, headers=everything, timeout=timeout)
        for _ in range(_MOST_REDIRECTS):
            # httpx2 takes the Authorization header off when a redirect leads to another origin.
            response = client.send(request, stream=True, follow_redirects=False)
            if response.next_request is None:
                return response
            response.close()
            if request.url.scheme == "https" and response.next_request.url.scheme != "https":
                raise UnreachableError(
                    "the artefact's server redirects to an unencrypted connection",
                    where=label,
                    why=f"it leads to {without_credentials(str(response.next_request.url))}",
                )
            request = response.next_request
        raise UnreachableError("the artefact's server redirects too often", where=label)


class WebArtefact:
    """An artefact behind a URL (a `Remote`)."""

    def __init__(self, web: Web, url: str) -> None:
        self._web = web
        self._url = url
        self.label = without_credentials(url)
        # The query may hold a signature, which is worth nothing as a part of a digest.
        self.key = f"{self.label} {hashlib.sha256(url.partition('?')[2].encode('utf-8', 'replace')).hexdigest()}"

    def version(self, known: str | None) -> Version | None:
        """Ask with HEAD, or where that is refused (as by URLs signed for GET) with a GET that is not read."""
        headers = {"If-None-Match": known} if known and known.lstrip("W/").startswith('"') else {}
        for method, refused in (("HEAD", (400, 403, 405, 501)), ("GET", ())):
            with self._web.ask(method, self._url, self.label, headers, accept=(200, 304, *refused)) as response:
                if response.status_code == 304:
                    return Version(known)
                if response.status_code == 200:
                    return version_of(response)
        return None

    @contextmanager
    def open(self, start: int, version: Version | None) -> Iterator[Body]:
        """GET, from `start` on if the content is still the same (If-Range)."""
        headers = {}
        if start and version and version.identity and version.resumable:
            headers = {"Range": f"bytes={start}-", "If-Range": _validator(version.identity)}
        with self._web.ask("GET", self._url, self.label, headers, accept=(200, 206, 416)) as response:
            yield body_of(response, version if headers else None, start if headers else 0)


def _validator(identity: str) -> str:
    """What `If-Range` is asked with: the ETag or the date."""
    return identity.removeprefix("date ").partition("; ")[0] if identity.startswith("date ") else identity


def version_of(response: httpx2.Response) -> Version:
    """What the headers of a full (200) response say."""
    headers = response.headers
    etag, date = headers.get("ETag"), headers.get("Last-Modified")
    size = headers.get("Content-Length")
    ranges = "bytes" in headers.get("Accept-Ranges", "bytes")
    return Version(
        identity=etag or (f"date {date}; {size} bytes" if date else None),
        size=int(size) if size and size.isascii() and size.isdigit() else None,
        resumable=ranges and bool(etag.startswith('"') if etag else date),
    )


def body_of(response: httpx2.Response, version: Version | None, start: int) -> Body:
    """The content of a response to a request for what follows `start` (of `version`), or for everything.

    Raises Changed when the server cannot continue.
    """
    if response.status_code == 200:
        return Body(version_of(response), 0, response.iter_raw())
    unit, _, rest = response.headers.get("Content-Range", "").partition(" ")
    span, _, total = rest.partition("/")
    if response.status_code != 206 or unit != "bytes" or version is None or span.partition("-")[0] != str(start):
        raise Changed("the server cannot continue the download")
    if version.size is not None and total not in ("*", str(version.size)):
        raise Changed("the artefact's size has changed")
    return Body(version, start, response.iter_raw())


def _refused(response: httpx2.Response, label: str) -> DeployError | Transient:
    status = response.status_code
    why = f"the server answered {status} {response.reason_phrase}".rstrip()
    if status in (404, 410):
        return ConfigurationError(
            "the artefact is not there", where=label, why=why, hint="check the URL, and the version in it"
        )
    if status in (401, 403, 407, 451):
        return UnreachableError(
            "access to the artefact is denied", where=label, why=why, hint="check the credentials and what they allow"
        )
    if status in _TRANSIENT:
        after = response.headers.get("Retry-After", "")
        return Transient(why, min(float(after), _LONGEST_WAIT) if after.isascii() and after.isdigit() else None)
    return UnreachableError("the artefact cannot be downloaded", where=label, why=why)


def _unreachable(error: httpx2.TransportError, label: str) -> DeployError | Transient:
    why = str(error) or type(error).__name__
    if "CERTIFICATE_VERIFY_FAILED" in why:
        return UnreachableError("the certificate of the artefact's server cannot be verified", where=label, why=why)
    return Transient(why)
