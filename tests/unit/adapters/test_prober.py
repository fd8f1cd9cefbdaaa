from __future__ import annotations

import contextlib
import datetime
import http.client  # noqa: F401 - imported beforehand, lest its import count into a timeout
import socket
import ssl
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from deployer.adapters.prober import HttpProber
from deployer.execute.ports import Probe


class Host:
    """A server on loopback that reads one request per connection and then does what it is told."""

    def __init__(self, answer: bytes | Callable[[socket.socket], None], context: ssl.SSLContext | None = None) -> None:
        self.requests: list[bytes] = []
        self.end = threading.Event()
        self._answer = answer
        self._context = context
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        while True:
            with contextlib.suppress(OSError):
                connection, _ = self._listener.accept()
                if self.end.is_set():
                    connection.close()
                    return
                with connection:
                    self._talk(connection)

    def _talk(self, connection: socket.socket) -> None:
        with self._context.wrap_socket(connection, server_side=True) if self._context else connection as stream:
            self.requests.append(stream.recv(65536))
            if callable(self._answer):
                self._answer(stream)
            else:
                stream.sendall(self._answer)

    def close(self) -> None:
        self.end.set()
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port)):
            pass
        self._thread.join()
        self._listener.close()


@contextlib.contextmanager
def host(answer: bytes | Callable[[socket.socket], None], context: ssl.SSLContext | None = None) -> Iterator[Host]:
    server = Host(answer, context)
    try:
        yield server
    finally:
        server.close()


def response(status: str, body: bytes = b"", *headers: str) -> bytes:
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers, "", ""]
    return "\r\n".join(lines).encode() + body


def ask(server: Host, url: str = "http://myapp.london.example.com/health", **options: object) -> str | None:
    return HttpProber().ask(Probe(url, connect_to=f"127.0.0.1:{server.port}", **options))  # type: ignore[arg-type]


@pytest.mark.parametrize("status", ["200 OK", "204 No Content", "301 Moved", "399 Strange"])
def test_2xx_and_3xx_are_well_and_no_redirect_is_followed(status: str) -> None:
    with host(response(status, b"", "Location: http://127.0.0.1:9/")) as server:
        assert ask(server) is None
        assert len(server.requests) == 1


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (response("404 Not Found"), "HTTP 404"),
        (response("503 Down", b"\r\n  no  healthy\tupstream\nmore"), "HTTP 503: no healthy upstream"),
        (
            response("502 Bad", b"<html><head><title> 502 Bad\x1b[31m Gateway</title></head>"),
            "HTTP 502: 502 Bad [31m Gateway",
        ),
        (response("500 x", b"<h1>Oh</h1>"), "HTTP 500: Oh"),
        (response("500 x", b"x" * 9000), "HTTP 500: " + "x" * 199 + "…"),
        (response("500 x", b"\xff\xfe"), "HTTP 500: \ufffd\ufffd"),
        (response("600 x"), "HTTP 600"),
        (b"HTTP/1.1 500 x\r\nContent-Length: 900\r\n\r\ncut off", "HTTP 500: cut off"),
        (b"HTTP/1.1 500 x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nzz", "HTTP 500: abc"),
        (b"SSH-2.0-OpenSSH\r\n\r\n", "127.0.0.1:{port} did not answer in HTTP"),
        (b"", "127.0.0.1:{port} closed the connection without an answer"),
    ],
)
def test_other_answers_are_named(answer: bytes, reason: str) -> None:
    with host(answer) as server:
        assert ask(server) == reason.format(port=server.port)


def test_what_the_host_says_is_masked() -> None:
    with host(response("500 x", b"cannot log in with hunter2")) as server:
        prober = HttpProber(lambda text: text.replace("hunter2", "***"))
        reason = prober.ask(Probe("http://x/", connect_to=f"127.0.0.1:{server.port}"))
        assert reason == "HTTP 500: cannot log in with ***"


def test_what_the_host_says_is_masked_before_it_is_cut() -> None:
    with host(response("500 x", b"x" * 195 + b"hunter2")) as server:
        prober = HttpProber(lambda text: text.replace("hunter2", "***"))
        reason = prober.ask(Probe("http://x/", connect_to=f"127.0.0.1:{server.port}"))
        assert reason == "HTTP 500: " + "x" * 195 + "***"


def test_the_search_string_must_be_in_the_first_5120_bytes() -> None:
    with host(response("200 OK", b"x" * 5117 + b"ok!" + b"late")) as server:
        assert ask(server, search_string="ok!") is None
        assert ask(server, search_string="late") == "HTTP 200, but the search string is not in the first 5120 bytes"
        assert ask(server, search_string="OK!") is not None


def test_the_host_is_kept_while_another_address_is_connected_to() -> None:
    with host(response("200 OK")) as server:
        assert ask(server, "http://myapp.london.example.com/a b?c=d e") is None
        assert ask(server, "http://myapp.london.example.com:8080") is None
        assert ask(server, "http://b\u00fccher.example.com:80/") is None
    first, second, third = server.requests
    assert first.startswith(b"GET /a%20b?c=d%20e HTTP/1.1\r\n")
    assert b"Host: myapp.london.example.com\r\n" in first
    assert second.startswith(b"GET / HTTP/1.1\r\n")
    assert b"Host: myapp.london.example.com:8080\r\n" in second
    assert b"Host: xn--bcher-kva.example.com\r\n" in third


def test_without_another_address_the_host_itself_is_asked() -> None:
    with host(response("200 OK")) as server:
        assert HttpProber().ask(Probe(f"http://localhost:{server.port}/")) is None
        assert f"Host: localhost:{server.port}\r\n".encode() in server.requests[0]


def hang(end: threading.Event) -> Callable[[socket.socket], None]:
    def answer(stream: socket.socket) -> None:
        end.wait()

    return answer


def trickle(end: threading.Event) -> Callable[[socket.socket], None]:
    def answer(stream: socket.socket) -> None:
        stream.sendall(b"HTTP/1.1 200 OK\r\n")
        while not end.wait(0.01):
            stream.sendall(b"X: y\r\n"[:1])

    return answer


@pytest.mark.parametrize("kind", [hang, trickle])
def test_a_host_that_does_not_come_to_an_end_is_left(
    kind: Callable[[threading.Event], Callable[[socket.socket], None]],
) -> None:
    end = threading.Event()
    with host(kind(end)) as server:
        try:
            assert ask(server, timeout=3.0) == "timed out after 3 s while waiting for the answer"
        finally:
            end.set()


def test_an_endless_body_is_not_read_to_its_end() -> None:
    def flood(stream: socket.socket) -> None:
        stream.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        while True:
            stream.sendall(b"x" * 65536)

    with host(flood) as server:
        assert ask(server) is None
        assert ask(server, search_string="y") is not None


@pytest.mark.parametrize(
    ("url", "connect_to", "reason"),
    [
        ("http://x/", "127.0.0.1:9", "127.0.0.1:9 refused the connection"),
        ("http://127.0.0.1:9/", None, "127.0.0.1:9 refused the connection"),
        ("http://x/", "127.0.0.1:http", "http://x/ or 127.0.0.1:http is no address"),
        ("http://x/", "127.0.0.1:99999", None),
        ("ftp://x/", None, "ftp://x/ is no URL"),
        ("http://", None, "http:// is no URL"),
        ("http://[x/", None, "http://[x/ is no URL"),
        ("http://x:99999/", None, "http://x:99999/ is no URL"),
        (f"http://{'a' * 70}.example.com/", None, None),
        ("http://a b/", "127.0.0.1:9", None),
        ("http://a\r\nX: y/", "127.0.0.1:9", None),
        ("", None, " is no URL"),
    ],
)
def test_an_address_that_cannot_be_asked_is_a_reason(url: str, connect_to: str | None, reason: str | None) -> None:
    answer = HttpProber().ask(Probe(url, connect_to=connect_to))
    assert answer is not None
    assert reason is None or answer == reason


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        (socket.EAI_NONAME, "x.example.com is not in DNS"),
        (socket.EAI_NODATA, "x.example.com is not in DNS"),
        (socket.EAI_AGAIN, "DNS did not answer for x.example.com"),
    ],
)
def test_what_dns_says_is_a_reason(monkeypatch: pytest.MonkeyPatch, code: int, reason: str) -> None:
    def look_up(*arguments: object, **more: object) -> None:
        raise socket.gaierror(code, "the resolver's words")

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    assert HttpProber().ask(Probe("http://x.example.com/")) == reason


@pytest.mark.parametrize("connect_to", ["127.0.0.1", "[::1]", "::1"])
def test_an_address_without_a_port_takes_the_urls(connect_to: str) -> None:
    assert HttpProber().ask(Probe("http://x:9/", connect_to=connect_to)) == f"{connect_to} refused the connection"


# --- TLS


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "test")])
    now = datetime.datetime.now(datetime.UTC)
    built = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("myapp.example.com")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    file = tmp_path_factory.mktemp("tls") / "both.pem"
    file.write_bytes(
        built.public_bytes(serialization.Encoding.PEM)
        + key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return file


@pytest.fixture
def tls(certificate: Path) -> Iterator[Host]:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate)
    with host(response("200 OK"), context) as server:
        yield server


def test_over_tls_the_certificate_is_checked_against_the_host(
    tls: Host, certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert ask(tls, "https://myapp.example.com/") == "the TLS certificate is not accepted: self-signed certificate"
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    assert ask(tls, "https://myapp.example.com/") is None
    assert b"Host: myapp.example.com\r\n" in tls.requests[-1]
    assert "Hostname mismatch" in str(ask(tls, "https://other.example.com/"))


def test_a_host_without_tls_is_named() -> None:
    with host(response("400 Bad")) as server:
        assert ask(server, "https://myapp.example.com/") == f"127.0.0.1:{server.port} does not speak TLS"


def test_a_tls_handshake_that_hangs_is_named() -> None:
    listener = socket.create_server(("127.0.0.1", 0))
    with listener:
        probe = Probe("https://x/", connect_to=f"127.0.0.1:{listener.getsockname()[1]}", timeout=5.0)
        assert HttpProber().ask(probe) == "timed out after 5 s during the TLS handshake"


def test_no_http_library_is_imported_before_a_question() -> None:
    code = (
        "import sys; from deployer.adapters.prober import HttpProber; HttpProber();"
        "sys.exit(any(name in sys.modules for name in ('http.client', 'ssl', 'httpx2', 'socket')))"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
