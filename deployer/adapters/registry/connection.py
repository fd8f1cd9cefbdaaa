"""Requests to one registry: logged in, tried again where that helps, and their failures explained."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urljoin, urlsplit

from deployer import __version__
from deployer.adapters.registry.login import Credentials, Login, scheme_of
from deployer.errors import ConfigurationError, DeployError, UnreachableError
from deployer.masking.cutting import cut_between_words

if TYPE_CHECKING:
    import httpx2
    from tenacity import RetryCallState

T = TypeVar("T")

ATTEMPTS = 4
_MOST_SILENT = 2
_TRANSIENT = (408, 429, 500, 502, 503, 504)
_MOST_REDIRECTS = 5
_LONGEST_DOCUMENT = 8 * 1024 * 1024


class Passing(Exception):
    """A failure that may pass by itself."""


class Silence(Passing):
    """No answer came for as long as we wait for one, which is long: it is worth one more attempt."""


class Connection:
    """A registry by its host (`host:port`), spoken to through an httpx2 client."""

    def __init__(
        self, host: str, credentials: Credentials | None, client: Callable[[], httpx2.Client], pause: float
    ) -> None:
        self.host = host
        self._login = Login(credentials)
        self._client = client
        self._pause = pause
        self._base = f"{scheme_of(host)}://{host}"

    @contextmanager
    def request(
        self,
        method: str,
        path: str,
        repository: str,
        *,
        push: bool = False,
        accept: tuple[int, ...] = (200,),
        headers: Mapping[str, str] | None = None,
        content: bytes | Callable[[], Iterable[bytes]] | None = None,
        timeout: float = 30.0,
    ) -> Iterator[httpx2.Response]:
        """The response, its body not yet read, when its status is one of `accept`; `path` may be a whole URL.

        `content` that is made anew for each attempt is a callable. Raises Passing, or a DeployError.
        """
        import httpx2

        place = f"{self.host}/{repository}"
        scope = f"repository:{repository}:{'pull,push' if push else 'pull'}"
        try:
            response = self._send(method, urljoin(self._base, path), scope, headers or {}, content, timeout)
            try:
                if response.status_code not in accept:
                    raise _refused(response, place)
                yield response
            finally:
                response.close()
        except httpx2.TransportError as error:
            if "CERTIFICATE_VERIFY_FAILED" in str(error):
                raise UnreachableError(
                    "the registry's certificate cannot be verified", where=place, why=str(error)
                ) from error
            if isinstance(error, httpx2.TimeoutException):
                raise Silence("it does not answer in time") from error
            raise Passing(str(error) or type(error).__name__) from error
        except httpx2.InvalidURL as error:
            raise ConfigurationError("the registry's address is wrong", where=place, why=str(error)) from error

    def attempt(self, repository: str, work: Callable[[], T]) -> T:
        """The result of `work`, tried up to 4 times; UnreachableError when it keeps raising Passing, twice Silence."""
        silent = 0

        def over(state: RetryCallState) -> bool:
            nonlocal silent
            error = state.outcome.exception() if state.outcome else None
            silent += isinstance(error, Silence)
            return state.attempt_number >= ATTEMPTS - 1 or silent >= _MOST_SILENT

        try:
            try:
                return work()
            except Passing as error:
                from tenacity import Retrying, retry_if_exception_type, wait_random_exponential

                silent += isinstance(error, Silence)
                return Retrying(
                    retry=retry_if_exception_type(Passing),
                    wait=wait_random_exponential(multiplier=self._pause, max=10),
                    stop=over,
                    reraise=True,
                )(work)
        except Passing as error:
            raise UnreachableError(
                "the registry does not answer",
                where=f"{self.host}/{repository}",
                why=str(error),
                hint="check AwsEcrPrefix, the network, and that the registry runs",
            ) from error

    def _send(
        self,
        method: str,
        url: str,
        scope: str,
        headers: Mapping[str, str],
        content: bytes | Callable[[], Iterable[bytes]] | None,
        timeout: float,
    ) -> httpx2.Response:
        authorization = self._login.header(scope)
        response = self._send_once(method, url, headers, authorization, content, timeout)
        if response.status_code == 401 and urlsplit(url).netloc == self.host:
            challenge = response.headers.get("WWW-Authenticate", "")
            answer = self._login.answer(challenge, scope, authorization, self._client())
            if answer is not None:
                response.close()
                response = self._send_once(method, url, headers, answer, content, timeout)
        return response

    def _send_once(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str],
        authorization: str | None,
        content: bytes | Callable[[], Iterable[bytes]] | None,
        timeout: float,
    ) -> httpx2.Response:
        import httpx2

        client = self._client()
        everything = {"User-Agent": f"deployer/{__version__}", "Accept-Encoding": "identity", **headers}
        if authorization and urlsplit(url).netloc == self.host:
            everything["Authorization"] = authorization
        body: Any = content() if callable(content) else content
        limits = httpx2.Timeout(timeout, connect=10.0)
        request = client.build_request(method, url, headers=everything, content=body, timeout=limits)
        for _ in range(_MOST_REDIRECTS):
            # Blobs are often elsewhere; httpx2 takes the Authorization header off on the way to another host.
            response = client.send(request, stream=True, follow_redirects=False)
            if response.next_request is None or method not in ("GET", "HEAD"):
                return response
            response.close()
            request = response.next_request
        raise UnreachableError("the registry redirects too often", where=self.host)


def read(response: httpx2.Response) -> bytes:
    """The body of a response that is a document. Raises Passing when it is longer than any should be."""
    content = bytearray()
    for chunk in response.iter_raw():
        content += chunk
        if len(content) > _LONGEST_DOCUMENT:
            raise Passing("the registry's answer is too long")
    return bytes(content)


def _refused(response: httpx2.Response, place: str) -> DeployError | Passing:
    status = response.status_code
    why = f"it answered {status}{_explanation(response)}"
    if status in _TRANSIENT:
        return Passing(why)
    if status in (401, 403):
        return UnreachableError(
            "the registry does not let us in",
            where=place,
            why=why,
            hint="check the AWS profile and what it allows on this repository (docs/iam.md has the ECR policy)",
        )
    if status == 404:
        return ConfigurationError(
            "the registry does not have the repository, or a part of the image",
            where=place,
            why=why,
            hint="set Ecr: {CreateRepositories: true} in group_vars to have repositories made",
        )
    return UnreachableError("the registry refuses", where=place, why=why)


def _explanation(response: httpx2.Response) -> str:
    """What the registry says about it, in one line: `{"errors": [{"code": …, "message": …}]}`."""
    import httpx2

    try:
        response.read()
        error = response.json()["errors"][0]
        return f" {error['code']}: {cut_between_words(str(error.get('message', '')), 300)}"
    except (httpx2.HTTPError, ValueError, KeyError, IndexError, TypeError, AttributeError):
        return ""
