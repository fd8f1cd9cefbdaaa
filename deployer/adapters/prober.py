"""Asks a host from outside, as a client or a Route53 health check would, and says precisely why it does not answer."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import SplitResult, urlsplit

from deployer.deadline import call_within

if TYPE_CHECKING:
    import socket

    from deployer.execute.ports import Probe

READ_LIMIT = 5120
"""Bytes of a body that Route53 searches: https://docs.aws.amazon.com/Route53/latest/APIReference/API_HealthCheckConfig.html"""

_LONGEST_EXCERPT = 200
_TITLE = re.compile(r"<title[^>]*>([^<]*)", re.IGNORECASE)
_TAG = re.compile(r"<[^>]*>")


@dataclass
class _Progress:
    """How far a question got, for the message when its time is up."""

    step: str = "while looking up the name"
    connection: socket.socket | None = None


class HttpProber:
    """An outside prober over plain sockets.

    As Route53 does, it takes 2xx and 3xx for well, follows no redirect, and looks for the search string in the first
    5120 bytes. Unlike Route53 it wants a valid certificate, as the users' browsers will.
    """

    def __init__(self, mask: Callable[[str], str] = str) -> None:
        """`mask` is applied to what the host says, before it goes into a reason."""
        self._mask = mask

    def ask(self, probe: Probe) -> str | None:
        """None when the host answered well within `probe.timeout` seconds, else why not. Never raises."""
        progress = _Progress()
        try:
            return call_within(probe.timeout, lambda: self._ask(probe, progress))
        except TimeoutError:
            step = progress.step
            if progress.connection is not None:
                import socket

                with contextlib.suppress(OSError):  # ends the thread that was left behind
                    progress.connection.shutdown(socket.SHUT_RDWR)
            return f"timed out after {probe.timeout:g} s {step}"
        except Exception as error:  # noqa: BLE001 - whatever happens is a reason why it is not well
            return _reason(error, probe)

    def _ask(self, probe: Probe, progress: _Progress) -> str | None:
        import http.client
        import socket

        url = urlsplit(probe.url)
        if url.scheme not in ("http", "https") or not url.hostname:
            raise ValueError("not a URL")
        host = url.hostname.encode("idna").decode()
        port = url.port or (443 if url.scheme == "https" else 80)
        connection = http.client.HTTPConnection(host, port)
        target = _address(probe.connect_to, port) if probe.connect_to else (host, port)
        addresses = socket.getaddrinfo(*target, type=socket.SOCK_STREAM)
        progress.step = "while connecting"
        with contextlib.ExitStack() as stack:
            raw = stack.enter_context(_connect(addresses, probe.timeout))
            progress.connection = connection.sock = raw
            if url.scheme == "https":
                import ssl

                progress.step = "during the TLS handshake"
                connection.sock = stack.enter_context(
                    ssl.create_default_context().wrap_socket(raw, server_hostname=host)
                )
                progress.connection = connection.sock
            progress.step = "while waiting for the answer"
            headers = {
                "Host": _host_header(url, host),
                "User-Agent": "deployer",
                "Accept": "*/*",
                "Connection": "close",
            }
            connection.request("GET", _request_target(url), headers=headers)
            response = connection.getresponse()
            stack.callback(response.close)
            progress.step = "while reading the answer"
            return self._judge(response, probe)

    def _judge(self, response: Any, probe: Probe) -> str | None:
        well = 200 <= response.status < 400
        if well and probe.search_string is None:
            return None
        body = _read(response)
        if not well:
            said = _excerpt(self._mask(body.decode("utf-8", "replace")))
            return f"HTTP {response.status}{f': {said}' if said else ''}"
        if probe.search_string is not None and probe.search_string.encode() not in body:
            return f"HTTP {response.status}, but the search string is not in the first {READ_LIMIT} bytes"
        return None


def _connect(addresses: list[Any], timeout: float) -> socket.socket:
    """A connection to the first address that takes one."""
    import socket

    failure: OSError = OSError("no address")
    for family, kind, protocol, _, address in addresses:
        connection = socket.socket(family, kind, protocol)
        connection.settimeout(max(1.0, timeout / len(addresses)))
        try:
            connection.connect(address)
        except OSError as error:
            connection.close()
            failure = error
        else:
            connection.settimeout(timeout)
            return connection
    raise failure


def _address(text: str, port: int) -> tuple[str, int]:
    """`host:port`, `[address]:port`, or either without a port."""
    host, colon, digits = text.rpartition(":")
    if not colon or text.endswith("]") or (":" in host and not host.endswith("]")):
        host, digits = text, str(port)
    return host.strip("[]"), int(digits)


def _host_header(url: SplitResult, host: str) -> str:
    literal = f"[{host}]" if ":" in host else host
    return literal if url.port in (None, 443 if url.scheme == "https" else 80) else f"{literal}:{url.port}"


def _request_target(url: SplitResult) -> str:
    from urllib.parse import quote

    path = quote(url.path or "/", safe="/%:@!$&'()*+,;=~-._")
    return f"{path}?{quote(url.query, safe='/%:@!$&()*+,;=~-._?')}" if url.query else path


def _read(response: Any) -> bytes:
    import http.client

    try:
        return bytes(response.read(READ_LIMIT))
    except http.client.IncompleteRead as cut:
        return bytes(cut.partial[:READ_LIMIT])


def _excerpt(text: str) -> str:
    """The title of a page, or the first line of a text, fit for a message."""
    title = _TITLE.search(text)
    lines = [title[1]] if title else _TAG.sub(" ", text).splitlines()
    line = next((line for line in (_printable(line) for line in lines) if line), "")
    return line if len(line) <= _LONGEST_EXCERPT else line[: _LONGEST_EXCERPT - 1] + "…"


def _printable(line: str) -> str:
    return " ".join("".join(letter if letter.isprintable() else " " for letter in line).split())


def _reason(error: Exception, probe: Probe) -> str:
    import errno
    import http.client
    import socket
    import ssl

    where = probe.connect_to or _host(probe.url)
    match error:
        case ssl.SSLCertVerificationError():
            return f"the TLS certificate is not accepted: {error.verify_message}"
        case ssl.SSLError(reason="WRONG_VERSION_NUMBER" | "RECORD_LAYER_FAILURE"):
            return f"{where} does not speak TLS"
        case ssl.SSLError():
            return f"TLS failed: {(error.reason or 'no reason given').lower().replace('_', ' ')}"
        case socket.gaierror(errno=socket.EAI_AGAIN):
            return f"DNS did not answer for {where}"
        case socket.gaierror():
            return f"{where} is not in DNS"
        case ConnectionRefusedError():
            return f"{where} refused the connection"
        case http.client.RemoteDisconnected() | ConnectionResetError() | BrokenPipeError():
            return f"{where} closed the connection without an answer"
        case http.client.InvalidURL() | ValueError():
            return f"{probe.url} or {probe.connect_to} is no address" if probe.connect_to else f"{probe.url} is no URL"
        case http.client.HTTPException():
            return f"{where} did not answer in HTTP"
        case OSError(errno=errno.EHOSTUNREACH | errno.ENETUNREACH):
            return f"there is no way to {where}"
        case OSError():
            return f"{where}: {error.strerror or type(error).__name__}"
        case _:
            return type(error).__name__


def _host(url: str) -> str:
    """The host (and port) of a URL, or the text itself when it is none."""
    try:
        return urlsplit(url).netloc.rpartition("@")[2] or url
    except ValueError:
        return url
